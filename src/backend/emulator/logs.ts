import { CEL_UUID, type CelEntry, encodeCel, VENDOR_DEBUG_LOG_UUID } from '../../cci/index.ts';
import type { Context } from './command.ts';
import type { ComponentKind } from './state.ts';

const STATE_DUMP_UUID = 'b3fab4cf-01b6-4332-943e-5e9962f23567';

export interface LogEntry {
  readonly uuid: string;
  readonly clears: boolean;
  readonly populates: boolean;
}

const LOGS: readonly LogEntry[] = [
  { uuid: CEL_UUID, clears: false, populates: false },
  { uuid: VENDOR_DEBUG_LOG_UUID, clears: true, populates: true },
  { uuid: STATE_DUMP_UUID, clears: false, populates: true },
];

/** The logs of a component, in the order of their index. */
export function logTable(kind: ComponentKind): readonly LogEntry[] {
  return kind === 'ld-pool-cci' ? LOGS.slice(0, 1) : LOGS;
}

/** Contents of a log right now. */
export function logBytes(context: Context, log: LogEntry): Uint8Array {
  if (log.uuid === CEL_UUID) return celOf(context);
  const kept = context.target.cci.logs?.get(log.uuid);
  if (kept !== undefined) return kept;
  return log.uuid === VENDOR_DEBUG_LOG_UUID
    ? new TextEncoder().encode(`emulated ${context.target.kind} ${context.target.cci.path}: power on\n`)
    : new Uint8Array(64);
}

/** The Command Effects Log: exactly what this CCI answers, unless the machine was told to lie. */
function celOf(context: Context): Uint8Array {
  const lies = context.machine.state.celLies;
  const entries: CelEntry[] = [];
  for (const { row } of context.target.offers.values()) {
    if (lies?.hide.includes(row.opcode)) continue;
    entries.push({ opcode: row.opcode, effects: row.effects ?? 0 });
  }
  for (const opcode of lies?.invent ?? []) entries.push({ opcode, effects: 0 });
  entries.sort((a, b) => a.opcode - b.opcode);
  return encodeCel(entries);
}
