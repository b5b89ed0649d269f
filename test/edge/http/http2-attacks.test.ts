import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpEdge, type HttpEdge, type HttpEdgeOptions } from '../../../src/edge/index.ts';
import { authority } from '../../support/certificates.ts';
import { answered, type FakeCore, fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';
import {
  block,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  type RawHttp2,
  rawHttp2,
  request,
} from '../../support/http2-frames.ts';

const ca = authority();
const server = ca.issue();
const ENHANCE_YOUR_CALM = 11;
const REFUSED_STREAM = 7;
const whoami = request('/v1/whoami', [['authorization', `Bearer ${GOOD_TOKEN}`]]);
const post = (length: number) =>
  request(
    '/v1/switches/sw0/commands',
    [
      ['authorization', `Bearer ${GOOD_TOKEN}`],
      ['content-type', 'application/json'],
      ['content-length', String(length)],
    ],
    'POST',
  );

let edge: HttpEdge | undefined;
let core: FakeCore;
let port = 0;

async function start(limits: HttpEdgeOptions['limits'] = {}, replace: Parameters<typeof fakeCore>[0] = {}) {
  core = fakeCore(replace);
  const tls = { material: server, clientCertificates: 'none' } as const;
  edge = createHttpEdge(core, { tls, limits: { shutdownMs: 200, ...limits } });
  ({ port } = await edge.listen('127.0.0.1', 0));
}

const raw = (settings?: Uint8Array): Promise<RawHttp2> => rawHttp2(port, ca.certificate, settings);

/** Whoever comes with good manners is served, on a connection of his own. */
async function isServing(): Promise<boolean> {
  const client = await raw();
  await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, whoami));
  await until(() => client.received.some(({ type, stream }) => type === FRAME.data && stream === 1));
  client.socket.destroy();
  return true;
}

