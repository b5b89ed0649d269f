import { isDeepStrictEqual } from 'node:util';
import {
  decodeEventRecord,
  EVENT_RECORD_SIZE,
  encodeEventRecord,
  eventSubjects,
  eventTypeNames,
  eventTypes,
  uuidBytes,
} from '../../src/cci/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { hexOf } from '../support/input.ts';

export const target: Target = {
  name: 'event-record',
  oracle: 'a record that is read survives being written and read again, and is about the same objects then',
  covers: ['src/cci'],
  kind: 'bytes',
  maxLength: EVENT_RECORD_SIZE + 8,
  dictionary: eventTypeNames.map((name) => uuidBytes(eventTypes[name].uuid) ?? new Uint8Array(0)),
  seeds: () =>
    eventTypeNames.map((name) => {
      const record = new Uint8Array(EVENT_RECORD_SIZE);
      record.set(uuidBytes(eventTypes[name].uuid) ?? new Uint8Array(0));
      record[16] = EVENT_RECORD_SIZE;
      return record;
    }),
  mend(bytes) {
    const copy = new Uint8Array(EVENT_RECORD_SIZE);
    copy.set(bytes.subarray(0, EVENT_RECORD_SIZE));
    copy[16] = EVENT_RECORD_SIZE;
    return copy;
  },
  open: () => ({
    run(bytes) {
      const record = decodeEventRecord(bytes);
      if (!record.ok) return;
      demand(bytes.length === EVENT_RECORD_SIZE, `a record of ${bytes.length} bytes`);
      const written = encodeEventRecord(record.value);
      demand(written.ok && written.value.length === EVENT_RECORD_SIZE, () => `${hexOf(bytes)} cannot be written again`);
      const again = decodeEventRecord(written.value);
      demand(again.ok && isDeepStrictEqual(again.value, record.value), () => `${hexOf(bytes)} does not survive`);
      const subjects = eventSubjects(record.value);
      demand(isDeepStrictEqual(eventSubjects(again.value), subjects), () => `${hexOf(bytes)} is about something else`);
      for (const [what, id] of Object.entries(subjects)) {
        // The header's LD has 16 bits.
        const most = what === 'host' || what === 'ld' ? 0xffff : 0xff;
        demand(typeof id !== 'number' || (Number.isInteger(id) && id >= 0 && id <= most), `${what} ${id}`);
      }
    },
  }),
};
