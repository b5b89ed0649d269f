import { type Command, command, done, finished } from '../command.ts';
import { timestampOf } from '../events.ts';

/** Command set 03h: Timestamp. */
export const set03: readonly Command[] = [
  command('get-timestamp', ({ machine, target }) => done({ timestamp: timestampOf(machine, target.cci) })),

  command('set-timestamp', ({ machine, target }, { timestamp }) => {
    target.cci.timestamp = { valueNs: timestamp, setAtMs: machine.nowMs };
    return finished();
  }),
];
