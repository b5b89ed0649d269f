import { writeUint, writeUint64 } from '../../cci/index.ts';
import { timestampOf } from './events.ts';
import type { Machine } from './machine.ts';
import type { CciState } from './state.ts';

/** Header of the component state dump log: length, trigger, timestamp, format UUID, flags; data from 40h. */
const DUMP_HEADER = 64;

/** Populate Log (0404h): writes what the CCI is doing as text into its state dump. */
export function writeStateDump(machine: Machine, cci: CciState, log: string): void {
  const text = `cci ${cci.path} kind ${cci.kind} limit ${cci.limit} at ${Math.floor(machine.nowMs)} ms\n`;
  const data = new TextEncoder().encode(text);
  const dump = new Uint8Array(DUMP_HEADER + data.length);
  writeUint(dump, 0, 4, data.length);
  writeUint64(dump, 8, timestampOf(machine, cci));
  dump.set(data, DUMP_HEADER);
  cci.logs ??= new Map();
  cci.logs.set(log, dump);
}
