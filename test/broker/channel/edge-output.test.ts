import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { EdgeOutput } from '../../../src/broker/channel/edge-output.ts';

test('as many lines as in any other second are kept of the one in which it speaks first, whenever that begins', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const lines: { readonly [name: string]: unknown }[] = [];
    const stream = new PassThrough();
    new EdgeOutput(pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) })).read(stream);
    const says = async (count: number) => {
      stream.write('noise\n'.repeat(count));
      await new Promise((resolve) => setImmediate(resolve));
    };
    // Soon after the start of this process, and before a second of it has passed.
    vi.advanceTimersByTime(990 - performance.now());
    await says(150);
    vi.advanceTimersByTime(20);
    await says(150);
    expect(lines.length).toBe(100);
    vi.advanceTimersByTime(1000);
    await says(1);
    expect(lines.slice(100)).toMatchObject([{ msg: 'the edge said more than is kept', lines: 200 }, { edge: 'noise' }]);
  } finally {
    vi.useRealTimers();
  }
});
