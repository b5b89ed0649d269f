import { RC, readUint, writeUint, writeUint64 } from '../../../cci/index.ts';
import { startBackground } from '../background.ts';
import { type Command, command, done, finished, refused, room } from '../command.ts';
import { capacityOf, erase, INVALID_ADDRESS, inside, mediaOf, mediaRefusal } from '../media.ts';

/** Class and subclass of what 4402h can do: discovery, sanitize, write zeroes. */
const OPERATIONS = [
  [0, 0],
  [1, 0],
  [1, 1],
] as const;
const GRANULARITY = 64n;
const DISCOVERY_HEADER = 12;

/** Command set 44h: Sanitize and Media Operations. */
export const set44: readonly Command[] = [
  command('sanitize', ({ machine, target }) => {
    const refusal = securityRefusal(mediaRefusal(target));
    if (refusal !== undefined) return refused(refusal);
    return refused(
      startBackground(machine, target.cci, 0x4400, machine.options.timing.sanitizeMs, { kind: 'sanitize' }),
    );
  }),

  command('secure-erase', ({ machine, target }) => {
    const refusal = mediaRefusal(target);
    if (refusal !== undefined) return refused(refusal);
    erase(mediaOf(machine, target));
    return finished();
  }),

  command('media-operations', (context, request) => {
    const { machine, target } = context;
    const subclass = request.media_operation_subclass;
    const operands = request.operation_specific_arguments;
    if (request.media_operation_class === 'general') {
      if (subclass !== 0 || request.dpa_range_list.length > 0) return refused(RC.invalidInput);
      if (operands.length !== 4) return refused(RC.invalidPayloadLength);
      const start = readUint(operands, 0, 2);
      if (start > OPERATIONS.length) return refused(RC.invalidInput);
      const most = Math.min(readUint(operands, 2, 2), room(context, DISCOVERY_HEADER, 2));
      return done({ operation_specific_output: discovery(OPERATIONS.slice(start, start + most)) });
    }
    if (operands.length > 0) return refused(RC.invalidPayloadLength);
    if (subclass > 1 || request.dpa_range_list.length === 0) return refused(RC.invalidInput);
    const refusal = mediaRefusal(target);
    if (refusal !== undefined) return refused(refusal);
    const ranges = request.dpa_range_list.map((range) => ({ address: range.starting_dpa, length: range.length }));
    if (ranges.some((range) => range.length === 0n || (range.address | range.length) % GRANULARITY !== 0n)) {
      return refused(RC.invalidInput);
    }
    const capacity = capacityOf(machine, target);
    if (ranges.some((range) => !inside(capacity, range.address, range.length))) return refused(INVALID_ADDRESS);
    const job = { kind: 'media', subclass, ranges } as const;
    return refused(startBackground(machine, target.cci, 0x4402, machine.options.timing.sanitizeMs, job));
  }),
];

/** A second sanitize is Busy like any second operation, not Media Disabled. */
function securityRefusal(refusal: number | undefined): number | undefined {
  return refusal === 0x0007 ? RC.busy : refusal;
}

function discovery(listed: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(DISCOVERY_HEADER + 2 * listed.length);
  writeUint64(bytes, 0, GRANULARITY);
  writeUint(bytes, 8, 2, OPERATIONS.length);
  writeUint(bytes, 10, 2, listed.length);
  listed.forEach(([operation, subclass], i) => {
    bytes[DISCOVERY_HEADER + 2 * i] = operation;
    bytes[DISCOVERY_HEADER + 2 * i + 1] = subclass;
  });
  return bytes;
}
