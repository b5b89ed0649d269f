import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { CommandAnswer, CoreApi, CoreResult } from '../../../src/broker/core-api.ts';
import { decodeResponseMessage, encodeMessage } from '../../../src/cci/index.ts';
import { createHttpEdge, type HttpEdge, type HttpLimits } from '../../../src/edge/index.ts';
import { answered, type FakeCore, fakeCore, GOOD_TOKEN, refused } from '../../support/fake-core.ts';

let edge: HttpEdge | undefined;
let core: FakeCore;
let url = '';
const sockets: WebSocket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await edge?.close();
});

async function start(replace: Partial<CoreApi> = {}, limits: Partial<HttpLimits> = {}): Promise<void> {
  core = fakeCore(replace);
  edge = createHttpEdge(core, { limits: { shutdownMs: 500, ...limits } });
  ({ url } = await edge.listen('127.0.0.1', 0));
}

interface Peer {
  readonly socket: WebSocket;
  readonly received: Buffer[];
  /** The next `count` messages after those that were taken before. */
  take(count: number): Promise<readonly Buffer[]>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

async function open(token = GOOD_TOKEN, name = 'sw0'): Promise<Peer> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/switches/${name}/stream`, {
    headers: token === '' ? {} : { authorization: `Bearer ${token}` },
  });
  sockets.push(socket);
  const received: Buffer[] = [];
  let taken = 0;
  socket.on('message', (data: Buffer) => void received.push(data));
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode))));
    socket.once('error', reject);
  });
  return {
    socket,
    received,
    closed,
    async take(count) {
      while (received.length < taken + count) await new Promise((resolve) => setTimeout(resolve, 2));
      taken += count;
      return received.slice(taken - count, taken);
    },
  };
}

function message(tag: number, opcode = 1, payload = new Uint8Array(0)): Uint8Array {
  const request = { category: 'request', background: false, returnCode: 0, vendorStatus: 0 } as const;
  return encodeMessage({ ...request, tag, opcode, payload });
}

function reply(bytes: Uint8Array | undefined) {
  const decoded = decodeResponseMessage(Uint8Array.from(bytes ?? []));
  if (!decoded.ok) throw new Error(decoded.error.message);
  const { tag, opcode, returnCode, payload } = decoded.value;
  return { tag, opcode, returnCode, payload };
}

/** Commands that are answered when the test says so. */
function held(): { submit: CoreApi['submit']; release: (n: number) => void } {
  const waiting: ((answer: CoreResult<CommandAnswer>) => void)[] = [];
  return {
    submit: () => new Promise((resolve) => waiting.push(resolve)),
    release: (n) => {
      for (const resolve of waiting.splice(0, n)) resolve(answered());
    },
  };
}

describe('upgrade', () => {
  it('is refused with 401 without a valid token, 404 for a switch that the caller does not see', async () => {
    await start();
    await expect(open('')).rejects.toThrow('401');
    await expect(open('bad')).rejects.toThrow('401');
    await expect(open(GOOD_TOKEN, 'sw9')).rejects.toThrow('404');
  });

  it('takes no token from the URL or from a subprotocol', async () => {
    await start();
    const target = `${url.replace('http', 'ws')}/v1/switches/sw0/stream`;
    for (const socket of [
      new WebSocket(`${target}?token=${GOOD_TOKEN}`),
      new WebSocket(target, `bearer.${GOOD_TOKEN}`),
    ]) {
      sockets.push(socket);
      const status = await new Promise((resolve) =>
        socket.once('unexpected-response', (_request, response) => resolve(response.statusCode)).on('error', () => 0),
      );
      expect([400, 401]).toContain(status);
    }
  });

  it('is refused on every other route, and a plain GET of the stream is told to upgrade', async () => {
    await start();
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/whoami`, {
      headers: { authorization: `Bearer ${GOOD_TOKEN}` },
    });
    sockets.push(socket);
    const status = await new Promise((resolve) =>
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode)).on('error', () => 0),
    );
    expect(status).toBe(400);
    const plain = await fetch(`${url}/v1/switches/sw0/stream`, { headers: { authorization: `Bearer ${GOOD_TOKEN}` } });
    expect(plain.status).toBe(426);
    expect(plain.headers.get('upgrade')).toBe('websocket');
  });

  it('is refused with 429 when as many streams are open as may be', async () => {
    await start({}, { streams: 1 });
    const first = await open();
    await expect(open()).rejects.toThrow('429');
    first.socket.close();
    await first.closed;
    await open();
  });
});

