import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { HttpLimits } from '../../../src/edge/http/options.ts';
import { createHttpEdge, type HttpEdge } from '../../../src/edge/index.ts';
import { eventually } from '../../support/eventually.ts';
import { answered, fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';

let edge: HttpEdge | undefined;
let port = 0;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await edge?.close();
});

async function start(limits: Partial<HttpLimits>, core = fakeCore()): Promise<void> {
  edge = createHttpEdge(core, { limits: { shutdownMs: 200, ...limits } });
  ({ port } = await edge.listen('127.0.0.1', 0));
}

/** A client that is let in and says nothing unless told to. */
async function client(bytes = ''): Promise<{ readonly socket: Socket; readonly got: () => string }> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let got = '';
  socket
    .on('error', () => undefined)
    .on('data', (data: Buffer) => {
      got += data.toString('latin1');
    });
  await once(socket, 'connect');
  socket.write(bytes);
  return { socket, got: () => got };
}

const get = 'GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n';

it('many who connect and ask for nothing shut nobody out: the longest idle one goes for each newcomer', async () => {
  await start({ connections: 16, keepAliveMs: 60_000 });
  const idle: { readonly socket: Socket }[] = [];
  for (let i = 0; i < 20; i++) idle.push(await client());
  await eventually(() => idle.filter(({ socket }) => socket.destroyed).length).toBe(5);
  expect(idle.slice(0, 5).every(({ socket }) => socket.destroyed)).toBe(true);
  const newcomer = await client(get);
  await eventually(newcomer.got).toContain('200 OK');
});

it('nor do many who never finish the body of a request', async () => {
  await start({ connections: 16, keepAliveMs: 60_000 });
  const head =
    `POST /v1/switches/sw0/commands HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${GOOD_TOKEN}\r\n` +
    'content-type: application/json\r\ncontent-length: 50\r\n\r\n{';
  const slow: { readonly socket: Socket }[] = [];
  for (let i = 0; i < 20; i++) slow.push(await client(head));
  await eventually(() => slow.filter(({ socket }) => socket.destroyed).length).toBe(5);
  const newcomer = await client(get);
  await eventually(newcomer.got).toContain('200 OK');
});

it('one whose request is under way, or who was answered lately, keeps his connection', async () => {
  let finish = (): void => undefined;
  const under = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const submit = async () => {
    await under;
    return answered();
  };
  await start({ connections: 16, keepAliveMs: 60_000 }, fakeCore({ submit }));
  const body = '{"command":"identify"}';
  const busy = await client(
    `POST /v1/switches/sw0/commands HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${GOOD_TOKEN}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const first = await client();
  const lately = await client(get);
  await eventually(lately.got).toContain('200 OK');
  for (let i = 0; i < 16; i++) await client();
  await eventually(() => first.socket.destroyed).toBe(true);
  expect(busy.socket.destroyed).toBe(false);
  finish();
  await eventually(busy.got).toContain('200 OK');
});

it('a stream is never idle, however little it says', async () => {
  await start({ connections: 16 });
  const stream = new WebSocket(`ws://127.0.0.1:${port}/v1/switches/sw0/stream`, {
    headers: { authorization: `Bearer ${GOOD_TOKEN}` },
  });
  await once(stream, 'open');
  const idle: { readonly socket: Socket }[] = [];
  for (let i = 0; i < 20; i++) idle.push(await client());
  await eventually(() => idle[4]?.socket.destroyed).toBe(true);
  expect(stream.readyState).toBe(WebSocket.OPEN);
  stream.terminate();
});

it('who is told that he was too slow and does not close is closed', async () => {
  await start({ headersTimeoutMs: 200, requestTimeoutMs: 400 });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  let got = '';
  socket
    .on('error', () => undefined)
    .on('data', (data: Buffer) => {
      got += data.toString('latin1');
    });
  await eventually(() => got).toContain('408');
  // His end stays open: only a reset tells that the other one is gone.
  await eventually(() => {
    if (!socket.destroyed) socket.write('x');
    return socket.destroyed;
  }).toBe(true);
});

it.each([
  ['gzip', gzipSync('{"command":"identify"}')],
  ['br', Buffer.from('{"command":"identify"}')],
  ['GZIP, identity', Buffer.from('{}')],
])('a body in %s is refused before it is read', async (coding, body) => {
  await start({});
  const answer = await edge?.inject({
    method: 'POST',
    url: '/v1/switches/sw0/commands',
    headers: { authorization: `Bearer ${GOOD_TOKEN}`, 'content-type': 'application/json', 'content-encoding': coding },
    body,
  });
  expect(answer?.statusCode).toBe(415);
  expect(answer?.json()).toMatchObject({
    code: 'EPARAM',
    detail: 'the body must not be compressed or otherwise encoded',
  });
});

it('`content-encoding: identity` is no encoding', async () => {
  await start({});
  const answer = await edge?.inject({
    method: 'POST',
    url: '/v1/switches/sw0/commands',
    headers: {
      authorization: `Bearer ${GOOD_TOKEN}`,
      'content-type': 'application/json',
      'content-encoding': 'identity',
    },
    body: '{"command":"identify"}',
  });
  expect(answer?.statusCode).toBe(200);
});
