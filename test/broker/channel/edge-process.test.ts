import { duplexPair, PassThrough } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, test, vi } from 'vitest';
import {
  type EdgeChild,
  EdgeProcess,
  type EdgeProcessSettings,
  EdgeStartError,
} from '../../../src/broker/channel/index.ts';
import { FrameReader, toCore, toEdge } from '../../../src/broker/channel/wire.ts';
import { frame } from '../../support/channel-pair.ts';
import { fakeCore } from '../../support/fake-core.ts';

/** A process that exists only here. */
class FakeChild {
  readonly output = new PassThrough();
  readonly far;
  readonly child: EdgeChild;
  killed = 0;
  readonly end: (code: number | null, signal: string | null) => void;

  constructor(pid: number) {
    const [near, far] = duplexPair();
    this.far = far;
    far.on('error', () => {});
    far.resume();
    const ended = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    this.end = (code, signal) => {
      far.destroy();
      ended.resolve({ code, signal });
    };
    this.child = {
      ...{ pid, channel: near, output: [this.output], ended: ended.promise },
      kill: () => {
        this.killed += 1;
        this.end(null, 'SIGKILL');
      },
    };
  }

  ready(said: unknown = {}): void {
    this.far.write(frame(5, 0, JSON.stringify(said)));
  }
}

