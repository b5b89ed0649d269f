import { RC, type TypedRow } from '../../cci/index.ts';
import { type Answer, type Command, refused } from './command.ts';
import type { Machine } from './machine.ts';
import type { ComponentKind } from './state.ts';

/** A command of a vendor as a topology file has it: fixed bytes for an opcode. */
export interface VendorCommandSpec {
  /** C000h to FFFFh. */
  readonly opcode: number;
  readonly on: readonly ComponentKind[];
  /** What the Command Effects Log says of it. */
  readonly effects: number;
  /** Bytes of every request; any other length is refused with 0016h. Absent: any. */
  readonly requestBytes?: number;
  readonly returnCode: number;
  /** `echo`: the request comes back. */
  readonly reply: Uint8Array | 'echo';
}

const EMPTY = { min: 0, max: null, fields: [] } as const;

/** The commands that a component answers, with those of its vendor. */
export function withVendorCommands(
  machine: Machine,
  kind: ComponentKind,
  offers: ReadonlyMap<number, Command>,
): ReadonlyMap<number, Command> {
  const { topology } = machine;
  const own = (topology.vendorCommands ?? []).filter(({ on }) => on.includes(kind));
  if (own.length === 0) return offers;
  const known = merged.get(topology) ?? new Map<object, ReadonlyMap<number, Command>>();
  const all = known.get(offers) ?? new Map([...offers, ...own.map((spec) => [spec.opcode, commandOf(spec)] as const)]);
  merged.set(topology, known.set(offers, all));
  return all;
}

/** Worked out once for each kind of component of a topology. */
const merged = new WeakMap<object, Map<object, ReadonlyMap<number, Command>>>();

function commandOf(spec: VendorCommandSpec): Command {
  return { row: rowOf(spec), run: (_context, payload) => answerOf(spec, payload) };
}

function answerOf({ requestBytes, returnCode, reply }: VendorCommandSpec, payload: Uint8Array): Answer {
  if (requestBytes !== undefined && payload.length !== requestBytes) return refused(RC.invalidPayloadLength);
  if (returnCode !== RC.success) return refused(returnCode);
  return { returnCode, vendorStatus: 0, payload: reply === 'echo' ? payload.slice() : reply };
}

/** As much of a row as the emulator's logs read. */
function rowOf({ opcode, on, effects }: VendorCommandSpec): TypedRow {
  return {
    opcode,
    slug: 'vendor',
    name: 'Vendor',
    set: 'vendor',
    spec: 'topology file',
    status: 'verified',
    executesOn: on,
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' },
    background: 'never',
    mutating: true,
    effects,
    radius: 'opaque',
    scope: 3,
    request: EMPTY,
    response: EMPTY,
  };
}
