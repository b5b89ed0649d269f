import { afterEach, describe, expect, test } from 'vitest';
import type { ConsoleHandlers, ConsoleSession } from '../../src/client/index.ts';
import { createClient } from '../../src/client/index.ts';
import { type FakeConsole, type FakeOptions, fakeConsole } from '../cli/console/fake-console.ts';
import { eventually } from '../support/eventually.ts';

let broker: FakeConsole;
let session: ConsoleSession | undefined;
let shown = '';
let told: string[] = [];

afterEach(async () => {
  session?.leave();
  await session?.ended.catch(() => undefined);
  session = undefined;
  await broker.close();
});

const wish = { program: 'vendor-tool', reason: 'case 4711', columns: 80, rows: 24 };

async function open(options: FakeOptions = {}, more: Partial<ConsoleHandlers> = {}): Promise<ConsoleSession> {
  broker = await fakeConsole(options);
  shown = '';
  told = [];
  const client = createClient({ url: broker.url, token: 'x' });
  session = await client.openConsole(wish, {
    onOutput: async (bytes) => {
      shown += Buffer.from(bytes).toString();
    },
    onOpened: ({ isBack }) => told.push(isBack ? 'back' : 'opened'),
    onAway: () => told.push('away'),
    onState: ({ state }) => told.push(state),
    onDrain: () => told.push('drain'),
    ...more,
  });
  return session;
}

const opened = () => eventually(() => told).toContain('opened');
const ofType = (type: string) => broker.heard.filter((one) => one.type === type);

test('output is acknowledged when it was shown, not before', async () => {
  let done: () => void = () => undefined;
  await open({}, { onOutput: () => new Promise((resolve) => (done = resolve)) });
  await opened();
  broker.output(0, Buffer.from('hello'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(ofType('ack')).toEqual([]);
  done();
  await eventually(() => ofType('ack')).toEqual([{ type: 'ack', offset: 5 }]);
});

test('what comes a second time after a lost connection is not shown a second time', async () => {
  await open();
  await opened();
  broker.output(0, Buffer.from('abc'));
  await eventually(() => shown).toBe('abc');
  broker.cut();
  await eventually(() => told).toContain('back');
  expect(ofType('resume')).toMatchObject([{ after: 3 }]);
  broker.output(0, Buffer.from('abcdef'));
  await eventually(() => shown).toBe('abcdef');
});

test('input that was not taken before the connection was lost is sent again, and no other', async () => {
  const one = await open();
  await opened();
  one.write(Buffer.from('taken'));
  await eventually(() => ofType('bytes')).toHaveLength(1);
  broker.refuse(true);
  broker.cut();
  await eventually(() => told).toContain('away');
  one.write(Buffer.from(' then'));
  one.write(Buffer.from(' more'));
  broker.refuse(false);
  await eventually(() =>
    ofType('bytes')
      .map(({ text }) => text)
      .join(''),
  ).toBe('taken then more');
});

test('much input waits: the caller is told to write no more, and when to go on', async () => {
  const one = await open();
  await opened();
  broker.refuse(true);
  broker.cut();
  await eventually(() => told).toContain('away');
  expect(one.write(new Uint8Array(10))).toBe(true);
  expect(one.write(new Uint8Array(64 << 10))).toBe(false);
  expect(told).not.toContain('drain');
  broker.refuse(false);
  await eventually(() => told).toContain('drain');
});

test('the end is told with its reason, and nothing after it', async () => {
  const one = await open();
  await opened();
  broker.output(0, Buffer.from('last words'));
  broker.send({ type: 'ended', why: 'time-limit', detail: 'its time was over', signal: 'SIGHUP' });
  expect(await one.ended).toEqual({
    session: '0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a',
    why: 'time-limit',
    detail: 'its time was over',
    signal: 'SIGHUP',
  });
  expect(shown).toBe('last words');
});

test('a size that changed before the session was open goes with the opening', async () => {
  const one = await open();
  one.resize(132, 50);
  await opened();
  const sizes = broker.heard.filter(({ type }) => type === 'open' || type === 'resize').at(-1);
  expect(sizes).toMatchObject({ columns: 132, rows: 50 });
});

describe('a broker is not believed', () => {
  test.each<[string, () => void]>([
    ['output that leaves bytes out', () => broker.output(7, Buffer.from('x'))],
    ['a message that is none', () => broker.send({ type: 'surprise' })],
    ['a message with a member of another type', () => broker.send({ type: 'ended', why: 1, detail: 'x' })],
    [
      'input that was never sent',
      () => broker.send({ type: 'state', state: 'running', columns: 1, rows: 1, watchers: 0, input_offset: 99 }),
    ],
    [
      'a negative offset of input',
      () => broker.send({ type: 'state', state: 'running', columns: 1, rows: 1, watchers: 0, input_offset: 0.5 }),
    ],
  ])('%s', async (_name, nonsense) => {
    const one = await open();
    await opened();
    nonsense();
    await expect(one.ended).rejects.toMatchObject({ code: 'EPROTOCOL' });
  });

  test('output before the session is open', async () => {
    const one = await open({ first: { type: 'waiting', request: 'r', digest: 'd', expires_at_ms: 1 } });
    await eventually(() => broker.heard).toHaveLength(1);
    broker.output(0, Buffer.from('x'));
    await expect(one.ended).rejects.toMatchObject({ code: 'EPROTOCOL' });
  });
});

test('a terminal that is gone ends it', async () => {
  const one = await open({}, { onOutput: () => Promise.reject(new Error('EIO')) });
  await opened();
  broker.output(0, Buffer.from('x'));
  await expect(one.ended).rejects.toThrow('EIO');
});

test('a broker that is not there is unreachable, at once', async () => {
  broker = await fakeConsole();
  broker.refuse(true);
  session = await createClient({ url: broker.url, token: 'x' }).openConsole(wish, { onOutput: async () => undefined });
  await expect(session.ended).rejects.toMatchObject({ code: 'EUNREACHABLE' });
});

test('leaving while the connection is lost takes no longer than that', async () => {
  const one = await open();
  await opened();
  broker.refuse(true);
  broker.cut();
  await eventually(() => told).toContain('away');
  one.leave();
  expect(await one.ended).toMatchObject({ why: 'left' });
});
