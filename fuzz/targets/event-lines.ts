import { isDeepStrictEqual } from 'node:util';
import { BadLine, formatLine, type Line, parseLine } from '../../src/broker/events/lines.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { json } from '../support/text-mutators.ts';

const entry = {
  seq: 1,
  kind: 'record',
  log: 0,
  source: '',
  atNs: '5',
  handle: 1,
  deviceHandle: 2,
  bytes: '00ff',
  others: false,
};
const logs = Array.from({ length: 5 }, () => ({ overflow: 0, firstNs: '0', lastNs: '0', records: [] as unknown[] }));

export const target: Target = {
  name: 'event-lines',
  oracle: 'a line of the events file is refused as none of ours, or survives being written and read again',
  covers: ['src/broker/events/lines.ts', 'src/cci/bytes.ts'],
  kind: 'text',
  maxLength: 1200,
  seeds: () =>
    [
      { kind: 'head', epoch: 'e', key: 'k' },
      { kind: 'add', cci: '', log: 0, kept: [1, 'digest'], to: [['acme', entry]] },
      { kind: 'lost', to: [['acme', { ...entry, kind: 'overflow', lost: 3 }]] },
      { kind: 'done', cci: 'port:3', log: 4, handles: [1, 2] },
      { kind: 'clear', tenant: 'acme', log: 1, handles: [] },
      { kind: 'view', tenant: 'acme', limit: 9, offsetNs: '-5' },
      { kind: 'pending', cci: '', log: 2, kept: [[1, 'd']] },
      { kind: 'tenant', tenant: 'acme', lastSeq: 1, lastHandle: 1, feed: [entry], logs },
    ].map((line) => bytesOf(JSON.stringify(line))),
  mutators: [json, json],
  open: () => ({
    run(bytes) {
      let line: Line;
      try {
        line = parseLine(textOf(bytes));
      } catch (error) {
        demand(error instanceof BadLine, () => `not refused but failed: ${String(error)}`);
        return;
      }
      const again = parseLine(formatLine(line));
      demand(isDeepStrictEqual(again, line), () => `${formatLine(line)} is read as something else`);
    },
  }),
};
