import type { Moment } from '../preload.ts';
import type { Faults } from './types.ts';

/** One moment of a command at which the broker is killed, and what is left of the command. */
export interface KilledAt {
  /** The stage of the pipeline, in its order. */
  readonly stage: string;
  readonly at: Moment;
  /** It has reached the device by then. */
  readonly reached: boolean;
  /** What the journal says after the next start. `nothing`: no intent was durable. */
  readonly left: 'nothing' | 'unknown';
  readonly runs: 'plain' | 'whole';
}

export const killedAt: readonly KilledAt[] = [
  row('authenticate', 'authenticate', 'authenticate', 'after', false, 'nothing'),
  row('admit', 'admit', 'admit', 'after', false, 'nothing'),
  row('decode', 'decode', 'decode', 'after', false, 'nothing'),
  row('classify, resolve, decide', 'decide', 'decide', 'after', false, 'nothing'),
  { ...row('schedule: its turn has come', 'course', 'reached', 'after', false, 'nothing'), at: reached('turn') },
  row('record intent: before it is written', 'record', 'recordIntent', 'before', false, 'nothing'),
  row('record intent: it is on the disk', 'record', 'recordIntent', 'after', false, 'unknown', 'plain'),
  row('forward: before the device has it', 'device', 'execute', 'before', false, 'unknown'),
  row('forward: the device has executed it', 'device', 'execute', 'after', true, 'unknown', 'plain'),
  { ...row('verify: the reply is there', 'course', 'reached', 'after', true, 'unknown'), at: reached('answered') },
  row('filter: before the reply is filtered', 'reply', 'replyTo', 'before', true, 'unknown'),
  row('record outcome: before it is written', 'record', 'recordOutcome', 'before', true, 'unknown', 'plain'),
  row('reply: recorded, not yet on the disk, not yet told', 'record', 'recordOutcome', 'after', true, 'unknown'),
];

function row(
  stage: string,
  module: string,
  name: string,
  side: Moment['side'],
  isReached: boolean,
  left: KilledAt['left'],
  runs: KilledAt['runs'] = 'whole',
): KilledAt {
  return { stage, at: { module, name, side }, reached: isReached, left, runs };
}

function reached(last: string): Moment {
  return { module: 'course', name: 'reached', side: 'after', last };
}

export const processFaults = {
  'core-killed': {
    title: 'The core is killed in any stage of the pipeline',
    done: 'SIGKILL from inside, in the middle of a bind, at each moment of the second table; then the broker is started again',
    sees: {
      caller: { who: 'whose command it was', socket: 'ECONNRESET', text: 'without an answer' },
      next: { who: 'anybody, after the next start', status: 200 },
    },
    kept:
      'every intent that was on the disk; the next start gives each that is open the outcome `unknown`, and a command that ' +
      'reached the device always has one',
    recovers: 'with the next start, by itself; systemd makes it (`Restart=on-failure`)',
    figures: {
      moments: '# moments',
      startMs: 'from start to listening # ms at most',
    },
    runs: 'plain',
  },
  'core-killed-separate': {
    title: 'The core is killed under load, with an edge of its own',
    done: 'SIGKILL to the core while four clients bind, unbind and read; then it is started again',
    sees: {
      caller: { who: 'whose command was under way', socket: 'ECONNRESET', text: 'the edge ends with its core' },
      meanwhile: { who: 'everybody until it is started again', socket: 'ECONNREFUSED' },
      next: { who: 'anybody, after the next start', status: 200 },
    },
    kept: 'every intent; what was under way is `unknown`',
    recovers: 'with the next start, by itself',
    figures: { edgeMs: 'the edge is gone after # ms' },
    runs: 'whole',
  },
  'edge-killed': {
    title: 'The edge is killed under load',
    done: 'SIGKILL to the process of the listeners while four clients bind, unbind and read',
    sees: {
      caller: {
        who: 'whose request was under way',
        socket: 'ECONNRESET',
        text: 'without an answer',
      },
      again: { who: 'anybody, at the same address, once the next edge is there', status: 200 },
    },
    kept: 'what was sent is finished and recorded, `done`; what waited is `not-sent`; the end of the edge is a record of its own',
    recovers: 'by itself: the core starts another edge at the same address',
    figures: { backMs: 'served again after # ms' },
    runs: 'plain',
  },
} as const satisfies Faults;