function supervised(more: Partial<EdgeProcessSettings> = {}) {
  const children: FakeChild[] = [];
  const records: { [name: string]: unknown }[] = [];
  const counts: string[] = [];
  const lines: { [name: string]: unknown }[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const edge = new EdgeProcess({
    core: fakeCore(),
    accounts: {
      log,
      record: async (body, durable) => void records.push({ ...body, durable }),
      isUp: (isUp) => counts.push(isUp ? 'up' : 'down'),
      ended: (reason) => counts.push(reason),
      violated: (violation) => counts.push(`violated ${violation}`),
    },
    spawn: () => {
      const child = new FakeChild(100 + children.length);
      children.push(child);
      return child.child;
    },
    options: async (before) => ({ before }),
    onAsk: async () => '',
    pauseMs: [1, 4],
    ...more,
  });
  const child = async (n: number): Promise<FakeChild> => {
    await vi.waitFor(() => expect(children.length).toBeGreaterThan(n), { timeout: 15_000, interval: 1 });
    const found = children[n];
    if (found === undefined) throw new Error('no child');
    return found;
  };
  return { edge, child, children, records, counts, lines };
}

describe('an edge that is a process of its own', () => {
  test('one that ends is recorded, counted, and followed by another', async () => {
    const { edge, child, records, counts } = supervised();
    const started = edge.start();
    (await child(0)).ready({ at: 'here' });
    expect(await started).toEqual({ at: 'here' });
    (await child(0)).end(null, 'SIGSEGV');
    (await child(1)).ready();
    await vi.waitFor(() => expect(edge.pid).toBe(101), { timeout: 15_000, interval: 1 });
    const stopped = edge.stop();
    (await child(1)).end(0, null);
    await stopped;
    expect(records).toEqual([
      { change: 'started', pid: 100, durable: false },
      { change: 'ended', pid: 100, reason: 'signal', signal: 'SIGSEGV', underWay: 0, durable: true },
      { change: 'started', pid: 101, durable: false },
      { change: 'ended', pid: 101, reason: 'asked', exitCode: 0, underWay: 0, durable: false },
    ]);
    expect(counts).toEqual(['up', 'down', 'signal', 'up', 'down', 'asked']);
  });

  test('one that sends what the table does not have is killed at once, and the journal says what it sent', async () => {
    const { edge, child, records, counts, lines } = supervised();
    const started = edge.start();
    (await child(0)).ready();
    await started;
    (await child(0)).far.write(frame(99, 1, 'x'));
    (await child(1)).ready();
    expect((await child(0)).killed).toBe(1);
    await vi.waitFor(() => expect(records).toHaveLength(3), { timeout: 15_000, interval: 1 });
    expect(records[1]).toMatchObject({ change: 'ended', reason: 'violation', violation: 'kind', durable: true });
    expect(counts).toContain('violated kind');
    expect(lines.some(({ level, msg }) => level === 50 && String(msg).includes('a kind of frame'))).toBe(true);
    const stopped = edge.stop();
    (await child(1)).end(0, null);
    await stopped;
  });

  test('one that made a forbidden system call is told apart from one that crashed', async () => {
    const { edge, child, records } = supervised();
    const started = edge.start();
    (await child(0)).ready();
    await started;
    (await child(0)).end(null, 'SIGSYS');
    (await child(1)).ready();
    await vi.waitFor(() => expect(records).toHaveLength(3), { timeout: 15_000, interval: 1 });
    expect(records[1]).toMatchObject({ reason: 'forbidden-call', signal: 'SIGSYS' });
    const stopped = edge.stop();
    (await child(1)).end(0, null);
    await stopped;
  });

  test('the next one is told what the first one said, so that it can listen at the same place', async () => {
    const told: unknown[] = [];
    const { edge, child } = supervised({ options: async (before) => ({ count: told.push(before) }) });
    const started = edge.start();
    (await child(0)).ready({ port: 4711 });
    await started;
    (await child(0)).end(1, null);
    await child(1);
    expect(told).toEqual([undefined, { port: 4711 }]);
    (await child(1)).ready();
    const stopped = edge.stop();
    (await child(1)).end(0, null);
    await stopped;
  });

  test('a first one that cannot start is an error with its last words, and no second is tried', async () => {
    const { edge, child, children, records } = supervised();
    const started = edge.start();
    const first = await child(0);
    first.output.write('the edge cannot be started: nobody cannot read it\n');
    await new Promise((done) => setImmediate(done));
    first.end(1, null);
    const error = await started.catch((one: unknown) => one);
    expect(error).toBeInstanceOf(EdgeStartError);
    expect(error).toMatchObject({ details: ['the edge cannot be started: nobody cannot read it'] });
    expect(records).toMatchObject([{ change: 'ended', reason: 'no-start', exitCode: 1 }]);
    expect(children).toHaveLength(1);
  });

  test('one that is never ready is given up', async () => {
    const { edge, child } = supervised({ readyMs: 5 });
    const started = edge.start();
    await expect(started).rejects.toThrow('ended before it was ready');
    expect((await child(0)).killed).toBeGreaterThan(0);
  });

  test('one that says what it should not when it is ready is ended', async () => {
    const { edge, child } = supervised({ onReady: () => Promise.reject(new Error('not confined')) });
    const started = edge.start();
    const fails = expect(started).rejects.toThrow('not confined');
    (await child(0)).ready();
    await fails;
    expect((await child(0)).killed).toBe(1);
  });

  test('later ones that fail are tried again, with longer pauses', async () => {
    const { edge, child, children } = supervised();
    const started = edge.start();
    (await child(0)).ready();
    await started;
    for (let i = 0; i < 5; i++) (await child(i)).end(1, null);
    (await child(5)).ready();
    await vi.waitFor(() => expect(edge.pid).toBe(105), { timeout: 15_000, interval: 1 });
    const stopped = edge.stop();
    (await child(5)).end(0, null);
    await stopped;
    expect(children).toHaveLength(6);
  });

  test('one that gives no sign of life is replaced, one that does is left alone', async () => {
    const { edge, child, records } = supervised({ pingMs: 3 });
    const started = edge.start();
    const first = await child(0);
    first.ready();
    await started;
    let answered = 0;
    const reader = new FrameReader(1 << 20);
    const answer = (chunk: Buffer): void => {
      reader.push(chunk, ({ kind, id }) => {
        if (kind === toEdge.ping) first.far.write(frame(toCore.pong, id, ''));
        if (kind === toEdge.ping) answered += 1;
        return true;
      });
    };
    first.far.on('data', answer);
    await vi.waitFor(() => expect(answered).toBeGreaterThan(8), { timeout: 15_000, interval: 1 });
    expect(first.killed).toBe(0);
    first.far.off('data', answer);
    first.far.resume();
    (await child(1)).ready();
    await vi.waitFor(() => expect(records).toHaveLength(3), { timeout: 15_000, interval: 1 });
    expect(records[1]).toMatchObject({ change: 'ended', reason: 'stalled' });
    const stopped = edge.stop();
    (await child(1)).end(0, null);
    await stopped;
  });

  test('one that does not end when it is asked is killed', async () => {
    const { edge, child } = supervised({ stopMs: 5 });
    const started = edge.start();
    (await child(0)).ready();
    await started;
    await edge.stop();
    expect((await child(0)).killed).toBe(1);
  });

  test('what it writes stands under a name of its own, in bounded lines and numbers', async () => {
    const { edge, child, lines } = supervised();
    const started = edge.start();
    const first = await child(0);
    first.ready();
    await started;
    first.output.write('{"level":50,"time":1,"pid":9,"msg":"hello","requestId":"forged"}\n');
    first.output.write('plain \u001b[31mtext\n');
    first.output.write(`${'x'.repeat(100_000)}\n`);
    first.output.write('noise\n'.repeat(1000));
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(99), { timeout: 15_000, interval: 1 });
    const said = lines.filter(({ msg }) => msg === 'the edge says');
    expect(said[0]).toMatchObject({ level: 50, edge: { msg: 'hello', requestId: 'forged' } });
    expect(said[0]).not.toHaveProperty('requestId');
    expect(said[1]).toMatchObject({ level: 40, edge: 'plain \u001b[31mtext' });
    expect(String(said[2]?.edge).length).toBe(4096);
    expect(said.length).toBeLessThanOrEqual(100);
    const stopped = edge.stop();
    first.end(0, null);
    await stopped;
  });

  test('a journal that cannot be written ends no edge', async () => {
    const { edge, child, lines } = supervised();
    Object.assign((edge as unknown as { settings: { accounts: object } }).settings.accounts, {
      record: () => Promise.reject(new Error('disk full')),
    });
    const started = edge.start();
    (await child(0)).ready();
    await started;
    expect(lines.some(({ msg }) => msg === 'the edge could not be recorded')).toBe(true);
    const stopped = edge.stop();
    (await child(0)).end(0, null);
    await stopped;
  });
});
