import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { IssuerConfig } from '../../../src/broker/auth/index.ts';
import { bench, issuerOf, type JwkObject, makeKey, type TestKey, token } from './forge.ts';

const [k1, k2, k3] = [makeKey('EdDSA', 'k1'), makeKey('EdDSA', 'k2'), makeKey('EdDSA', 'k3')];

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
}

/** An issuer whose keys, answer and health the test sets. */
async function remote(changes: Partial<IssuerConfig> = {}) {
  const state = { keys: [k1.jwk] as JwkObject[], down: false, fetches: 0 };
  const url = await serve((_request, response) => {
    state.fetches++;
    response.statusCode = state.down ? 503 : 200;
    response.end(JSON.stringify({ keys: state.keys }));
  });
  const reports: string[] = [];
  const config = issuerOf([k1], {
    jwks_file: undefined,
    jwks_url: url,
    jwks_insecure_loopback: true,
    jwks_refresh_ms: 60_000,
    jwks_outage_ms: 300_000,
    jwks_cooldown_ms: 10_000,
    ...changes,
  });
  const { authenticator, clock } = await bench([config], { report: (text) => reports.push(text) });
  const code = async (key: TestKey, claimed: Record<string, unknown> = {}): Promise<string> => {
    const result = await authenticator.authenticate(token(key, claimed));
    return result.ok ? 'ok' : result.error.cause;
  };
  /** What becomes of a key once the refresh behind the caller's back is through. */
  const later = (key: TestKey, claimed?: Record<string, unknown>) => expect.poll(() => code(key, claimed));
  return { state, reports, authenticator, clock, code, later };
}

