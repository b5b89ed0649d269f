import { RC } from '../../../cci/index.ts';
import { type Command, command, done, finished, refused } from '../command.ts';
import { lsaBytes, mediaOf, mediaRefusal } from '../media.ts';
import { readSparse, writeSparse } from '../sparse-memory.ts';

/** Capacities are counted in units of 256 MiB. */
const UNIT = 1n << 28n;

/** Command set 41h: Capacity Configuration and Label Storage. */
export const set41: readonly Command[] = [
  command('get-partition-info', ({ machine, target }) => {
    const media = mediaOf(machine, target);
    const next = media.nextVolatileBytes;
    return done({
      active_volatile_capacity: media.volatileBytes / UNIT,
      active_persistent_capacity: (media.capacityBytes - media.volatileBytes) / UNIT,
      // Zeros where no change waits for a reset.
      next_volatile_capacity: (next ?? 0n) / UNIT,
      next_persistent_capacity: next === null ? 0n : (media.capacityBytes - next) / UNIT,
    });
  }),

  command('set-partition-info', ({ machine, target }, { volatile_capacity, flags }) => {
    const media = mediaOf(machine, target);
    const refusal = mediaRefusal(target);
    if (refusal !== undefined) return refused(refusal);
    if (volatile_capacity > media.capacityBytes / UNIT) return refused(RC.invalidInput);
    if (flags) {
      media.volatileBytes = volatile_capacity * UNIT;
      media.nextVolatileBytes = null;
    } else media.nextVolatileBytes = volatile_capacity * UNIT;
    return finished();
  }),

  command('get-lsa', (context, { offset, length }) => {
    const media = mediaOf(context.machine, context.target);
    if (media.security.locked) return refused(INVALID_SECURITY_STATE);
    if (offset + length > lsaBytes(context.machine, context.target)) return refused(RC.invalidInput);
    if (length > context.budget) return refused(RC.invalidInput);
    return done({ data: readSparse(media.labels, BigInt(offset), length) });
  }),

  command('set-lsa', ({ machine, target }, { offset, data }) => {
    const media = mediaOf(machine, target);
    if (media.security.locked) return refused(INVALID_SECURITY_STATE);
    if (offset + data.length > lsaBytes(machine, target)) return refused(RC.invalidInput);
    writeSparse(media.labels, BigInt(offset), data);
    return finished();
  }),
];

const INVALID_SECURITY_STATE = 0x0013;
