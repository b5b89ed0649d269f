import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProblemCode } from '../../../src/broker/core-api.ts';
import { createHttpEdge, problemTable } from '../../../src/edge/index.ts';
import { answered, deviceError, type FakeCore, fakeCore, GOOD_TOKEN, refused } from '../../support/fake-core.ts';

const authorization = `Bearer ${GOOD_TOKEN}`;
const headers = { authorization };
const json = { authorization, 'content-type': 'application/json' };
let core: FakeCore = fakeCore();
let edge = createHttpEdge(core);

beforeEach(async () => {
  await edge.close();
  core = fakeCore();
  edge = createHttpEdge(core);
});
afterAll(() => edge.close());

const post = (url: string, body: unknown) =>
  edge.inject({ method: 'POST', url, headers: json, payload: typeof body === 'string' ? body : JSON.stringify(body) });

describe('POST /v1/switches/{switch}/commands', () => {
  it('hands a named command to the core as it came', async () => {
    const body = { command: 'bind-vppb', params: { vcs_id: 0, wide: '0xffffffffffffffff' }, via: 'port:3/ld:1' };
    const reply = await post('/v1/switches/sw0/commands', body);
    expect(reply.statusCode).toBe(200);
    expect(core.calls[0]).toMatchObject({
      method: 'submit',
      switch: 'sw0',
      credential: { token: GOOD_TOKEN },
      request: { kind: 'named', ...body },
    });
  });

  it.each([
    ['0xc010', 0xc010],
    ['0x1', 1],
    [49168, 0xc010],
  ])('takes a raw opcode as %s', async (opcode, meant) => {
    const reply = await post('/v1/switches/sw0/commands', { raw: { opcode, payload: '00Ff' }, via: 'port:3' });
    expect(reply.statusCode).toBe(200);
    expect(core.calls[0]?.request).toEqual({
      kind: 'raw',
      opcode: meant,
      payload: Uint8Array.of(0, 0xff),
      via: 'port:3',
    });
  });

  it('answers with exactly the members of the contract, bytes as hex', async () => {
    const full = answered({
      class: 'audited',
      returnCode: 1,
      returnCodeName: 'background-command-started',
      layers: [0, 1],
      background: { operation: 'op-1' },
      result: { list: [1] },
      payload: Uint8Array.of(0xab, 1),
      message: Uint8Array.of(1),
    });
    await edge.close();
    edge = createHttpEdge(fakeCore({ submit: async () => full }));
    expect((await post('/v1/switches/sw0/commands', { command: 'identify' })).json()).toEqual({
      requestId: 'req-1',
      class: 'audited',
      returnCode: 1,
      returnCodeName: 'background-command-started',
      vendorStatus: 0,
      layers: [0, 1],
      background: { operation: 'op-1' },
      result: { list: [1] },
      payload: 'ab01',
    });
  });

  it('does not make an HTTP error of an error code of the device: the call was completed', async () => {
    await edge.close();
    edge = createHttpEdge(fakeCore({ submit: async () => deviceError(6) }));
    const reply = await post('/v1/switches/sw0/commands', { command: 'identify' });
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toMatchObject({ returnCode: 6, returnCodeName: 'busy' });
  });
});

