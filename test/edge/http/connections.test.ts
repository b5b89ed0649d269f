import { connect } from 'node:net';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { CoreApi } from '../../../src/broker/core-api.ts';
import { createHttpEdge, type HttpEdge, type HttpEdgeOptions } from '../../../src/edge/index.ts';
import { answered, fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';

let edge: HttpEdge | undefined;
let port = 0;
let url = '';

afterEach(() => edge?.close());

async function start(replace: Partial<CoreApi> = {}, options: HttpEdgeOptions = {}): Promise<void> {
  edge = createHttpEdge(fakeCore(replace), { ...options, limits: { shutdownMs: 500, ...options.limits } });
  ({ port, url } = await edge.listen('127.0.0.1', 0));
}

/** Sends bytes and gives everything that came back until the peer ended. */
function exchange(...parts: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Uint8Array[] = [];
    socket.on('data', (chunk) => void chunks.push(Buffer.from(chunk)));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.on('error', () => undefined);
    for (const part of parts) socket.write(part);
  });
}

const post = (body: string, more = '') =>
  `POST /v1/switches/sw0/commands HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${GOOD_TOKEN}\r\n` +
  `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n${more}\r\n${body}`;

describe('bytes that are no request', () => {
  it.each([
    ['noise', Buffer.from('\x00\x01\x02garbage\r\n\r\n', 'latin1'), 400],
    ['a header without an end of line', 'GET / HTTP/1.1\r\nhost x\r\n\r\n', 400],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 400],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['headers over the limit', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['a method that there is not', 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n', 400],
  ])('%s', async (_what, bytes, status) => {
    await start();
    const answer = await exchange(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('application/problem+json');
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))).toMatchObject({ code: 'EPARAM', status });
  });

  it('a second Authorization header makes neither count', async () => {
    await start();
    const answer = await exchange(post('{"command":"identify"}', 'authorization: Bearer other\r\n'));
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
  });

  it('a body shorter than promised is refused when time is up', async () => {
    await start({}, { limits: { requestTimeoutMs: 300, headersTimeoutMs: 200 } });
    const before = performance.now();
    const answer = await exchange(
      `POST /v1/switches/sw0/commands HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{`,
    );
    expect(answer === '' || answer.startsWith('HTTP/1.1 408 ')).toBe(true);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it('headers that never end are refused when time is up', async () => {
    await start({}, { limits: { requestTimeoutMs: 400, headersTimeoutMs: 200 } });
    const answer = await exchange('GET /healthz HTTP/1.1\r\nhost: x\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
  });

  it('an ordinary request on a socket works', async () => {
    await start();
    expect(await exchange(post('{"command":"identify"}'))).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe('shutdown', () => {
  it('finishes the request in flight, refuses new ones with 503, and then lets nobody in', async () => {
    let finish = (): void => undefined;
    let entered = (): void => undefined;
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    await start(
      {
        submit: () => {
          entered();
          return new Promise((resolve) => {
            finish = () => resolve(answered());
          });
        },
      },
      { limits: { shutdownMs: 5000 } },
    );
    const running = exchange(post('{"command":"identify"}'));
    await inside;
    const closing = edge?.close();
    const fresh = await fetch(`${url}/v1/whoami`);
    expect(fresh.status).toBe(503);
    expect(await fresh.json()).toMatchObject({ code: 'EIO', detail: 'the broker is shutting down' });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    finish();
    expect(await running).toMatch(/^HTTP\/1.1 200 /);
    await closing;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('is bounded in time when a request does not end', async () => {
    const inside = Promise.withResolvers<void>();
    const submit = () => new Promise<never>(() => inside.resolve());
    await start({ submit }, { limits: { shutdownMs: 150 } });
    const running = exchange(post('{"command":"identify"}'));
    await inside.promise;
    const before = performance.now();
    await edge?.close();
    expect(performance.now() - before).toBeLessThan(8000);
    expect(await running).toBe('');
  });

  it('does not wait for a client that went away', async () => {
    const inside = Promise.withResolvers<void>();
    const submit = () => new Promise<never>(() => inside.resolve());
    await start({ submit }, { limits: { shutdownMs: 15_000 } });
    const socket = connect(port, '127.0.0.1');
    socket.write(post('{"command":"identify"}'));
    await inside.promise;
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = performance.now();
    await edge?.close();
    expect(performance.now() - before).toBeLessThan(8000);
  });
});

describe('the log', () => {
  it('has one line per request, and never a token, a URL, a header or a body', async () => {
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const log = pino({ level: 'trace' }, sink);
    const failing = fakeCore({
      taint: async () => Promise.reject(Object.assign(new Error('in SECRET-MESSAGE'), { statusCode: 500 })),
    });
    edge = createHttpEdge(failing, { log, limits: { shutdownMs: 200 } });
    ({ url, port } = await edge.listen('127.0.0.1', 0));
    const token = 'SECRET-TOKEN.a.b';
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ raw: { opcode: 1, payload: 'c0ffeec0ffee' } });
    await fetch(`${url}/v1/switches/sw0/commands`, { method: 'POST', headers, body });
    await fetch(`${url}/v1/switches/sw0/commands`, { method: 'POST', headers, body: `{"SECRET-BODY` });
    await fetch(`${url}/v1/whoami?access_token=${token}`, { headers });
    await fetch(`${url}/SECRET-PATH`, { headers });
    expect((await fetch(`${url}/v1/taint`, { headers })).status).toBe(500);
    await exchange(`GET /v1/whoami HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nbad header\r\n\r\n`);
    const ofRequests = () => lines.filter((line) => line.includes('"msg":"request"'));
    await expect.poll(() => ofRequests().length).toBeGreaterThanOrEqual(5);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const text = lines.join('');
    expect(ofRequests().length).toBe(5);
    expect(text).toContain('"route":"/v1/switches/:switch/commands"');
    expect(text).toContain('"msg":"request failed inside"');
    expect(text).not.toMatch(/SECRET|c0ffeec0ffee|access_token/);
  });
});