describe('messages', () => {
  it('go to the core with the credential each, and come back with their tag', async () => {
    await start();
    const peer = await open();
    peer.socket.send(message(7, 0x5100, Uint8Array.of(1, 2, 3)));
    const [answer] = await peer.take(1);
    expect(reply(answer)).toEqual({ tag: 7, opcode: 0x5100, returnCode: 0, payload: Uint8Array.of(1, 2, 3) });
    expect(core.calls.at(-1)).toMatchObject({
      method: 'submit',
      switch: 'sw0',
      credential: { token: GOOD_TOKEN },
      request: { kind: 'message', bytes: message(7, 0x5100, Uint8Array.of(1, 2, 3)) },
    });
  });

  it('are pipelined, and answered in the order in which they are done', async () => {
    const resolvers = new Map<number, (answer: CoreResult<CommandAnswer>) => void>();
    await start({
      submit: (_credential, _name, request) =>
        new Promise((resolve) => {
          if (request.kind === 'message') resolvers.set(request.bytes[1] ?? 0, resolve);
        }),
    });
    const peer = await open();
    for (const tag of [1, 2, 3]) peer.socket.send(message(tag));
    while (resolvers.size < 3) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const tag of [3, 1, 2]) {
      resolvers.get(tag)?.(answered());
      expect(reply((await peer.take(1))[0]).tag).toBe(tag);
    }
  });

  it('with a tag in flight are refused 0002h; with 255 under way, 0005h', async () => {
    const { submit, release } = held();
    await start({ submit });
    const peer = await open();
    peer.socket.send(message(9));
    peer.socket.send(message(9, 2));
    expect(reply((await peer.take(1))[0])).toMatchObject({ tag: 9, opcode: 2, returnCode: 2 });
    for (let tag = 0; tag < 256; tag++) if (tag !== 9 && tag !== 255) peer.socket.send(message(tag));
    peer.socket.send(message(255));
    expect(reply((await peer.take(1))[0])).toMatchObject({ tag: 255, returnCode: 5 });
    release(255);
    await peer.take(255);
    const before = core.calls.length;
    peer.socket.send(message(9));
    while (core.calls.length === before) await new Promise((resolve) => setTimeout(resolve, 2));
    release(1);
    expect(reply((await peer.take(1))[0])).toMatchObject({ tag: 9, returnCode: 0 });
  });

  it('that the core refuses come back with its return code', async () => {
    const own = message(4, 0x5201);
    let next: CoreResult<CommandAnswer> = refused('ENOTTY', { returnCode: 3 });
    await start({ submit: async () => next });
    const peer = await open();
    peer.socket.send(message(4, 0x5201));
    expect(reply((await peer.take(1))[0])).toMatchObject({ tag: 4, opcode: 0x5201, returnCode: 3 });
    next = refused('EPERM', { message: own });
    peer.socket.send(message(4));
    expect(Uint8Array.from((await peer.take(1))[0] ?? [])).toEqual(own);
  });

  it('end with the stream when the token is not valid any more', async () => {
    await start({ submit: async () => refused('EAUTH') });
    const peer = await open();
    peer.socket.send(message(1));
    expect(reply((await peer.take(1))[0])).toMatchObject({ returnCode: 2 });
    expect(await peer.closed).toEqual({ code: 4401, reason: 'the token is not valid any more' });
  });

  it('are answered 0004h when the core fails, and the stream lives on', async () => {
    let fail = true;
    await start({
      submit: async () => {
        if (fail) throw new Error('inside');
        return answered();
      },
    });
    const peer = await open();
    peer.socket.send(message(1));
    expect(reply((await peer.take(1))[0])).toMatchObject({ returnCode: 4 });
    fail = false;
    peer.socket.send(message(1));
    expect(reply((await peer.take(1))[0])).toMatchObject({ returnCode: 0 });
  });
});

