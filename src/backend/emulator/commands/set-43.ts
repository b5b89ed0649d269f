import { RC } from '../../../cci/index.ts';
import { startBackground } from '../background.ts';
import { type Command, command, done, finished, refused, room } from '../command.ts';
import { timestampOf } from '../events.ts';
import { capacityOf, INVALID_ADDRESS, inside, mediaOf, mediaRefusal, poisoned } from '../media.ts';
import type { MediaState } from '../media-state.ts';

const INJECT_LIMIT_REACHED = 0x0010;
/** Lines that may carry injected poison at once; 4000h says so. */
export const INJECT_LIMIT = 64;
const LINE = 64n;
const LIST_HEADER = 32;
const RECORD_SIZE = 16;

/** Command set 43h: Media and Poison Management. Addresses are device physical, in lines of 64 bytes. */
export const set43: readonly Command[] = [
  // The device remembers where a list was cut; the same range again goes on there unless a restart is asked for.
  command('get-poison-list', (context, { physical_address, physical_address_length }) => {
    const { machine, target } = context;
    const media = mediaOf(machine, target);
    const address = physical_address.physical_address_63_6 * LINE;
    const length = physical_address_length * LINE;
    if (!inside(capacityOf(machine, target), address, length)) return refused(INVALID_ADDRESS);
    const cursor = media.poisonCursor;
    const goesOn =
      cursor !== null && !physical_address.restart_request && cursor.address === address && cursor.length === length;
    const from = goesOn ? cursor.next : address;
    const lines = poisoned(media, from, address + length - from);
    const listed = lines.slice(0, room(context, LIST_HEADER, RECORD_SIZE));
    const rest = lines[listed.length];
    media.poisonCursor = rest === undefined ? null : { address, length, next: rest };
    return done({
      flags: {
        more_media_error_records: rest !== undefined,
        poison_list_overflow: media.poisonOverflow !== null,
        scan_media_in_progress: target.cci.background?.job.kind === 'scan',
        restart_acknowledged: physical_address.restart_request,
      },
      overflow_timestamp: media.poisonOverflow ?? 0n,
      media_error_records: listed.map((line) => record(media, line)),
    });
  }),

  command('inject-poison', ({ machine, target }, { physical_address }) => {
    const media = mediaOf(machine, target);
    const refusal = mediaRefusal(target);
    if (refusal !== undefined) return refused(refusal);
    if (physical_address.flags !== 0) return refused(RC.invalidInput);
    const address = physical_address.physical_address_63_6 * LINE;
    if (!inside(capacityOf(machine, target), address, LINE)) return refused(INVALID_ADDRESS);
    if (media.poison.has(address)) return finished();
    if (media.poison.size >= INJECT_LIMIT) {
      media.poisonOverflow ??= timestampOf(machine, target.cci);
      return refused(INJECT_LIMIT_REACHED);
    }
    media.poison.set(address, 'injected');
    return finished();
  }),

  command('clear-poison', ({ machine, target }, { physical_address }) => {
    const media = mediaOf(machine, target);
    const refusal = mediaRefusal(target);
    if (refusal !== undefined) return refused(refusal);
    if (physical_address.flags !== 0) return refused(RC.invalidInput);
    const address = physical_address.physical_address_63_6 * LINE;
    if (!inside(capacityOf(machine, target), address, LINE)) return refused(INVALID_ADDRESS);
    media.poison.delete(address);
    if (media.poison.size === 0) media.poisonOverflow = null;
    return finished();
  }),

  command('get-scan-media-capabilities', ({ machine, target }, { physical_address, physical_address_length }) => {
    if (physical_address.flags !== 0) return refused(RC.invalidInput);
    const address = physical_address.physical_address_63_6 * LINE;
    const length = physical_address_length * LINE;
    if (!inside(capacityOf(machine, target), address, length)) return refused(INVALID_ADDRESS);
    return done({ estimated_scan_media_time_ms: Math.ceil(machine.options.timing.scanMs) });
  }),

  command('scan-media', ({ machine, target }, request) => {
    mediaOf(machine, target);
    const refusal = mediaRefusal(target);
    if (refusal !== undefined) return refused(refusal);
    if (request.physical_address.flags !== 0) return refused(RC.invalidInput);
    const address = request.physical_address.physical_address_63_6 * LINE;
    const length = request.physical_address_length * LINE;
    if (length === 0n) return refused(RC.invalidInput);
    if (!inside(capacityOf(machine, target), address, length)) return refused(INVALID_ADDRESS);
    const job = { kind: 'scan', address, length, quiet: request.flags } as const;
    return refused(startBackground(machine, target.cci, 0x4304, machine.options.timing.scanMs, job));
  }),

  // Reading consumes: the next call goes on behind what this one gave.
  command('get-scan-media-results', (context) => {
    const media = mediaOf(context.machine, context.target);
    const { scan } = media;
    if (scan === null) return refused(RC.invalidInput);
    const listed = scan.records.slice(scan.next, scan.next + room(context, LIST_HEADER, RECORD_SIZE));
    scan.next += listed.length;
    return done({
      scan_media_restart_physical_address: { flags: 0, physical_address_63_6: scan.restart / LINE },
      scan_media_restart_physical_address_length: scan.restartLength / LINE,
      flags: { more_media_error_records: scan.next < scan.records.length, scan_stopped_prematurely: scan.stopped },
      media_error_records: listed.map((line) => record(media, line)),
    });
  }),
];

function record(media: MediaState, line: bigint) {
  return {
    media_error_address: { error_source: media.poison.get(line) ?? 'internal', address_63_6: line / LINE },
    media_error_length: 1,
  };
}
