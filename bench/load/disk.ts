import { constants, openSync, rmSync, write } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

/** What the journal writes for a command that changes state, in bytes: its intent, and the outcome of the one before. */
const BYTES = 3072;

/**
 * The disk alone: a write as the journal makes it (append, `O_DSYNC`, from a thread), a moment between one and the next, as
 * there is between commands. @returns the median in microseconds
 */
export async function diskAlone(directory: string, count: number): Promise<number> {
  const path = join(directory, 'bare');
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_DSYNC;
  const file = openSync(path, flags, 0o600);
  const bytes = Buffer.alloc(BYTES, 'x');
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const begin = performance.now();
    await new Promise<void>((resolve, reject) =>
      write(file, bytes, 0, BYTES, null, (error) => (error === null ? resolve() : reject(error))),
    );
    times.push((performance.now() - begin) * 1000);
    await pause(1);
  }
  rmSync(path);
  return times.toSorted((a, b) => a - b)[count >> 1] ?? Number.NaN;
}