async function until(holds: () => boolean, ms = 20_000): Promise<void> {
  const end = performance.now() + ms;
  while (!holds()) {
    if (performance.now() > end) throw new Error('it did not come');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Numbers below `most`, the same ones each time. */
function seeded(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

const metrics = async (): Promise<string> => (await edge?.inject('/metrics'))?.body ?? '';

afterEach(() => edge?.close());

describe('floods end the connection that they come on, and no other', () => {
  it('requests that are taken back at once (rapid reset)', async () => {
    await start({ http2Resets: 50 });
    const client = await raw();
    const cancel = Buffer.of(0, 0, 0, 8);
    for (let stream = 1; stream < 8000 && !client.socket.destroyed; stream += 2) {
      await client.send(
        frame(FRAME.headers, END_STREAM | END_HEADERS, stream, whoami),
        frame(FRAME.rstStream, 0, stream, cancel),
      );
    }
    await client.ended;
    expect(core.calls.length).toBeLessThan(400);
    expect(await isServing()).toBe(true);
  });

  it.each([
    [
      'a header that never ends (CONTINUATION)',
      (i: number) =>
        i === 0
          ? frame(FRAME.headers, 0, 1, whoami)
          : frame(FRAME.continuation, 0, 1, block([[`x${i}`, 'a'.repeat(100)]])),
    ],
    [
      'empty CONTINUATION frames',
      (i: number) => (i === 0 ? frame(FRAME.headers, 0, 1, whoami) : frame(FRAME.continuation, 0, 1)),
    ],
    ['PING', () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', () => frame(FRAME.settings, 0, 0, Buffer.of(0, 4, 0, 0, 0xff, 0xff))],
    [
      'resets of streams that there are not',
      (i: number) => frame(FRAME.rstStream, 0, 2 * i + 1, Buffer.of(0, 0, 0, 8)),
    ],
    ['window updates of nothing', () => frame(FRAME.windowUpdate, 0, 0, Buffer.of(0, 0, 0, 0))],
  ])('%s', async (_what, make) => {
    await start();
    const client = await raw();
    for (let i = 0; i < 2000 && !client.socket.destroyed; i++) await client.send(make(i));
    await client.ended;
    expect(core.calls).toEqual([]);
    expect(await isServing()).toBe(true);
  });

  it('what costs nothing to ignore leaves the others alone: PRIORITY, unknown frames', async () => {
    await start();
    const client = await raw();
    const priority = frame(FRAME.priority, 0, 1, Buffer.of(0, 0, 0, 3, 16));
    for (let i = 0; i < 50; i++) await client.send(...Array.from({ length: 100 }, () => priority), frame(0xee, 0, 0));
    expect(await isServing()).toBe(true);
    client.socket.destroy();
  });

  it('the flood of PING is counted', async () => {
    await start({ http2Control: 5 });
    const client = await raw();
    for (let i = 0; i < 50; i++) await client.send(frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
    await client.ended;
    // What was on its way to a client that goes on writing may be lost with the connection.
    expect([undefined, ENHANCE_YOUR_CALM]).toContain(client.goaway());
    expect(await metrics()).toContain('cci_edge_http2_ended_total{reason="control-flood"} 1');
  });

  it('bytes that are no HTTP/2 behind its ALPN', async () => {
    await start();
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: ca.certificate,
      ALPNProtocols: ['h2'],
      servername: 'localhost',
    });
    socket.on('error', () => undefined).resume();
    socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await isServing()).toBe(true);
  });
});

describe('noise', () => {
  it('in the handshake, as frames and as headers ends in nothing worse than a closed connection', async () => {
    await start();
    const random = seeded(20_26);
    const bytes = (most: number): Buffer => Buffer.from(Array.from({ length: random(most) }, () => random(256)));
    for (let i = 0; i < 60; i++) {
      const plain = connectTcp(port, '127.0.0.1');
      plain.on('error', () => undefined).resume();
      plain.end(bytes(300));
      const client = await raw(bytes(20));
      const frames = Array.from({ length: 1 + random(8) }, () => frame(random(12), random(256), random(6), bytes(80)));
      await client.send(...frames, bytes(60));
      client.socket.end();
      client.socket.destroy();
      plain.destroy();
    }
    expect(await isServing()).toBe(true);
  });
});

describe('limits of one request hold', () => {
  it('more headers than are allowed reach nobody', async () => {
    await start({ headerBytes: 2000 });
    const client = await raw();
    const large = request('/v1/whoami', [['x', 'a'.repeat(3000)]]);
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, large));
    await until(() => client.socket.destroyed || client.received.some(({ stream }) => stream === 1));
    client.socket.destroy();
    expect(core.calls).toEqual([]);
    expect(await isServing()).toBe(true);
  });

  it('a header that is small on the wire and large in memory (HPACK bomb)', async () => {
    await start();
    const client = await raw();
    const put = Buffer.concat([Buffer.of(0x40), block([['x', 'a'.repeat(3000)]]).subarray(1)]);
    // Index 62 is the first of the dynamic table: the same 3000 bytes again and again.
    const bomb = Buffer.concat([whoami, put, Buffer.alloc(5000, 0x80 | 62)]);
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, bomb));
    await until(() => client.socket.destroyed || client.received.some(({ stream }) => stream === 1));
    client.socket.destroy();
    expect(core.calls).toEqual([]);
    expect(await isServing()).toBe(true);
  });

  it.each([
    ['transfer-encoding', 'chunked'],
    ['connection', 'close'],
    ['Authorization', 'Bearer x'],
  ])('a header `%s: %j` that HTTP/2 does not have is refused', async (name, value) => {
    await start();
    const client = await raw();
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, request('/v1/whoami', [[name, value]])));
    await until(() => client.socket.destroyed || client.received.some(({ type }) => type === FRAME.rstStream));
    client.socket.destroy();
    expect(core.calls).toEqual([]);
  });

  it('a token with a line break in it is none', async () => {
    await start();
    const client = await raw();
    const broken = request('/v1/whoami', [['authorization', `Bearer ${GOOD_TOKEN}\r\nx: y`]]);
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, broken));
    await until(() => client.socket.destroyed || client.received.some(({ stream }) => stream === 1));
    client.socket.destroy();
    expect(core.calls.map(({ credential }) => credential?.token).join()).toBe('');
  });

  it('two Authorization headers make neither count', async () => {
    await start();
    const client = await raw();
    const twice = request('/v1/whoami', [
      ['authorization', `Bearer ${GOOD_TOKEN}`],
      ['authorization', 'Bearer other'],
    ]);
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, twice));
    await until(() => client.received.some(({ type }) => type === FRAME.data));
    client.socket.destroy();
    expect(core.calls.map(({ credential }) => credential?.token)).toEqual(['']);
  });

  it('a body that is too large, and one of another length than was said', async () => {
    await start({ bodyBytes: 1000 });
    const client = await raw();
    await client.send(
      frame(FRAME.headers, END_HEADERS, 1, post(2000)),
      frame(FRAME.data, END_STREAM, 1, Buffer.alloc(2000)),
    );
    await client.send(
      frame(FRAME.headers, END_HEADERS, 3, post(20)),
      frame(FRAME.data, END_STREAM, 3, Buffer.alloc(10)),
    );
    await until(
      () => client.received.some(({ stream }) => stream === 1) && client.received.some(({ stream }) => stream === 3),
    );
    client.socket.destroy();
    expect(core.calls).toEqual([]);
  });
});

