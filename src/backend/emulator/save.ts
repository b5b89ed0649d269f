import { fromHex, toHex } from '../../cci/index.ts';
import type { Machine } from './machine.ts';
import type { MachineState } from './state.ts';

const FORMAT = 'cci-emulator-state/1';

/** A saved state that does not fit. */
export class SavedStateError extends Error {
  readonly code = 'SAVED_STATE';

  constructor(message: string) {
    super(message);
    this.name = 'SavedStateError';
  }
}

/** Writes the whole state of a machine as JSON text. Equal states give equal text. */
export function saveState(machine: Machine): string {
  const { nowMs, state, topology } = machine;
  return JSON.stringify({ format: FORMAT, nowMs, topology: pack(topology), state: pack(state) });
}

/**
 * Puts a saved state into a machine of the same topology. The text is trusted as a file of the operator's is:
 * its format and topology are checked, not every number in it.
 *
 * @throws SavedStateError
 */
export function restoreState(machine: Machine, text: string): void {
  let saved: {
    readonly format?: unknown;
    readonly nowMs?: unknown;
    readonly topology?: unknown;
    readonly state?: unknown;
  };
  try {
    saved = JSON.parse(text);
  } catch (cause) {
    throw new SavedStateError(`not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  if (saved?.format !== FORMAT || typeof saved.nowMs !== 'number')
    throw new SavedStateError(`not a \`${FORMAT}\` file`);
  if (JSON.stringify(saved.topology) !== JSON.stringify(pack(machine.topology))) {
    throw new SavedStateError('saved with another topology');
  }
  machine.replace(unpack(saved.state) as MachineState, saved.nowMs);
}

/** JSON has no bigint, bytes, Map or Set: each becomes an object of one key that begins with `$`. */
function pack(value: unknown): unknown {
  if (typeof value === 'bigint') return { $n: value.toString() };
  if (value instanceof Uint8Array) return { $b: toHex(value) };
  if (value instanceof Map) return { $m: [...value].map(([key, item]) => [pack(key), pack(item)]) };
  if (value instanceof Set) return { $s: [...value].map(pack) };
  if (Array.isArray(value)) return value.map(pack);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, pack(item)]));
}

function unpack(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpack);
  if (typeof value !== 'object' || value === null) return value;
  const [only, ...more] = Object.entries(value);
  if (only !== undefined && more.length === 0) {
    const [key, item] = only;
    if (key === '$n') return BigInt(item);
    if (key === '$b') return fromHex(item) ?? new Uint8Array(0);
    if (key === '$m') return new Map((item as [unknown, unknown][]).map(([k, v]) => [unpack(k), unpack(v)]));
    if (key === '$s') return new Set((item as unknown[]).map(unpack));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unpack(item)]));
}
