import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { CoreChannel, channelBounds, coreMethods } from '../../../src/broker/channel/index.ts';
import type { CommandAnswer, CommandRequest, CoreApi, CoreResult } from '../../../src/broker/core-api.ts';
import { encodeMessage } from '../../../src/cci/index.ts';
import { CoreLink } from '../../../src/edge/process/index.ts';
import { type LinkedCore, linked } from '../../support/channel-pair.ts';
import { answered, fakeCore, GOOD_TOKEN, refused } from '../../support/fake-core.ts';

const credential = { token: GOOD_TOKEN, source: '127.0.0.1:40000' };
const message = (tag = 1, payload = new Uint8Array([1, 2, 3])) =>
  encodeMessage({
    ...{ category: 'request', tag, opcode: 0x5100, background: false },
    ...{ returnCode: 0, vendorStatus: 0, payload },
  });
const asMessage = (bytes = message()): CommandRequest => ({ kind: 'message', bytes });

let open: LinkedCore | undefined;
const link = (replace: Parameters<typeof fakeCore>[0] = {}) => {
  const core = fakeCore(replace);
  open = linked(core);
  return { ...open, core: open.link.core, behind: core };
};
afterEach(() => open?.close());

describe('what crosses the channel is what was said', () => {
  test('every call that needs no more than a token answers as without a channel', async () => {
    const { core, behind, violations } = link();
    const calls: readonly ((core: CoreApi) => Promise<unknown>)[] = [
      (api) => api.whoami(credential),
      (api) => api.whoami({ token: 'another', source: '::1:9' }),
      (api) => api.switches(credential),
      (api) => api.commands(credential, 'sw0'),
      (api) => api.commands(credential, 'nowhere'),
      (api) => api.operations(credential, 'sw0'),
      (api) => api.events(credential, 'sw0', { limit: 3, waitMs: 5 }),
      (api) => api.posture(credential),
      (api) => api.raiseLockdown(credential, 'integrity', 'a reason'),
      (api) => api.taint(credential),
      (api) => api.acknowledgeTaint(credential, 'R', '/switches/sw0', 'looked at'),
      (api) => api.topology(credential, 'sw0'),
      (api) => api.acceptTopology(credential, 'sw0', 'so be it'),
      (api) => api.reloadPolicy(credential),
      (api) => api.readiness(),
      (api) => api.metrics(),
      (api) => api.metrics(credential),
      (api) => api.decide(credential, 'sw0', { kind: 'named', command: 'identify', params: { a: [1, 'b', null] } }),
      (api) => api.decide(credential, 'sw0', { kind: 'raw', opcode: 0xc010, payload: new Uint8Array([0, 255]) }),
      (api) => api.submit(credential, 'sw0', asMessage()),
      (api) => api.submit(credential, 'sw0', { kind: 'named', command: 'identify-switch-device' }),
    ];
    for (const call of calls) expect(await call(core)).toEqual(await call(behind));
    expect(violations).toEqual([]);
  });

  test('what a listener says of the client reaches the core unchanged', async () => {
    const { core, behind } = link();
    const shown = {
      ...credential,
      scheme: 'dpop',
      certificate: 'A'.repeat(43),
      proof: { jwt: 'a.b.c', method: 'POST', url: 'https://broker/v1/switches/sw0/commands' },
    } as const;
    const request = { kind: 'raw', opcode: 1, payload: new Uint8Array([9, 8]), via: 'port:3' } as const;
    await core.submit(shown, 'sw0', request, { deadlineMs: 250 });
    await core.submit(shown, 'sw0', asMessage(), { deadlineMs: 251 });
    const [first, second] = behind.calls;
    expect(first).toMatchObject({ credential: shown, switch: 'sw0', request });
    expect(first?.arguments?.[0]).toMatchObject({ deadlineMs: 250 });
    expect(second).toMatchObject({ credential: shown, request: { kind: 'message', bytes: message() } });
    expect(second?.arguments?.[0]).toMatchObject({ deadlineMs: 251 });
  });

  test('any answer to a command comes back as the core gave it', async () => {
    const octets = fc.uint8Array({ maxLength: 300 });
    const answer = fc.record<CommandAnswer>(
      {
        requestId: fc.uuid(),
        class: fc.constantFrom('allowlisted', 'audited', 'raw'),
        returnCode: fc.integer({ min: 0, max: 0x20 }),
        returnCodeName: fc.constantFrom('success', 'busy', 'something of its own'),
        vendorStatus: fc.integer({ min: 0, max: 0xffff }),
        payload: octets,
        layers: fc.array(fc.nat(0xffff), { maxLength: 3 }),
        background: fc.record({ operation: fc.string() }),
        result: fc.json().map((text) => JSON.parse(text) as unknown),
        message: octets,
      },
      { requiredKeys: ['requestId', 'class', 'returnCode', 'returnCodeName', 'vendorStatus', 'payload'] },
    );
    await fc.assert(
      fc.asyncProperty(answer, fc.boolean(), async (value, isMessage) => {
        const { core } = link({ submit: async () => ({ ok: true, value }) });
        const request = isMessage ? asMessage() : ({ kind: 'named', command: 'identify' } as const);
        const got = await core.submit(credential, 'sw0', request);
        expect(got).toEqual({ ok: true, value });
        open?.close();
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  test('what a console says and is told comes through byte by byte, from whatever buffer', async () => {
    const output = Buffer.from([0, 255, 13, 10, 128]);
    const page = { ok: true, value: { offset: 0, output, change: 1, inputOffset: 0 } } as never;
    const heard: unknown[] = [];
    const { core, violations } = link({
      consoleRead: async () => page,
      consoleWrite: async (_credential, _name, input) => {
        heard.push(input);
        return refused('EPERM');
      },
    });
    const seat = { session: '0'.repeat(36), seat: 'a'.repeat(43) };
    const read = await core.consoleRead(credential, 'sw0', { ...seat, after: 0 });
    expect(read.ok && Array.from(read.value.output)).toEqual([...output]);
    await core.consoleWrite(credential, 'sw0', { ...seat, offset: 0, bytes: new Uint8Array([3, 0, 200]) });
    expect(heard).toMatchObject([{ bytes: new Uint8Array([3, 0, 200]) }]);
    expect(violations).toEqual([]);
  });

  test('a refusal comes back with its bytes and everything it says', async () => {
    const problem = refused('EPERM', {
      message: message(9),
      reasons: [{ step: '1', rule: 'r', errno: 'EPERM', text: 'é' }],
    });
    const { core } = link({ submit: async () => problem });
    expect(await core.submit(credential, 'sw0', asMessage())).toEqual(problem);
  });

  test('a core that fails on a request fails that request and no other', async () => {
    const { core } = link({ whoami: () => Promise.reject(new Error('broken')) });
    await expect(core.whoami(credential)).rejects.toThrow('the core failed');
    expect(await core.switches(credential)).toMatchObject({ ok: true });
  });

  test('answers find their requests, in whatever order they come', async () => {
    const waiting: ((value: CoreResult<CommandAnswer>) => void)[] = [];
    const { core } = link({ submit: () => new Promise((done) => waiting.push(done)) });
    const asked = Array.from({ length: 50 }, () => core.submit(credential, 'sw0', asMessage()));
    while (waiting.length < 50) await new Promise((done) => setImmediate(done));
    waiting.toReversed().forEach((done, i) => {
      done(answered({ vendorStatus: i }));
    });
    const got = await Promise.all(asked);
    expect(got.map((one) => (one.ok ? one.value.vendorStatus : -1))).toEqual(
      Array.from({ length: 50 }, (_, i) => 49 - i),
    );
  });
});

describe('taking back', () => {
  test('a client that goes away takes back its own command, under a name that the edge did not choose', async () => {
    const cancelled: string[] = [];
    const submitted: string[] = [];
    const { core } = link({
      submit: async (_credential, _name, _request, options) => {
        submitted.push(options?.handle ?? '');
        return new Promise(() => {});
      },
      cancel: async (handle) => void cancelled.push(handle),
    });
    void core.submit(credential, 'sw0', asMessage(), { handle: 'mine' });
    void core.submit(credential, 'sw0', asMessage(), { handle: 'other' });
    await core.cancel('mine');
    await core.cancel('never heard of');
    while (cancelled.length === 0) await new Promise((done) => setImmediate(done));
    expect(cancelled).toEqual([submitted[0]]);
    expect(submitted[0]).toMatch(/^[0-9a-f-]{36}:\d+$/);
  });

  test('when the edge ends, what it waited for is taken back', async () => {
    const cancelled: string[] = [];
    const { core, channel } = link({
      submit: async () => new Promise(() => {}),
      cancel: async (handle) => void cancelled.push(handle),
    });
    for (let i = 0; i < 3; i++) void core.submit(credential, 'sw0', asMessage());
    while (channel.outstanding < 3) await new Promise((done) => setImmediate(done));
    channel.close();
    expect(cancelled).toHaveLength(3);
    expect(channel.unheard).toBe(3);
  });
});

describe('no client can make our own edge do what ends it', () => {
  test('what the core would not take is refused here', async () => {
    const { core, behind, violations } = link();
    const long = 'x'.repeat(70_000);
    const refusals = await Promise.all([
      core.whoami({ token: long, source: 's' }),
      core.events(credential, 'sw0', { after: 'x'.repeat(65) }),
      core.submit(credential, 'sw0', { kind: 'message', bytes: new Uint8Array(11) }),
      core.submit(credential, 'sw0', { kind: 'message', bytes: new Uint8Array(65_537) }),
      core.submit({ token: 'a\nb', source: 's' }, 'sw0', asMessage()),
      core.submit(credential, 'x'.repeat(65), asMessage()),
      core.decide(credential, 'sw0', {
        kind: 'named',
        command: 'identify',
        params: JSON.parse('['.repeat(40) + ']'.repeat(40)),
      }),
      core.decide(credential, 'sw0', { kind: 'named', command: long }),
    ]);
    for (const refusal of refusals) expect(refusal).toMatchObject({ ok: false, problem: { code: 'EPARAM' } });
    await expect(core.metrics({ token: long, source: 's' })).rejects.toThrow();
    expect(behind.calls).toEqual([]);
    expect(violations).toEqual([]);
  });

  test('more requests than the core takes at once are refused with EAGAIN, and answered ones make room', async () => {
    const waiting: ((value: CoreResult<CommandAnswer>) => void)[] = [];
    const { core, violations } = link({ submit: () => new Promise((done) => waiting.push(done)) });
    const asked = Array.from({ length: channelBounds.atOnce + 10 }, () => core.submit(credential, 'sw0', asMessage()));
    const late = await Promise.all(asked.slice(channelBounds.atOnce));
    for (const one of late) expect(one).toMatchObject({ ok: false, problem: { code: 'EAGAIN', returnCode: 5 } });
    while (waiting.length < channelBounds.atOnce) await new Promise((done) => setImmediate(done));
    for (const done of waiting.splice(0)) done(answered());
    await Promise.all(asked);
    const again = core.submit(credential, 'sw0', asMessage());
    while (waiting.length === 0) await new Promise((done) => setImmediate(done));
    waiting[0]?.(answered());
    expect(await again).toMatchObject({ ok: true });
    expect(violations).toEqual([]);
  });

  test('thousands of clients that come and go do not look like a flood', async () => {
    const { core, violations } = link();
    for (let round = 0; round < 3; round++) {
      const asked = Array.from({ length: 2000 }, (_, i) =>
        core.submit({ ...credential, source: `127.0.0.1:${i}` }, 'sw0', asMessage(), { handle: `${round} ${i}` }),
      );
      for (let i = 0; i < 2000; i++) await core.cancel(`${round} ${i}`);
      await Promise.all(asked);
    }
    expect(violations).toEqual([]);
  });

  test('requests that come before the edge is ready wait for that', async () => {
    const [near, far] = duplexPair();
    const violations: unknown[] = [];
    const parts = { onAsk: async () => '', onReady: () => {}, onViolation: (one: unknown) => violations.push(one) };
    const channel = new CoreChannel(near, { core: fakeCore(), ...parts });
    const early = new CoreLink(far, { onOptions: () => {}, onSupply: () => {}, onStop: () => {}, onLost: () => {} });
    const answer = early.core.readiness();
    const submitted = early.core.submit(credential, 'sw0', asMessage());
    await new Promise((done) => setTimeout(done, 5));
    expect(channel.outstanding).toBe(0);
    early.ready({});
    expect(await answer).toMatchObject({ ready: true });
    expect(await submitted).toMatchObject({ ok: true });
    expect(violations).toEqual([]);
    channel.close();
  });

  test('a command that is taken back before the edge is ready does not end the edge for everybody', async () => {
    const [near, far] = duplexPair();
    const violations: unknown[] = [];
    const cancelled: string[] = [];
    const core = fakeCore({
      cancel: async (handle) => void cancelled.push(handle),
      submit: () => new Promise(() => {}),
    });
    const parts = { onAsk: async () => '', onReady: () => {}, onViolation: (one: unknown) => violations.push(one) };
    const channel = new CoreChannel(near, { core, ...parts });
    const early = new CoreLink(far, { onOptions: () => {}, onSupply: () => {}, onStop: () => {}, onLost: () => {} });
    void early.core.submit(credential, 'sw0', asMessage(), { handle: 'gone' });
    await early.core.cancel('gone');
    await new Promise((done) => setTimeout(done, 5));
    early.ready({});
    await expect.poll(() => cancelled).toHaveLength(1);
    expect(violations).toEqual([]);
    channel.close();
  });

  test('every method of the door has a place on the channel', () => {
    expect(new Set(coreMethods).size).toBe(coreMethods.length);
    expect(coreMethods.length).toBeLessThan(255);
    for (const method of coreMethods) expect(typeof link().core[method], method).toBe('function');
  });
});
