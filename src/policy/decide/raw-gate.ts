import { builtinCommands, type CommandTable, hex16 } from '../../cci/index.ts';
import type { Posture } from '../../taint/index.ts';
import type { DecisionInput, Fabric, RawGate, Reason } from '../types.ts';
import { ownsEntry } from './access.ts';
import { type RawCause, rawCause } from './classify.ts';
import { reason } from './reason.ts';
import { scopeReasons } from './scope-cap.ts';
import { checkStructure, type Shape } from './structure.ts';
import { rawTaints } from './taints.ts';

/** Whole command sets that never go raw (R7): sanitize, data-at-rest security, security passthrough. */
const securitySets: ReadonlySet<number> = new Set([0x44, 0x45, 0x46]);

/** Single opcodes that never go raw, with the kernel's reason (section 4 of the kernel rules). */
export const neverRaw: ReadonlyMap<number, string> = new Map([
  [0x0202, 'firmware activation has to be coordinated with the host'],
  [0x4101, 'a partition change can move memory that is in use'],
  [0x4103, 'the host may hold a cached label area'],
  [0x4204, 'user space cannot promise that no writes follow'],
  [0x4300, 'poison handling is coordinated by the driver'],
  [0x4301, 'poison handling is coordinated by the driver'],
  [0x4302, 'poison handling is coordinated by the driver'],
  [0x4304, 'the driver keeps the list of media errors'],
  [0x4305, 'the driver keeps the list of media errors'],
]);

interface Gate {
  readonly rule: string;
  readonly closed: (posture: Posture, opcode: number) => boolean;
  readonly text: (posture: Posture, opcode: number) => string;
  /** Skipped by `raw_allow_all` (R8). */
  readonly override: boolean;
}

/**
 * The gates in the kernel's order (R7). The opcode is that of the innermost layer at any depth: the kernel sees the
 * outermost only, and so lets a tunnelled sanitize pass.
 */
const gates: readonly Gate[] = [
  {
    rule: 'R7.1',
    closed: ({ rawCommands }) => rawCommands !== 'taints-this-switch',
    text: () => 'raw commands are switched off',
    override: false,
  },
  {
    rule: 'R7.2',
    closed: ({ lockdown }) => lockdown.effective !== 'none',
    text: ({ lockdown }) => `raw commands are off under lockdown (${lockdown.effective})`,
    override: false,
  },
  {
    rule: 'R7.4',
    closed: (_posture, opcode) => securitySets.has(opcode >> 8),
    text: (_posture, opcode) => `${hex16(opcode)} is of a security set, which never goes raw`,
    override: true,
  },
  {
    rule: 'R7.5',
    closed: (_posture, opcode) => neverRaw.has(opcode),
    text: (_posture, opcode) => `${hex16(opcode)} never goes raw: ${neverRaw.get(opcode)}`,
    override: true,
  },
];

/** What the gates say, and whether it was only the override that let the command pass (taint O). */
export function passGates(
  posture: Posture,
  opcode: number,
): { readonly refused?: Reason; readonly overridden: boolean } {
  const closed = gates.filter((gate) => gate.closed(posture, opcode));
  const stopping = closed.find((gate) => !(gate.override && posture.rawAllowAll === true));
  if (stopping === undefined) return { overridden: closed.length > 0 };
  return {
    refused: reason('raw-gate', 'EPERM', stopping.rule, stopping.text(posture, opcode)),
    overridden: false,
  };
}

/**
 * Step 2 (section 4): the gates, then whether the caller may submit raw commands at all, and at the end of this path.
 * Both come before the taint, as in fwctl (R14): who has no such right must not be able to mark the switch. What is in
 * the payload comes after it (R10).
 */
export function rawGate(fabric: Fabric, input: DecisionInput, commands: CommandTable = builtinCommands): RawGate {
  try {
    return askGate(fabric, input, commands);
  } catch {
    const text = 'the policy layer contradicts itself';
    return { kind: 'refused', reason: reason('raw-gate', 'EIO', 'internal', text) };
  }
}

function askGate(fabric: Fabric, input: DecisionInput, commands: CommandTable): RawGate {
  const shaped = checkStructure(input, fabric, commands);
  if (!shaped.ok) return { kind: 'notRaw' };
  const shape = shaped.value;
  const cause = rawCause(shape, input.topology);
  if (cause === undefined) return { kind: 'notRaw' };
  const { refused, overridden } = passGates(input.posture, shape.opcode);
  if (refused !== undefined) return { kind: 'refused', reason: refused };
  const unentitled = entitlement(fabric, input, shape, cause);
  if (unentitled !== undefined) return { kind: 'refused', reason: unentitled };
  return { kind: 'accepted', taints: rawTaints(shape, overridden) };
}

function entitlement(fabric: Fabric, input: DecisionInput, shape: Shape, cause: RawCause): Reason | undefined {
  const [unscoped] = scopeReasons(input.principal, 'raw', 3);
  if (unscoped !== undefined) return unscoped;
  if (ownsEntry(fabric, input, shape, cause)) return undefined;
  return reason('ownership', 'EPERM', 'ownership', "the end of the path is not the caller's");
}
