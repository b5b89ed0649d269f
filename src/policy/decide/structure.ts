import {
  builtinCommands,
  type CommandRow,
  type CommandTable,
  err,
  type Hop,
  hex16,
  isTyped,
  MAX_HOPS,
  maxRoutedPayload,
  ok,
  type Result,
  type RoutedCommand,
  TUNNEL_OPCODE,
  type TypedRow,
} from '../../cci/index.ts';
import type { DecisionInput, Fabric, FabricSwitch, Reason, Submission, SubmittedAs } from '../types.ts';
import { reason } from './reason.ts';

/** Largest payload of any mailbox (2^20); a smaller carrier says so in its topology. */
const LARGEST_PAYLOAD = 1 << 20;
/** Bytes that one tunnel layer puts around a message. */
const LAYER_SIZE = 16;

/** A submission whose outer form is sound. */
export interface Shape {
  readonly switchName: string;
  readonly switch: FabricSwitch;
  readonly submittedAs: SubmittedAs;
  readonly command: RoutedCommand;
  readonly hops: readonly Hop[];
  readonly opcode: number;
  /** Absent for reserved opcodes, and for those of vendors that nobody reviewed. */
  readonly row: CommandRow | undefined;
  /** The row where it is verified and has a codec. */
  readonly typed: TypedRow | undefined;
  readonly outputCapacity: number | undefined;
}

/** What is wrong with the form; `noSuchSwitch` looks like any other object that does not exist. */
export interface Misshapen {
  readonly reason: Reason;
  readonly noSuchSwitch: boolean;
}

/**
 * Step 1 (R2, R12, R13). The bytes were taken apart by the decoder; this holds its result to the same rules once more,
 * so that no caller of the policy layer can hand in what the decoder would have refused.
 */
export function checkStructure(
  input: DecisionInput,
  fabric: Fabric,
  commands: CommandTable = builtinCommands,
): Result<Shape, Misshapen> {
  const { submission, topology } = input;
  const { command } = submission;
  // The name of the switch comes from the caller: as part of a path it could spell somebody's port.
  const here = fabric.switches.get(submission.switch);
  if (here === undefined) {
    const text = 'there is no switch of that name';
    return err({ reason: reason('ownership', 'EPERM', 'ownership', text), noSuchSwitch: true });
  }
  const carrier = topology.maxPayload ?? LARGEST_PAYLOAD;
  const wrong = formError(command, carrier) ?? roomError(submission, carrier);
  if (wrong !== undefined) return err({ reason: wrong, noSuchSwitch: false });
  const row = commands.rowByOpcode(command.opcode);
  return ok({
    switchName: submission.switch,
    switch: here,
    submittedAs: submission.submittedAs === 'typed' ? 'typed' : 'raw',
    command,
    hops: command.hops,
    opcode: command.opcode,
    row,
    typed: row?.status === 'verified' && isTyped(row) ? row : undefined,
    outputCapacity: submission.outputCapacity,
  });
}

function formError(command: RoutedCommand, maxPayload: number): Reason | undefined {
  const refuse = (rule: string, text: string) => reason('structure', 'EINVAL', rule, text);
  if (typeof command !== 'object' || command === null) return refuse('R2', 'there is no command');
  const { opcode, payload, hops, tags } = command;
  if (!isUint(opcode, 0xffff)) return refuse('R2', 'the opcode is not a 16-bit number');
  if (opcode === 0) return refuse('R13', 'opcode 0000h is never sent');
  if (opcode === TUNNEL_OPCODE) return refuse('R12', `a tunnel (${hex16(opcode)}) that was not opened`);
  if (!(payload instanceof Uint8Array)) return refuse('R2', 'the payload is not bytes');
  if (!Array.isArray(hops) || !Array.isArray(tags)) return refuse('R12', 'the path is not a list');
  if (hops.length > MAX_HOPS) return refuse('R12', `tunnels nest deeper than ${MAX_HOPS}`);
  if (tags.length > hops.length) return refuse('R12', 'there are more tags than tunnel layers');
  if (!tags.every((tag) => isUint(tag, 0xff))) return refuse('R2', 'a tag is not an 8-bit number');
  if (!hops.every(isHop)) return refuse('R12', 'a tunnel layer names a target that it cannot have');
  if (payload.length + LAYER_SIZE * hops.length > maxPayload || payload.length > maxRoutedPayload(hops.length)) {
    return refuse('R2', `the command is larger than the ${maxPayload} bytes that the carrier holds`);
  }
  return undefined;
}

/** R5: nothing is ever reserved for a reply that no carrier can hold. */
function roomError({ submittedAs, outputCapacity }: Submission, maxPayload: number): Reason | undefined {
  // Written so that a capacity that is no number does not fit.
  if (submittedAs === 'typed' || outputCapacity === undefined || outputCapacity <= maxPayload) return undefined;
  const text = `room for ${outputCapacity} bytes was asked for, the carrier holds ${maxPayload}`;
  return reason('structure', 'EINVAL', 'R5', text);
}

/** The switch tunnels to a port; what is behind the port to an LD or the pool. */
function isHop(hop: Hop, layer: number): boolean {
  if (layer === 0) return hop?.kind === 'port' && isUint(hop.port, 0xff);
  return hop?.kind === 'ldpool' || (hop?.kind === 'ld' && isUint(hop.ld, 0xff));
}

function isUint(value: unknown, max: number): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= max;
}
