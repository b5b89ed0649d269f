import type { Faults } from './types.ts';

export const timeFaults = {
  'clock-forward': {
    title: 'The clock jumps forward',
    done: 'the wall clock of the broker is put two hours forward while it serves, then right again',
    sees: {
      old: { who: 'who has a token of one hour', status: 401, code: 'EAUTH', detail: 'the token has expired' },
      long: { who: 'who has a token of six hours', status: 200 },
      ready: { who: '`/readyz`', status: 200 },
      right: { who: 'the first one, when the clock is right again', status: 200 },
    },
    kept: 'everything: records are ordered by number and chain, and say the time that the clock said',
    recovers: 'by itself when the clock is right. Time limits and turns use the monotonic clock and notice nothing',
    runs: 'plain',
  },
  'clock-backward': {
    title: 'The clock jumps backward',
    done: 'the wall clock of the broker is put two hours back while it serves, then right again',
    sees: {
      token: {
        who: 'everybody whose token was made after that',
        status: 401,
        code: 'EAUTH',
        detail: 'the token is not valid yet',
      },
      ready: { who: '`/readyz`', status: 200 },
      right: { who: 'the same, when the clock is right again', status: 200 },
    },
    kept: 'everything; the journal verifies although its times go back',
    recovers: 'by itself when the clock is right',
    runs: 'plain',
  },
  stall: {
    title: 'The event loop stalls',
    done: 'SIGSTOP to the broker in the middle of a change, SIGCONT after three seconds: longer than a command may take',
    sees: {
      during: { who: 'who asks meanwhile and waits for one second', socket: 'NO_ANSWER' },
      change: {
        who: 'whose change was at the device',
        status: 200,
        text: 'the answer came in time; it was the broker that was late',
      },
      waited: { who: 'who asks meanwhile and waits', status: 200 },
      after: { who: 'anybody afterwards', status: 200 },
    },
    kept: 'everything',
    recovers:
      'by itself. Where systemd watches (`WatchdogSec`), a stalled broker says nothing to it and is ended and started again after that time',
    figures: {
      changeMs: 'the change was answered after # ms',
      notes: 'told the service manager # times in 1.5 s before, never during',
    },
    runs: 'plain',
  },
  'stall-separate': {
    title: 'The core stalls, with an edge of its own',
    done: 'SIGSTOP to the core, SIGCONT later',
    sees: {
      health: { who: '`/healthz`, which asks for nothing but the edge', status: 200 },
      ready: { who: '`/readyz`, which asks the core', socket: 'NO_ANSWER' },
      waited: { who: 'who asks meanwhile and waits', status: 200 },
    },
    kept: 'everything',
    recovers: 'by itself',
    runs: 'whole',
  },
} as const satisfies Faults;