describe('what never reaches the core', () => {
  it.each([
    ['an unknown member', { command: 'identify', force: true }, 'force'],
    ['both shapes at once', { command: 'identify', raw: { opcode: 1 } }, 'command'],
    ['neither shape', { params: {} }, 'command'],
    ['a command that is no text', { command: 7 }, 'command'],
    ['parameters that are no object', { command: 'identify', params: [1] }, 'params'],
    ['a via that is no path', { command: 'identify', via: 'port:3/../../x' }, 'via'],
    ['opcode 0000h', { raw: { opcode: 0 } }, 'raw.opcode'],
    ['opcode 0000h as text', { raw: { opcode: '0x0000' } }, 'raw.opcode'],
    ['an opcode of 17 bits', { raw: { opcode: 65536 } }, 'raw.opcode'],
    ['an opcode as decimal text', { raw: { opcode: '1' } }, 'raw.opcode'],
    ['half a byte of payload', { raw: { opcode: 1, payload: '0' } }, 'raw.payload'],
    ['white space in a payload', { raw: { opcode: 1, payload: '00 00' } }, 'raw.payload'],
    ['an unknown member of raw', { raw: { opcode: 1, length: 4 } }, 'raw.length'],
  ])('%s', async (_what, body, field) => {
    const reply = await post('/v1/switches/sw0/commands', body);
    expect(reply.statusCode).toBe(400);
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(reply.json()).toMatchObject({ code: 'EPARAM', errno: 'EINVAL', status: 400, field });
    expect(core.calls).toEqual([]);
  });

  it.each([
    ['no body', ''],
    ['no JSON', '{"command":'],
    ['null', 'null'],
    ['a prototype', '{"command":"identify","__proto__":{"via":"port:1"}}'],
    ['a prototype further down', '{"command":"identify","params":{"a":{"__proto__":{}}}}'],
    ['a constructor', '{"command":"identify","params":{"constructor":{"prototype":{}}}}'],
    ['an escaped prototype', '{"command":"identify","\\u005f_proto__":{}}'],
    ['17 levels', `{"command":"identify","params":${'{"a":'.repeat(16)}1${'}'.repeat(16)}}`],
    ['a million brackets', '['.repeat(60_000)],
  ])('a body with %s', async (_what, body) => {
    const reply = await post('/v1/switches/sw0/commands', body);
    expect(reply.statusCode).toBe(400);
    expect(reply.json()).toMatchObject({ code: 'EPARAM' });
    expect(core.calls).toEqual([]);
  });

  it('a body that is not UTF-8', async () => {
    const payload = Buffer.from('{"command":"identif\xff"}', 'latin1');
    const reply = await edge.inject({ method: 'POST', url: '/v1/switches/sw0/commands', headers: json, payload });
    expect(reply.statusCode).toBe(400);
  });

  it('a body of another type, with 415', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/cbor', 'text/json']) {
      const reply = await edge.inject({
        method: 'POST',
        url: '/v1/switches/sw0/commands',
        headers: { ...headers, 'content-type': type },
        payload: '{"command":"identify"}',
      });
      expect(reply.statusCode).toBe(415);
      expect(reply.json().code).toBe('EPARAM');
    }
  });

  it('a body over the limit, with 413', async () => {
    const reply = await post('/v1/switches/sw0/commands', { raw: { opcode: 1, payload: '00'.repeat(40_000) } });
    expect(reply.statusCode).toBe(413);
    expect(reply.json()).toMatchObject({ code: 'EPARAM', status: 413 });
  });

  it('a query string: an ignored parameter could be one that was meant to hold the command back', async () => {
    const reply = await post('/v1/switches/sw0/commands?dry_run=true', { command: 'identify' });
    expect(reply.statusCode).toBe(400);
    expect(core.calls).toEqual([]);
  });

  it('another method or route, with 404', async () => {
    for (const [method, url] of [
      ['PUT', '/v1/switches/sw0/commands'],
      ['GET', '/v2/whoami'],
      ['GET', '/v1/whoami/'],
      ['GET', '/V1/whoami'],
      ['OPTIONS', '/v1/whoami'],
    ] as const) {
      const reply = await edge.inject({ method, url, headers });
      expect(reply.statusCode).toBe(404);
      expect(reply.json().code).toBe('ENOENT');
    }
  });
});

describe('the credential', () => {
  it.each([
    ['none', {}, ''],
    ['a bearer token', { authorization: 'Bearer a.b-c_d' }, 'a.b-c_d'],
    ['in lower case', { authorization: 'bearer a.b.c' }, 'a.b.c'],
    ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }, ''],
    ['a token with a space', { authorization: 'Bearer a b' }, ''],
    ['no token', { authorization: 'Bearer ' }, ''],
  ])('%s', async (_what, shown, token) => {
    await edge.inject({ url: '/v1/whoami', headers: shown });
    expect(core.calls[0]?.credential?.token).toBe(token);
    expect(core.calls[0]?.credential?.source).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});