describe('keys behind a URL', () => {
  it('are fetched once and kept', async () => {
    const { state, code } = await remote();
    for (let i = 0; i < 20; i++) expect(await code(k1, { jti: `${i}` })).toBe('ok');
    expect(state.fetches).toBe(1);
  });

  it('are fetched again for a key id that is not among them, but not more often than the cooldown', async () => {
    const { state, clock, code } = await remote();
    clock.nowMs += 10_000;
    state.keys = [k1.jwk, k2.jwk];
    expect(await code(k2)).toBe('ok');
    expect(state.fetches).toBe(2);
    const flood = await Promise.all(Array.from({ length: 200 }, (_, i) => code(k3, { jti: `${i}` })));
    expect(new Set(flood)).toEqual(new Set(['unknown-key']));
    expect(state.fetches).toBe(2);
    clock.nowMs += 10_000;
    await Promise.all(Array.from({ length: 200 }, (_, i) => code(k3, { jti: `${i}` })));
    expect(state.fetches).toBe(3);
  });

  it('that were taken away no longer count, nor do tokens that they verified', async () => {
    const { state, clock, code, later, authenticator } = await remote();
    expect(await code(k1)).toBe('ok');
    state.keys = [k2.jwk];
    clock.nowMs += 60_000;
    expect(await code(k1)).toBe('ok');
    await later(k1).toBe('unknown-key');
    expect(await code(k2)).toBe('ok');
    expect(authenticator.stats.cached).toBe(1);
  });

  it('that were replaced under the same id no longer count', async () => {
    const { state, clock, code, later } = await remote();
    expect(await code(k1)).toBe('ok');
    const replaced = { ...k2, kid: 'k1', jwk: { ...k2.jwk, kid: 'k1' } };
    state.keys = [replaced.jwk];
    clock.nowMs += 60_000;
    await code(k1);
    await later(k1).toBe('signature');
    expect(await code(replaced)).toBe('ok');
  });

  it('go on working through an outage, and fail closed at its limit, cached tokens too', async () => {
    const { state, clock, code, reports } = await remote();
    expect(await code(k1)).toBe('ok');
    state.down = true;
    clock.nowMs += 299_999;
    expect(await code(k1)).toBe('ok');
    expect(await code(k1, { jti: 'new' })).toBe('ok');
    await expect.poll(() => reports.join()).toContain('status 503');
    clock.nowMs += 1;
    expect(await code(k1)).toBe('keys-unavailable');
    expect(await code(k1, { jti: 'new' })).toBe('keys-unavailable');
    state.down = false;
    clock.nowMs += 10_000;
    expect(await code(k1)).toBe('ok');
  });

  it('that were never had refuse tokens until they come', async () => {
    const config = issuerOf([k1], { jwks_file: undefined, jwks_url: 'https://idp.example/jwks' });
    let up = false;
    const fetch = async (): Promise<Response> => {
      if (!up) throw new Error('no route');
      return Response.json({ keys: [k1.jwk] });
    };
    const { authenticator, clock } = await bench([config], { fetch });
    const first = await authenticator.authenticate(token(k1));
    expect(first.ok || first.error.cause).toBe('keys-unavailable');
    up = true;
    expect((await authenticator.authenticate(token(k1))).ok).toBe(false);
    clock.nowMs += 30_000;
    expect((await authenticator.authenticate(token(k1))).ok).toBe(true);
  });

  it('do not live longer because the clock went back', async () => {
    const { state, clock, code, later } = await remote();
    expect(await code(k1, { exp: clock.nowMs / 1000 + 3600, iat: undefined })).toBe('ok');
    state.down = true;
    clock.nowMs -= 3_600_000;
    await code(k1, { exp: clock.nowMs / 1000 + 3600, iat: undefined });
    await later(k1, { exp: clock.nowMs / 1000 + 3600, iat: undefined }).toBe('keys-unavailable');
  });

  it('that are private, symmetric or damaged are left out and reported, the others are used', async () => {
    const { state, clock, code, reports } = await remote();
    state.keys = [
      { ...k3.privateKey.export({ format: 'jwk' }), kid: 'k3' },
      { kty: 'oct', k: 'AA' },
      { kty: 'OKP', crv: 'Ed25519', x: '!' },
      k2.jwk,
    ];
    clock.nowMs += 10_000;
    expect(await code(k2)).toBe('ok');
    expect(await code(k3)).toBe('unknown-key');
    expect(reports.join('\n')).toMatch(/key 0: a private key.*\n.*key 1: a symmetric key.*\n.*key 2: not a valid/);
  });

  it('that are meant for something else do not verify', async () => {
    const { state, clock, code } = await remote();
    for (const misfit of [
      { use: 'enc' },
      { key_ops: ['encrypt'] },
      { key_ops: 'verify' },
      { alg: 'ES256' },
      { alg: 7 },
    ]) {
      state.keys = [{ ...k2.jwk, ...misfit }];
      clock.nowMs += 10_000;
      expect(await code(k2)).toBe('unknown-key');
    }
    state.keys = [{ ...k2.jwk, use: 'sig', key_ops: ['verify'], alg: 'EdDSA' }];
    clock.nowMs += 10_000;
    expect(await code(k2)).toBe('ok');
  });

  it('verify a token without key id only where there is a single one', async () => {
    const { state, clock, authenticator } = await remote();
    const nameless = token(k1, {}, { kid: undefined });
    expect((await authenticator.authenticate(nameless)).ok).toBe(true);
    state.keys = [k1.jwk, k2.jwk];
    clock.nowMs += 10_000;
    await authenticator.reload();
    const ambiguous = await authenticator.authenticate(nameless);
    expect(ambiguous.ok || ambiguous.error.cause).toBe('unknown-key');
  });

  it('an empty set of keys is taken at its word', async () => {
    const { state, clock, code, later } = await remote();
    state.keys = [];
    clock.nowMs += 60_000;
    await code(k1);
    await later(k1).toBe('unknown-key');
  });

  it.each<[string, RequestListener]>([
    [
      'a redirect',
      (request, response) => {
        if (request.url === '/other') response.end(JSON.stringify({ keys: [k1.jwk] }));
        else response.writeHead(302, { location: '/other' }).end();
      },
    ],
    [
      'a body beyond the limit',
      (_, response) => response.end(JSON.stringify({ keys: [k1.jwk], x: 'y'.repeat(300_000) })),
    ],
    [
      'a compressed bomb',
      (_, response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(20_000_000, 32))),
    ],
    ['HTML', (_, response) => response.end('<html>')],
    ['a bare key', (_, response) => response.end(JSON.stringify(k1.jwk))],
    [
      'hundreds of keys',
      (_, response) => response.end(JSON.stringify({ keys: Array.from({ length: 100 }, () => k1.jwk) })),
    ],
    ['no answer', () => {}],
    ['a body without end', (_, response) => void response.write('{"keys":[')],
    ['a reset', (request) => request.socket.destroy()],
  ])('are not taken from %s', async (_what, listener) => {
    const url = await serve(listener);
    const reports: string[] = [];
    const loopback = { jwks_url: url, jwks_insecure_loopback: true } as const;
    const config = issuerOf([k1], { jwks_file: undefined, ...loopback, jwks_timeout_ms: 200 });
    const { authenticator } = await bench([config], { report: (text) => reports.push(text) });
    const result = await authenticator.authenticate(token(k1));
    expect(result.ok || result.error.cause).toBe('keys-unavailable');
    expect(reports).toHaveLength(1);
  });

  it('are not waited for longer than the limit, even of a fetch that does not heed its signal', async () => {
    const config = issuerOf([k1], { jwks_file: undefined, jwks_url: 'https://x/', jwks_timeout_ms: 100 });
    const startMs = performance.now();
    const { authenticator } = await bench([config], { fetch: () => new Promise(() => {}) });
    expect((await authenticator.authenticate(token(k1))).ok).toBe(false);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  it('survive a report that throws', async () => {
    const config = issuerOf([k1], { jwks_file: undefined, jwks_url: 'https://x/' });
    const report = (): never => {
      throw new Error('log is broken');
    };
    const { authenticator } = await bench([config], { fetch: async () => new Response('', { status: 500 }), report });
    expect((await authenticator.authenticate(token(k1))).ok).toBe(false);
  });
});