describe('odd requests are answered or dropped, and never reach the core', () => {
  const head = (method: string, path: string, more: readonly (readonly [string, string])[] = []) =>
    block([[':method', method], [':scheme', 'https'], [':path', path], [':authority', 'localhost'], ...more]);
  it.each([
    ['a method that there is not', head('BREW', '/v1/whoami')],
    ['a method in small letters', head('get', '/v1/whoami')],
    ['OPTIONS of all', head('OPTIONS', '*')],
    ['TRACE', head('TRACE', '/v1/whoami')],
    ['a path without a slash', head('GET', 'v1/whoami')],
    ['a path that leads out', head('GET', '/../../etc/passwd')],
    ['a path with a bad escape', head('GET', '/v1/%zz')],
    ['an empty path', head('GET', '')],
    ['a path of 8000 characters', head('GET', `/${'a'.repeat(8000)}`)],
    [
      'no path',
      block([
        [':method', 'GET'],
        [':scheme', 'https'],
        [':authority', 'localhost'],
      ]),
    ],
    ['two paths', head('GET', '/v1/whoami', [[':path', '/v1/switches']])],
    ['a pseudo header of its own', head('GET', '/v1/whoami', [[':tenant', 'acme']])],
    ['an expectation', head('GET', '/v1/nothing', [['expect', 'miracles']])],
    [
      'a tunnel',
      block([
        [':method', 'CONNECT'],
        [':authority', '127.0.0.1:22'],
      ]),
    ],
    [
      'a WebSocket over HTTP/2',
      block([
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':scheme', 'https'],
        [':path', '/v1/switches/sw0/stream'],
        [':authority', 'localhost'],
        ['authorization', `Bearer ${GOOD_TOKEN}`],
      ]),
    ],
  ])('%s', async (_what, headers) => {
    await start();
    const client = await raw();
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, headers));
    await until(() => client.socket.destroyed || client.received.some(({ stream }) => stream === 1));
    client.socket.destroy();
    expect(core.calls).toEqual([]);
    expect(await isServing()).toBe(true);
  });
});

