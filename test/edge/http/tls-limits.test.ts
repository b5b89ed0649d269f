import { connect } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createHttpEdge, type HttpEdge, type HttpEdgeOptions } from '../../../src/edge/index.ts';
import { authority } from '../../support/certificates.ts';
import { fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';

const ca = authority();
let edge: HttpEdge;
let port = 0;

async function start(limits: HttpEdgeOptions['limits']): Promise<void> {
  const tls = { material: ca.issue(), clientCertificates: 'none' } as const;
  edge = createHttpEdge(fakeCore(), { tls, limits: { shutdownMs: 200, ...limits } });
  ({ port } = await edge.listen('127.0.0.1', 0));
}

/** Sends bytes over TLS and gives everything that came back until the peer ended. */
function exchange(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, ca: ca.certificate, ALPNProtocols: ['http/1.1'] });
    let said = '';
    socket.on('data', (chunk) => {
      said += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(said));
    socket.once('secureConnect', () => socket.write(bytes));
  });
}

afterEach(() => edge.close());

describe('HTTP/1.1 over TLS has the limits that it has without', () => {
  it.each([
    ['noise', 'nothing of the kind\r\n\r\n', 400],
    ['headers over the limit', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'a body over the limit',
      `POST /v1/switches/sw0/commands HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${GOOD_TOKEN}\r\n` +
        `content-type: application/json\r\ncontent-length: 2000\r\nconnection: close\r\n\r\n${' '.repeat(2000)}`,
      413,
    ],
  ])('%s', async (_what, bytes, status) => {
    await start({ bodyBytes: 1000 });
    expect(await exchange(bytes)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('slow headers and slow bodies are given up', async () => {
    await start({ headersTimeoutMs: 150, requestTimeoutMs: 300 });
    const [headers, body] = await Promise.all([
      exchange('GET / HTTP/1.1\r\nhost: x\r\n'),
      exchange(
        'POST /v1/switches/sw0/commands HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
      ),
    ]);
    for (const answer of [headers, body]) expect(answer === '' || answer.startsWith('HTTP/1.1 408 ')).toBe(true);
  });

  it('connections at one time, handshakes among them', async () => {
    await start({ connections: 2 });
    const held = [0, 1].map(() => connect({ host: '127.0.0.1', port, ca: ca.certificate }));
    await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('secureConnect', resolve))));
    expect(await exchange('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')).toBe('');
    for (const socket of held) socket.destroy();
    await expect
      .poll(() => exchange('GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'))
      .toMatch(/^HTTP\/1.1 200 /);
  });
});
