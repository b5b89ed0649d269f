import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { get } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { CoreApi, Credential } from '../../../src/broker/core-api.ts';
import { encodeMessage } from '../../../src/cci/index.ts';
import { createHttpEdge, type HttpEdge, type HttpEdgeOptions, type HttpTls } from '../../../src/edge/index.ts';
import { authority, selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { type FakeCore, fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';

const ca = authority();
const server = ca.issue();
const clientCa = authority('clients');
const client = clientCa.issue({ name: 'client' });
const own = selfSigned({ name: 'own' });
const stale = clientCa.issue({ notAfter: new Date(Date.now() - 1000) });
const authorization = `Bearer ${GOOD_TOKEN}`;

let edge: HttpEdge;
let core: FakeCore;
let port = 0;
let url = '';

async function start(
  tls: Partial<HttpTls> = {},
  options: HttpEdgeOptions = {},
  replace: Partial<CoreApi> = {},
): Promise<void> {
  core = fakeCore(replace);
  edge = createHttpEdge(core, {
    ...options,
    tls: { material: server, clientCertificates: 'none', ...tls },
    limits: { shutdownMs: 500, ...options.limits },
  });
  ({ port, url } = await edge.listen('127.0.0.1', 0));
}

afterEach(() => edge.close());

type Shown = Pick<TestCertificate, 'certificate' | 'key'>;
const tlsOf = (shown?: Shown) => ({
  host: '127.0.0.1',
  port,
  ca: ca.certificate,
  ...(shown === undefined ? {} : { cert: shown.certificate, key: shown.key }),
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

function http1(path: string, headers: { [name: string]: string } = {}, shown?: Shown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // It would look for the name of the Host header, which some tests make up.
    const how = { servername: 'localhost', agent: false };
    const request = get({ ...tlsOf(shown), ...how, path, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += String(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject);
  });
}

function http2(path: string, headers: IncomingHttpHeaders = {}, shown?: Shown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url, tlsOf(shown));
    session.on('error', reject);
    const request = session.request({ ':path': path, ...headers });
    let [status, text] = [0, ''];
    request.on('response', (answer) => {
      status = Number(answer[':status']);
    });
    request.on('data', (chunk) => {
      text += String(chunk);
    });
    request.on('error', reject);
    request.on('end', () => {
      session.close();
      if (status === 0) reject(new Error('no answer'));
      resolve({ status, text });
    });
  });
}

describe.each([
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
] as const)('%s over TLS', (_name, ask) => {
  it('carries requests, problems and tokens as without TLS', async () => {
    await start();
    expect(JSON.parse((await ask('/v1/whoami', { authorization })).text).tenant).toBe('acme');
    expect((await ask('/v1/whoami')).status).toBe(401);
    expect((await ask('/nope')).status).toBe(404);
    expect((await ask('/healthz')).text).toBe('ok\n');
    expect(core.calls.every(({ credential }) => credential?.certificate === undefined)).toBe(true);
  });

  it('hands the core the thumbprint of the certificate that the client proved', async () => {
    await start({ clientCertificates: 'request' });
    await ask('/v1/whoami', { authorization }, own);
    await ask('/v1/whoami', { authorization });
    expect(core.calls.map(({ credential }) => credential?.certificate)).toEqual([own.thumbprint, undefined]);
    expect(core.calls[0]?.credential?.source).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it('with `require` lets nobody in who has none, and with an authority nobody whom it did not sign', async () => {
    await start({ clientCertificates: 'require', material: { ...server, clientCa: clientCa.certificate } });
    expect((await ask('/v1/whoami', { authorization }, client)).status).toBe(200);
    for (const shown of [undefined, own, stale]) {
      await expect(ask('/v1/whoami', { authorization }, shown)).rejects.toThrow();
    }
    expect(core.calls.map(({ credential }) => credential?.certificate)).toEqual([client.thumbprint]);
    const { body } = await edge.inject('/metrics');
    expect(body).toContain('cci_edge_tls_refusals_total{reason="no-certificate"} 1');
    expect(body).toContain('cci_edge_tls_refusals_total{reason="untrusted-certificate"}');
  });

  it('without an authority takes anybody’s own, but none out of its dates', async () => {
    await start({ clientCertificates: 'require' });
    expect((await ask('/v1/whoami', { authorization }, own)).status).toBe(200);
    await expect(ask('/v1/whoami', { authorization })).rejects.toThrow();
    await expect(ask('/v1/whoami', { authorization }, stale)).rejects.toThrow();
  });

  it('hands on a DPoP proof with the method and URL that it has to be made for', async () => {
    await start();
    const headers = { authorization: `DPoP ${GOOD_TOKEN}`, dpop: 'a.b.c' };
    await ask('/v1/switches/sw0/operations', headers);
    expect(core.calls[0]?.credential).toMatchObject({
      token: GOOD_TOKEN,
      scheme: 'dpop',
      proof: { jwt: 'a.b.c', method: 'GET', url: `https://127.0.0.1:${port}/v1/switches/sw0/operations` },
    });
  });

  it('believes no Host that its certificate is not for, and asks none where the configuration says it', async () => {
    await start();
    const headers = { authorization: `DPoP ${GOOD_TOKEN}`, dpop: 'a.b.c' };
    const elsewhere: { [name: string]: string } =
      ask === http1 ? { host: 'evil.example' } : { ':authority': 'evil.example' };
    await ask('/v1/whoami', { ...headers, ...elsewhere });
    expect(core.calls[0]?.credential?.proof?.url).toBe('');
    await edge.close();
    await start({}, { publicUrl: 'https://broker.example/cci/' });
    await ask('/v1/whoami', { ...headers, ...elsewhere });
    expect(core.calls[0]?.credential?.proof?.url).toBe('https://broker.example/cci/v1/whoami');
  });

  it('streams events, and ends them when the broker stops', async () => {
    await start({}, { limits: { eventHeartbeatMs: 50 } });
    const stream = ask('/v1/switches/sw0/events', { authorization, accept: 'text/event-stream' });
    await expect.poll(() => core.calls.filter(({ method }) => method === 'events').length).toBeGreaterThan(3);
    void edge.close();
    const { status, text } = await stream;
    expect(status).toBe(200);
    expect(text).toContain(': nothing new');
    expect(text).toContain('event: end');
  });
});

describe('the connection', () => {
  const handshake = (more: object): Promise<TLSSocket | Error> =>
    new Promise((resolve) => {
      const socket = connect({ ...tlsOf(), ...more });
      socket.once('secureConnect', () => resolve(socket));
      socket.once('error', resolve);
    });

  it('is TLS 1.3 or none', async () => {
    await start();
    const old = await handshake({ maxVersion: 'TLSv1.2' });
    expect(old).toBeInstanceOf(Error);
    const now = (await handshake({})) as TLSSocket;
    expect(now.getProtocol()).toBe('TLSv1.3');
    now.destroy();
  });

  it('is never taken up again: each one proves its keys anew', async () => {
    await start({ clientCertificates: 'request' });
    const socket = (await handshake({ cert: own.certificate, key: own.key })) as TLSSocket;
    const session = await new Promise<Buffer>((resolve) => socket.once('session', resolve));
    socket.destroy();
    const again = (await handshake({ session })) as TLSSocket;
    expect(again.isSessionReused()).toBe(false);
    again.destroy();
  });

  it('speaks what the client offers: h2, http/1.1, or http/1.1 where it offers nothing; nothing else', async () => {
    await start();
    const chosen: unknown[] = [];
    for (const ALPNProtocols of [['h2'], ['http/1.1'], ['h2', 'http/1.1'], undefined, ['spdy/1']]) {
      const socket = await handshake(ALPNProtocols === undefined ? {} : { ALPNProtocols });
      chosen.push(socket instanceof Error ? 'refused' : socket.alpnProtocol);
      if (!(socket instanceof Error)) socket.destroy();
    }
    expect(chosen).toEqual(['h2', 'http/1.1', 'h2', false, 'refused']);
  });

  it('without TLS on this port gets nothing', async () => {
    await start();
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });
});

describe('a WebSocket over TLS', () => {
  it('carries commands, each with the certificate of the connection', async () => {
    await start({ clientCertificates: 'request' });
    const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/switches/sw0/stream`, {
      ...tlsOf(own),
      headers: { authorization },
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    for (const tag of [1, 2]) {
      const reply = new Promise<Buffer>((resolve) => socket.once('message', (data) => resolve(data as Buffer)));
      const head = { category: 'request', background: false, returnCode: 0, vendorStatus: 0 } as const;
      socket.send(encodeMessage({ ...head, tag, opcode: 1, payload: new Uint8Array(0) }));
      expect((await reply)[1]).toBe(tag);
    }
    socket.terminate();
    const submits = core.calls.filter(({ method }) => method === 'submit');
    expect(submits.map(({ credential }) => credential?.certificate)).toEqual([own.thumbprint, own.thumbprint]);
  });

  it('is told over HTTP/2 to come over HTTP/1.1', async () => {
    await start();
    const { status, text } = await http2('/v1/switches/sw0/stream', { authorization });
    expect(status).toBe(426);
    expect(text).toContain('over HTTP/1.1');
  });
});

describe('a renewed certificate', () => {
  it('is shown to new connections, while old ones go on', async () => {
    await start();
    const session = connectHttp2(url, tlsOf());
    const ask = () =>
      new Promise<number>((resolve) => {
        const request = session.request({ ':path': '/v1/whoami', authorization });
        request.on('response', (headers) => resolve(Number(headers[':status'])));
        request.resume();
      });
    expect(await ask()).toBe(200);
    edge.renewCertificate(ca.issue({ name: 'renewed' }));
    expect(await ask()).toBe(200);
    session.close();
    const fresh = connect(tlsOf());
    await new Promise((resolve) => fresh.once('secureConnect', resolve));
    expect(fresh.getPeerCertificate().subject.CN).toBe('renewed');
    fresh.destroy();
  });

  it('that does not fit leaves the old one in force', async () => {
    await start();
    expect(() => edge.renewCertificate({ ...server, key: client.key })).toThrow('not that of the first certificate');
    expect((await http1('/healthz')).status).toBe(200);
    expect((await edge.inject('/metrics')).body).toMatch(/cci_edge_tls_not_after_timestamp_seconds \d{10}/);
  });
});

describe('a client that goes away', () => {
  it('takes back its command over HTTP/2 as well', async () => {
    await start({}, {}, { submit: () => new Promise<never>(() => undefined) });
    const session = connectHttp2(url, tlsOf());
    const request = session.request({
      ...{ ':path': '/v1/switches/sw0/commands', ':method': 'POST', 'content-type': 'application/json' },
      authorization,
    });
    request.on('error', () => undefined);
    request.end('{"command":"identify"}');
    while (core.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    request.close(8);
    while (core.calls.length === 1) await new Promise((resolve) => setTimeout(resolve, 5));
    session.destroy();
    const [submitted, cancelled] = core.calls;
    expect(cancelled?.method).toBe('cancel');
    expect(submitted?.arguments).toMatchObject([{ handle: cancelled?.arguments?.[0] }]);
  });
});

describe('stopping', () => {
  it('does not wait for whoever stays in the handshake', async () => {
    await start({}, { limits: { headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 } });
    const silent = connectTcp(port, '127.0.0.1');
    silent.on('error', () => undefined);
    await new Promise((resolve) => silent.once('connect', resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await edge.close();
    silent.destroy();
  });

  it('answers what is under way over HTTP/2, and refuses what comes behind it', async () => {
    let answer = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const good = fakeCore();
    const whoami = async (shown: Credential) => {
      await waiting;
      return good.whoami(shown);
    };
    await start({}, {}, { whoami });
    const under = http2('/v1/whoami', { authorization });
    while (core.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const closed = edge.close();
    const late = http2('/v1/switches', { authorization }).catch(() => ({ status: 503, text: '' }));
    setTimeout(answer, 50);
    expect((await under).status).toBe(200);
    expect((await late).status).toBe(503);
    await closed;
  });
});