describe('what is no message ends the stream', () => {
  it.each([
    ['a text frame', 'hello', 1003],
    ['a frame shorter than a header', new Uint8Array(11), 1007],
    ['an empty frame', new Uint8Array(0), 1007],
    ['a frame over the limit', new Uint8Array(4097), 1009],
  ])('%s', async (_what, frame, code) => {
    await start({}, { frameBytes: 4096 });
    const peer = await open();
    peer.socket.send(frame);
    expect((await peer.closed).code).toBe(code);
    expect(core.calls.filter(({ method }) => method === 'submit')).toEqual([]);
  });

  it('takes a frame of exactly the limit', async () => {
    await start({}, { frameBytes: 4096 });
    const peer = await open();
    peer.socket.send(message(1, 1, new Uint8Array(4096 - 12)));
    expect(reply((await peer.take(1))[0]).payload.length).toBe(4096 - 12);
  });
});

describe('slow and dead peers', () => {
  it('a reader that does not read gets no more of its requests read', async () => {
    const payload = new Uint8Array(60_000);
    let served = 0;
    await start(
      {
        submit: async (_credential, _name, request) => {
          served += 1;
          const tag = request.kind === 'message' ? (request.bytes[1] ?? 0) : 0;
          const response = { category: 'response', background: false, returnCode: 0, vendorStatus: 0 } as const;
          return answered({ message: encodeMessage({ ...response, tag, opcode: 1, payload }) });
        },
      },
      { streamBufferBytes: 200_000 },
    );
    const peer = await open();
    peer.socket.pause();
    const asked = 2000;
    for (let i = 0; i < asked; i++) peer.socket.send(message(i % 256));
    let before = -1;
    while (served !== before) {
      before = served;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(served).toBeLessThan(asked);
    peer.socket.resume();
    await peer.take(asked);
    expect(served).toBeLessThanOrEqual(asked);
  });

  it('a peer that answers no ping is dropped', async () => {
    await start({}, { streamPingMs: 30 });
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/switches/sw0/stream`, {
      headers: { authorization: `Bearer ${GOOD_TOKEN}` },
      autoPong: false,
    });
    sockets.push(socket);
    const code = await new Promise((resolve) => socket.once('close', resolve));
    expect(code).toBe(1006);
  });
});

describe('shutdown', () => {
  it('finishes what is under way, refuses what is new, then says that it goes', async () => {
    const { submit, release } = held();
    await start({ submit });
    const peer = await open();
    peer.socket.send(message(1));
    while (core.calls.every(({ method }) => method !== 'submit'))
      await new Promise((resolve) => setTimeout(resolve, 2));
    const closing = edge?.close();
    peer.socket.send(message(2));
    expect(reply((await peer.take(1))[0])).toMatchObject({ tag: 2, returnCode: 5 });
    release(1);
    expect(reply((await peer.take(1))[0])).toMatchObject({ tag: 1, returnCode: 0 });
    expect(await peer.closed).toEqual({ code: 1001, reason: 'the broker is shutting down' });
    await closing;
  });

  it('does not wait for ever', async () => {
    await start({ submit: held().submit }, { shutdownMs: 100 });
    const peer = await open();
    peer.socket.send(message(1));
    while (core.calls.every(({ method }) => method !== 'submit'))
      await new Promise((resolve) => setTimeout(resolve, 2));
    const before = performance.now();
    await edge?.close();
    expect(performance.now() - before).toBeLessThan(8000);
    expect((await peer.closed).code).toBe(1006);
  });
});