describe('problems', () => {
  const expected: { readonly [C in ProblemCode]: number } = {
    EPERM: 403,
    ENOTTY: 404,
    EBUSY: 409,
    EINVAL: 400,
    ENOMEM: 400,
    EPARAM: 400,
    EAGAIN: 429,
    EIO: 503,
    ETIMEDOUT: 504,
    EAUTH: 401,
    ENOENT: 404,
    EINTERNAL: 500,
  };

  it.each(Object.keys(problemTable) as ProblemCode[])(
    '%s has its status, and says what the core said',
    async (code) => {
      await edge.close();
      const reasons = [{ step: 'grant', rule: 'grant', errno: code, text: 'no row allows it' }];
      edge = createHttpEdge(
        fakeCore({ submit: async () => refused(code, { reasons, field: 'a.b', retryAfterMs: 1500 }) }),
      );
      const reply = await post('/v1/switches/sw0/commands', { command: 'identify' });
      expect(reply.statusCode).toBe(expected[code]);
      expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(reply.json()).toMatchObject({
        type: `urn:switch-cci:problem:${code}`,
        status: expected[code],
        code,
        detail: `refused with ${code}`,
        requestId: 'req-1',
        returnCode: 2,
        reasons,
        field: 'a.b',
        retryAfterMs: 1500,
      });
      expect(reply.headers['retry-after']).toBe(code === 'EAGAIN' || code === 'EIO' ? '2' : undefined);
      expect(reply.headers['www-authenticate']).toBe(code === 'EAUTH' ? 'Bearer realm="switch-cci"' : undefined);
    },
  );

  it('a core that throws is an internal error that says nothing of what was thrown', async () => {
    await edge.close();
    edge = createHttpEdge(fakeCore({ whoami: async () => Promise.reject(new Error('secret of the inside')) }));
    const reply = await edge.inject({ url: '/v1/whoami', headers });
    expect(reply.statusCode).toBe(500);
    expect(reply.json()).toMatchObject({ code: 'EINTERNAL' });
    expect(reply.body).not.toContain('secret');
  });

  it('every answer forbids caches and content sniffing', async () => {
    for (const url of ['/v1/whoami', '/nope', '/healthz']) {
      const reply = await edge.inject({ url });
      expect(reply.headers['cache-control']).toBe('no-store');
      expect(reply.headers['x-content-type-options']).toBe('nosniff');
    }
  });
});

describe('views and posture', () => {
  it.each([
    ['/v1/whoami', 'whoami'],
    ['/v1/switches', 'switches'],
    ['/v1/switches/sw0/commands', 'commands'],
    ['/v1/switches/sw0/operations', 'operations'],
    ['/v1/posture', 'posture'],
    ['/v1/taint', 'taint'],
  ])('GET %s asks the core', async (url, method) => {
    expect((await edge.inject({ url, headers })).statusCode).toBe(200);
    expect(core.calls[0]?.method).toBe(method);
    expect((await edge.inject({ url })).statusCode).toBe(401);
  });

  it('GET /v1/switches/{s}/operations/{id} hands the id on, decoded', async () => {
    const reply = await edge.inject({ url: '/v1/switches/sw0/operations/a%2Fb', headers });
    expect(reply.statusCode).toBe(404);
    expect(core.calls[0]).toMatchObject({ method: 'operation', switch: 'sw0', arguments: ['a/b'] });
  });

  it('POST /v1/posture/lockdown takes a level and a reason, and needs both', async () => {
    await post('/v1/posture/lockdown', { level: 'integrity', reason: 'incident' });
    expect(core.calls[0]).toMatchObject({ method: 'raiseLockdown', arguments: ['integrity', 'incident'] });
    expect((await post('/v1/posture/lockdown', { level: 'integrity' })).json().field).toBe('reason');
    expect((await post('/v1/posture/lockdown', { level: 'total', reason: 'x' })).statusCode).toBe(400);
    expect((await post('/v1/posture/lockdown', { level: 'none', reason: '' })).statusCode).toBe(400);
  });

  it('POST /v1/policy/reload takes no body or an empty one', async () => {
    expect((await edge.inject({ method: 'POST', url: '/v1/policy/reload', headers })).statusCode).toBe(200);
    expect((await post('/v1/policy/reload', {})).json()).toEqual({ snapshot: 'abc', rules: 12 });
    expect((await post('/v1/policy/reload', { file: '/etc/passwd' })).json()).toMatchObject({ field: 'file' });
  });
});

describe('operations', () => {
  it('/healthz says that the process lives, whatever the core says', async () => {
    await edge.close();
    edge = createHttpEdge(fakeCore({ readiness: async () => ({ ready: false, checks: [] }) }));
    expect((await edge.inject('/healthz')).body).toBe('ok\n');
    const ready = await edge.inject('/readyz');
    expect(ready.statusCode).toBe(503);
    expect(ready.json().ready).toBe(false);
  });

  it('/readyz lists the checks of the core and its own', async () => {
    const reply = await edge.inject('/readyz');
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toEqual({
      ready: true,
      checks: [
        { name: 'journal', ok: true, detail: 'writable' },
        { name: 'edge', ok: true, detail: 'listening' },
      ],
    });
  });

  it('/metrics joins the counters of the core and of the edge, by route pattern', async () => {
    await edge.inject({ url: '/v1/switches/secret-name/commands', headers });
    await edge.inject('/nope/at/all');
    const { body } = await edge.inject('/metrics');
    expect(body).toContain('cci_fake 1\n');
    expect(body).toContain(
      'cci_edge_http_requests_total{method="GET",route="/v1/switches/:switch/commands",status="404"} 1',
    );
    expect(body).toContain('cci_edge_http_requests_total{method="GET",route="unmatched",status="404"} 1');
    expect(body).not.toContain('secret-name');
  });
});
