import type { Faults } from './types.ts';

const UNRECORDED = 'refused: the journal cannot be written, and nothing is sent unrecorded';

export const resourceFaults = {
  descriptors: {
    title: 'Out of file descriptors',
    done: 'the limit of the running broker is lowered to six more than it has open, then twenty clients connect',
    sees: {
      over: { who: 'who connects beyond that', text: 'at once', socket: 'closed' },
      inside: { who: 'who comes when two of them have gone', status: 200 },
      after: { who: 'anybody, when the others have gone', status: 200 },
    },
    kept: 'everything: the journal has its file open already',
    recovers: 'by itself as soon as descriptors are free',
    figures: { refused: '# of 20 connections closed' },
    runs: 'plain',
  },
  'out-of-disk': {
    title: 'Out of disk',
    done: 'the state directory is a file system of 4 MiB that is filled to the last byte while clients work, then freed',
    sees: {
      refused: { who: 'everybody, reads too', status: 503, code: 'EIO', detail: UNRECORDED },
      ready: { who: '`/readyz`', status: 503 },
      health: { who: '`/healthz`', status: 200 },
      after: { who: 'anybody, when there is room again', status: 200 },
    },
    kept: 'everything that was promised; what the disk did not take was not sent. Taint A says that the journal was degraded',
    recovers: 'by itself: the journal tries again after 0.1 s, later after up to 10 s',
    figures: { backMs: 'served again # ms after there was room' },
    runs: 'plain',
    needs: 'root',
  },
  'slow-disk': {
    title: 'A slow disk',
    done: 'each write to the journal takes 700 ms',
    sees: {
      change: { who: 'who changes something', status: 200, text: 'later: its intent is on the disk before it is sent' },
      read: { who: 'who reads', status: 200, text: 'at once: reads are recorded behind the answer' },
      flood: { who: 'sixteen who read at once', status: 200 },
    },
    kept: 'everything; nothing is sent before its intent is on the disk, however long that takes',
    recovers: 'by itself',
    figures: { changeMs: 'a change takes # ms', readMs: 'a read # ms' },
    runs: 'plain',
  },
  memory: {
    title: 'A memory limit',
    done: 'the broker has 64 MiB for all its objects (`--max-old-space-size=64`); ten streams send 256 messages each at once, 120 requests bring bodies just under the limit',
    sees: {
      body: { who: 'who sends the bodies', status: 400, code: 'EPARAM' },
      after: { who: 'anybody afterwards', status: 200 },
    },
    kept: 'everything',
    recovers:
      'it never went: queues, bodies and buffers are bounded, and what does not fit is refused (CCI 0005h on streams)',
    figures: {
      memory: '# MiB resident at most',
      messages: '# messages answered',
      refused: '# of them refused for want of room',
    },
    runs: 'whole',
  },
  'memory-gone': {
    title: 'No memory at all',
    done: 'the same limit, and something in the broker takes all of it in the middle of a change',
    sees: {
      caller: { who: 'whose change was under way', socket: 'ECONNRESET', text: 'the process ends with SIGABRT' },
      next: { who: 'anybody, after the next start', status: 200 },
    },
    kept: 'every intent; the change under way has the outcome `unknown` after the next start',
    recovers: 'with the next start, by itself',
    runs: 'whole',
  },
} as const satisfies Faults;