describe('requests at one time are bounded', () => {
  const slow = { whoami: () => new Promise<never>(() => undefined) };

  it('on one connection', async () => {
    await start({ http2Streams: 4 }, slow);
    const client = await raw();
    await until(() => client.received.length > 0);
    for (let stream = 1; stream <= 21; stream += 2) {
      await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, stream, whoami));
    }
    await until(() => client.socket.destroyed || client.received.some(({ type }) => type === FRAME.rstStream));
    client.socket.destroy();
    expect(core.calls.length).toBeLessThanOrEqual(4);
  });

  it('on all of them together', async () => {
    await start({ http2StreamsTotal: 3 }, slow);
    const clients = await Promise.all([raw(), raw()]);
    for (const client of clients) {
      await client.send(...[1, 3].map((stream) => frame(FRAME.headers, END_STREAM | END_HEADERS, stream, whoami)));
    }
    const refusals = () => clients.flatMap(({ received }) => received.filter(({ type }) => type === FRAME.rstStream));
    await until(() => refusals().length > 0);
    expect(refusals().map(({ payload }) => payload.readUInt32BE(0))).toEqual([REFUSED_STREAM]);
    expect(core.calls.length).toBe(3);
    for (const client of clients) client.socket.destroy();
    expect(await metrics()).toContain('cci_edge_http2_ended_total{reason="streams-full"} 1');
  });
});

describe('who is slow does not stay for ever', () => {
  it('in the handshake', async () => {
    await start({ headersTimeoutMs: 200 });
    const socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(Buffer.of(0x16, 3, 1));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(await metrics()).toContain('cci_edge_tls_refusals_total{reason="handshake-timeout"} 1');
  });

  it('in the headers, however often a byte comes', async () => {
    await start({ headersTimeoutMs: 600, keepAliveMs: 600 });
    const client = await raw();
    await client.send(frame(FRAME.headers, 0, 1, whoami));
    const trickle = setInterval(() => void client.send(Buffer.of(0)), 50);
    await client.ended;
    clearInterval(trickle);
    expect(core.calls).toEqual([]);
  });

  it('in the body: the answer is 408', async () => {
    await start({ requestTimeoutMs: 200 });
    const client = await raw();
    await client.send(frame(FRAME.headers, END_HEADERS, 1, post(20)), frame(FRAME.data, 0, 1, Buffer.from('{')));
    await until(() => client.received.some(({ type, stream }) => type === FRAME.data && stream === 1));
    const [answer] = client.received.filter(({ type, stream }) => type === FRAME.data && stream === 1);
    expect(JSON.parse(answer?.payload.toString() ?? '')).toMatchObject({ status: 408 });
    client.socket.destroy();
    expect(core.calls).toEqual([]);
  });

  it('with nothing to ask', async () => {
    await start({ keepAliveMs: 600 });
    const client = await raw();
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, whoami));
    await client.ended;
    expect(client.goaway()).toBe(0);
    expect(core.calls.length).toBe(1);
  });

  it('with the window shut before an answer', async () => {
    await start({ requestTimeoutMs: 200 });
    // SETTINGS_INITIAL_WINDOW_SIZE 0: nothing of any answer may be sent.
    const client = await raw(Buffer.of(0, 4, 0, 0, 0, 0));
    await client.send(frame(FRAME.headers, END_STREAM | END_HEADERS, 1, whoami));
    await until(() => client.received.some(({ type, stream }) => type === FRAME.rstStream && stream === 1));
    client.socket.destroy();
    expect(core.calls.length).toBe(1);
  });

  it('but a command that takes its time is waited for', async () => {
    await start(
      { requestTimeoutMs: 100 },
      {
        submit: async () => {
          await new Promise((resolve) => setTimeout(resolve, 500));
          return answered();
        },
      },
    );
    const client = await raw();
    const body = Buffer.from('{"command":"identify"}');
    await client.send(frame(FRAME.headers, END_HEADERS, 1, post(body.length)), frame(FRAME.data, END_STREAM, 1, body));
    await until(() => client.received.some(({ type, stream }) => type === FRAME.data && stream === 1));
    const [answer] = client.received.filter(({ type }) => type === FRAME.data);
    expect(JSON.parse(answer?.payload.toString() ?? '').returnCode).toBe(0);
    client.socket.destroy();
  });
});
