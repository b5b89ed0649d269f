import { afterEach, describe, expect, it } from 'vitest';
import { createHttpEdge, type HttpEdge } from '../../../src/edge/index.ts';
import { type FakeCore, fakeCore, GOOD_TOKEN, refused as refusedBy } from '../../support/fake-core.ts';

const STRANGER = '192.0.2.7';
const token = { authorization: `Bearer ${GOOD_TOKEN}` };

let edge: HttpEdge;
let core: FakeCore;

function make(replace: Parameters<typeof fakeCore>[0] = {}, options: Parameters<typeof createHttpEdge>[1] = {}): void {
  core = fakeCore(replace);
  edge = createHttpEdge(core, { limits: { shutdownMs: 200 }, ...options });
}

const ask = (url: string, remoteAddress: string, headers = {}) => edge.inject({ url, remoteAddress, headers });

afterEach(() => edge.close());

describe('without a token', () => {
  it.each([
    ['/healthz', 200, 404],
    ['/readyz', 200, 404],
    ['/metrics', 200, 401],
    ['/openapi.json', 200, 401],
    ['/v1/whoami', 401, 401],
    ['/nope', 404, 404],
  ])('%s answers this machine with %i and others with %i', async (url, here, elsewhere) => {
    make();
    for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) {
      expect((await ask(url, address)).statusCode).toBe(here);
    }
    for (const address of [STRANGER, '::ffff:192.0.2.7', '2001:db8::1', '10.0.0.1', '128.0.0.1']) {
      expect((await ask(url, address)).statusCode).toBe(elsewhere);
    }
  });

  it('a stranger cannot tell health from a route that is not there', async () => {
    make();
    const [health, nothing] = [await ask('/healthz', STRANGER), await ask('/healthy', STRANGER)];
    const without = (json: object) => ({ ...json, requestId: '' });
    expect(without(health.json())).toEqual(without(nothing.json()));
    expect(Object.keys(health.headers)).toEqual(Object.keys(nothing.headers));
  });
});

describe('a token that is refused', () => {
  const routes = [
    ['GET', '/v1/whoami'],
    ['GET', '/v1/switches'],
    ['GET', '/v1/posture'],
    ['GET', '/v1/switches/sw0/operations'],
    ['GET', '/v1/switches/sw0/events'],
    ['POST', '/v1/switches/sw0/commands'],
    ['POST', '/v1/switches/sw0/decisions'],
    ['GET', '/metrics'],
    ['GET', '/openapi.json'],
  ] as const;
  const refused = async (method: 'GET' | 'POST', url: string, token: string) => {
    const payload = method === 'POST' ? { payload: { command: 'identify' } } : {};
    const headers = { authorization: `Bearer ${token}` };
    const {
      statusCode,
      headers: said,
      body,
    } = await edge.inject({ method, url, remoteAddress: STRANGER, headers, ...payload });
    return { statusCode, headers: { ...said, date: '' }, body: body.replace(/"requestId":"[^"]*"/, '') };
  };

  it.each(routes)('%s %s is refused in the same words, whatever is wrong with it', async (method, url) => {
    make();
    // Another tenant, another subject, another signature: one answer of the core is one answer of the edge.
    const [one, ...others] = await Promise.all(
      ['e30.tenant.sig', 'e30.subject.sig', 'e30.good.forged'].map((token) => refused(method, url, token)),
    );
    expect(one?.statusCode).toBe(401);
    for (const other of others) expect(other).toEqual(one);
  });

  it('once too often is 429 with Retry-After, on every route', async () => {
    const often = async () => refusedBy('EAGAIN', { retryAfterMs: 2500 });
    const of = ['submit', 'decide', 'whoami', 'switches', 'posture', 'operations', 'events'] as const;
    make(Object.fromEntries(of.map((name) => [name, often])));
    for (const [method, url] of routes) {
      const { statusCode, headers } = await refused(method, url, 'x.y.z');
      expect([url, statusCode, (headers as { 'retry-after'?: string })['retry-after']]).toEqual([url, 429, '3']);
    }
  });
});

describe('with a token', () => {
  it('counters are for operators, the description for any caller', async () => {
    make();
    expect((await ask('/metrics', STRANGER, token)).statusCode).toBe(403);
    expect((await ask('/openapi.json', STRANGER, token)).statusCode).toBe(200);
    await edge.close();
    const tenant = fakeCore();
    make({
      whoami: async (shown) => {
        const seen = await tenant.whoami(shown);
        return seen.ok ? { ok: true, value: { ...seen.value, tenant: 'fabric' } } : seen;
      },
    });
    expect((await ask('/metrics', STRANGER, token)).statusCode).toBe(200);
    expect((await ask('/metrics', STRANGER)).statusCode).toBe(401);
  });
});

describe('the counters of other listeners', () => {
  it('stand in the same answer', async () => {
    make({ metrics: async () => 'a 1' }, { moreMetrics: async () => 'b 2' });
    const { body } = await ask('/metrics', '127.0.0.1');
    expect(body.startsWith('a 1\n')).toBe(true);
    expect(body.endsWith('b 2\n')).toBe(true);
  });
});

describe('the health listener', () => {
  it('says one word to anybody, and nothing else', async () => {
    let ready = true;
    make(
      { readiness: async () => ({ ready, checks: [{ name: 'switches', ok: ready, detail: 'sw0 away' }] }) },
      {
        health: { host: '127.0.0.1', port: 0 },
      },
    );
    const { health } = await edge.listen('127.0.0.1', 0);
    const get = async (path: string, method = 'GET') => {
      const answer = await fetch(`http://127.0.0.1:${health?.port}${path}`, { method });
      return `${answer.status} ${(await answer.text()).trim()}`;
    };
    expect(await get('/healthz')).toBe('200 ok');
    expect(await get('/readyz')).toBe('200 ready');
    expect(await get('/readyz', 'HEAD')).toBe('200 ');
    expect(await get('/metrics')).toBe('404 nothing here');
    expect(await get('/v1/whoami')).toBe('404 nothing here');
    expect(await get('/healthz?token=x')).toBe('404 nothing here');
    expect(await get('/healthz', 'POST')).toBe('405 GET only');
    ready = false;
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await get('/readyz')).toBe('503 not ready');
    await edge.close();
    await expect(get('/healthz')).rejects.toThrow();
  });

  it('says not ready where the core cannot say', async () => {
    const health = { host: '127.0.0.1', port: 0 };
    make({ readiness: () => Promise.reject(new Error('no core')) }, { health });
    const bound = await edge.listen('127.0.0.1', 0);
    expect((await fetch(`http://127.0.0.1:${bound.health?.port}/readyz`)).status).toBe(503);
  });
});
