import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { channelBounds, coreMethods, coreRequests } from '../../../src/broker/channel/index.ts';
import { SLOTS } from '../../../src/broker/channel/requests.ts';
import { bad } from '../../../src/broker/channel/shape.ts';
import type { Violation } from '../../../src/broker/channel/violations.ts';
import { toCore, toEdge } from '../../../src/broker/channel/wire.ts';
import { frame, type HostileEdge, hostile } from '../../support/channel-pair.ts';
import { fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';

const credential = { token: GOOD_TOKEN, source: '127.0.0.1:1' };
const number = (method: string) => coreMethods.indexOf(method as (typeof coreMethods)[number]);
const call = (method: string, ...values: readonly unknown[]) =>
  Buffer.concat([Buffer.from([number(method)]), Buffer.from(JSON.stringify(values))]);
const bytes = (size: number, fill = 0) => Buffer.alloc(size, fill);
const slotBody = (slot: number, values: unknown) =>
  Buffer.concat([Buffer.from([slot & 0xff, slot >> 8]), Buffer.from(JSON.stringify(values))]);
const goodSlot = slotBody(0, [credential, 'sw0']);

/** What somebody sends who has taken the edge over, and what the core holds against him. */
const attacks: readonly (readonly [name: string, does: (edge: HostileEdge) => void, violation: Violation])[] = [
  ['a frame shorter than its head', (edge) => edge.stream.write(Buffer.from([4, 0, 0, 0, 1, 0, 0, 0])), 'frame'],
  ['a frame of 4 GiB', (edge) => edge.stream.write(Buffer.from([255, 255, 255, 255])), 'frame'],
  ['text instead of frames', (edge) => edge.stream.write('GET / HTTP/1.1\r\n\r\n'), 'frame'],
  ['a kind that there is not', (edge) => edge.frame(99, 1, ''), 'kind'],
  ['a kind of the other direction', (edge) => edge.frame(toEdge.options, 0, '{}'), 'kind'],
  ['being ready twice', (edge) => edge.frame(toCore.ready, 0, '{}'), 'kind'],
  ['a method that there is not', (edge) => edge.frame(toCore.call, 1, Buffer.from([200, 91, 93])), 'method'],
  ['a call without a method', (edge) => edge.frame(toCore.call, 1, ''), 'method'],
  ['taking back by name, which no edge can', (edge) => edge.frame(toCore.call, 1, call('cancel', '')), 'method'],
  ['JSON that is none', (edge) => edge.frame(toCore.call, 1, Buffer.from([number('whoami'), 0x5b])), 'text'],
  [
    'text that is no UTF-8',
    (edge) => edge.frame(toCore.call, 1, Buffer.from([number('whoami'), 0x22, 0xff, 0x22])),
    'text',
  ],
  [
    'arrays without end',
    (edge) => edge.frame(toCore.call, 1, Buffer.concat([bytes(1, number('decide')), bytes(60_000, 0x5b)])),
    'text',
  ],
  ['no arguments', (edge) => edge.frame(toCore.call, 1, call('whoami')), 'arguments'],
  ['one argument too many', (edge) => edge.frame(toCore.call, 1, call('whoami', credential, 1)), 'arguments'],
  [
    'an identity of its own making',
    (edge) => edge.frame(toCore.call, 1, call('whoami', { ...credential, tenant: 'fabric' })),
    'arguments',
  ],
  [
    'a principal instead of a credential',
    (edge) => edge.frame(toCore.call, 1, call('whoami', { principal: 'user:local#olga', tenant: 'fabric' })),
    'arguments',
  ],
  [
    'a token that is a number',
    (edge) => edge.frame(toCore.call, 1, call('whoami', { token: 1, source: 's' })),
    'arguments',
  ],
  [
    'a handle of its own choice',
    (edge) =>
      edge.frame(
        toCore.call,
        1,
        call('submit', credential, 'sw0', { kind: 'named', command: 'identify' }, { handle: 'x' }),
      ),
    'arguments',
  ],
  [
    'a deadline of a year',
    (edge) =>
      edge.frame(
        toCore.call,
        1,
        call('submit', credential, 'sw0', { kind: 'named', command: 'identify' }, { deadlineMs: 31_536_000_000 }),
      ),
    'arguments',
  ],
  [
    'a wait of a year',
    (edge) => edge.frame(toCore.call, 1, call('events', credential, 'sw0', { waitMs: 31_536_000_000 })),
    'arguments',
  ],
  [
    'a million events at once',
    (edge) => edge.frame(toCore.call, 1, call('events', credential, 'sw0', { limit: 1_000_000 })),
    'arguments',
  ],
  [
    'an opcode of 17 bits',
    (edge) =>
      edge.frame(
        toCore.call,
        1,
        call('submit', credential, 'sw0', { kind: 'raw', opcode: 0x1_0000, payload: { $bytes: '' } }),
      ),
    'arguments',
  ],
  [
    'bytes that are no base64',
    (edge) =>
      edge.frame(
        toCore.call,
        1,
        call('submit', credential, 'sw0', { kind: 'raw', opcode: 1, payload: { $bytes: '!!' } }),
      ),
    'arguments',
  ],
  [
    'a level of lockdown that there is not',
    (edge) => edge.frame(toCore.call, 1, call('raiseLockdown', credential, 'off', 'r')),
    'arguments',
  ],
  [
    'a request larger than its method allows',
    (edge) => edge.frame(toCore.call, 1, call('whoami', { ...credential, source: 'x'.repeat(70_000) })),
    'oversize',
  ],
  ['a message of a slot that it never had', (edge) => edge.frame(toCore.message, 1, bytes(14)), 'slot'],
  ['a slot beyond the last', (edge) => edge.frame(toCore.slot, 0, slotBody(SLOTS, [credential, 'sw0'])), 'slot'],
  [
    'a slot with an identity',
    (edge) => edge.frame(toCore.slot, 0, slotBody(0, [{ ...credential, roles: ['x'] }, 'sw0'])),
    'arguments',
  ],
  ['a slot as a request', (edge) => edge.frame(toCore.slot, 1, goodSlot), 'kind'],
  [
    'slots without a command',
    (edge) => {
      for (let i = 0; i < 100; i++) edge.frame(toCore.slot, 0, goodSlot);
    },
    'unanswered',
  ],
  [
    'taking back without end',
    (edge) => {
      for (let i = 0; i < 100; i++) edge.frame(toCore.cancel, i, '');
    },
    'unanswered',
  ],
  ['signs of life that nobody asked for', (edge) => edge.frame(toCore.pong, 1, ''), 'kind'],
  ['taking back with a body', (edge) => edge.frame(toCore.cancel, 1, 'x'), 'oversize'],
  ['asking for more than a name', (edge) => edge.frame(toCore.ask, 1, bytes(70_000, 0x20)), 'oversize'],
  [
    'a message without a header',
    (edge) => {
      edge.frame(toCore.slot, 0, goodSlot);
      edge.frame(toCore.message, 1, bytes(13));
    },
    'arguments',
  ],
  [
    'a message of 100 KB',
    (edge) => {
      edge.frame(toCore.slot, 0, goodSlot);
      edge.frame(toCore.message, 1, bytes(100_000));
    },
    'oversize',
  ],
];

describe('whatever an edge sends that is no request of the table ends it', () => {
  test.each(attacks)('%s', async (_name, does, violation) => {
    const core = fakeCore();
    const edge = hostile(core);
    await edge.settled();
    does(edge);
    await edge.settled();
    expect(edge.violations).toEqual([violation]);
    expect(core.calls).toEqual([]);
    expect(edge.stream.destroyed || edge.channel.outstanding === 0).toBe(true);
    // Nothing is heard of what comes behind it.
    edge.stream.on('error', () => {});
    edge.frame(toCore.call, 9, call('whoami', credential));
    await edge.settled();
    expect(core.calls).toEqual([]);
    expect(edge.violations).toHaveLength(1);
  });

  test('a request before it has said that it is ready', async () => {
    const core = fakeCore();
    const edge = hostile(core, false);
    edge.frame(toCore.call, 1, call('whoami', credential));
    await edge.settled();
    expect(edge.violations).toEqual(['kind']);
    expect(core.calls).toEqual([]);
  });

  test('the number of a request that is under way', async () => {
    const edge = hostile(fakeCore({ whoami: () => new Promise(() => {}) }));
    edge.frame(toCore.call, 7, call('whoami', credential));
    edge.frame(toCore.call, 7, call('whoami', credential));
    await edge.settled();
    expect(edge.violations).toEqual(['number']);
  });

  test('more requests of one method than it may have under way', async () => {
    const edge = hostile(fakeCore({ events: () => new Promise(() => {}) }));
    for (let i = 0; i <= coreRequests.events.atOnce; i++)
      edge.frame(toCore.call, i, call('events', credential, 'sw0', { waitMs: 60_000 }));
    await edge.settled();
    expect(edge.violations).toEqual(['flood']);
  });

  test('more bytes than may be under way', async () => {
    const edge = hostile(fakeCore({ submit: () => new Promise(() => {}) }));
    edge.frame(toCore.slot, 0, goodSlot);
    const frames = Math.ceil(channelBounds.bytes / 65_000) + 1;
    for (let i = 0; i < frames; i++) {
      edge.frame(toCore.message, i, bytes(65_000));
      if (i % 50 === 0) await edge.settled();
    }
    await edge.settled();
    expect(edge.violations).toEqual(['flood']);
  });

  test('answers that it does not read are not kept without bound', async () => {
    const big = 'x'.repeat(8 * 1024 * 1024);
    const edge = hostile(fakeCore({ metrics: async () => big }));
    edge.stream.pause();
    edge.stream.removeAllListeners('data');
    for (let i = 0; i < 40; i++) edge.frame(toCore.call, i, call('metrics'));
    for (let i = 0; i < 20; i++) await edge.settled();
    // Either it is ended, or what it asks for is not read any more.
    expect(edge.violations.length === 1 || edge.channel.outstanding === 0).toBe(true);
    expect(edge.violations.every((violation) => violation === 'unread')).toBe(true);
  });
});

describe('one edge has nothing of another', () => {
  test('taking back reaches its own commands alone', async () => {
    const cancelled: string[] = [];
    const handles: string[] = [];
    const core = fakeCore({
      submit: async (_credential, _name, _request, options) => {
        handles.push(options?.handle ?? '');
        return new Promise(() => {});
      },
      cancel: async (handle) => void cancelled.push(handle),
    });
    const first = hostile(core);
    const second = hostile(core);
    for (const edge of [first, second]) {
      edge.frame(toCore.slot, 0, goodSlot);
      edge.frame(toCore.message, 5, bytes(14));
      await edge.settled();
    }
    second.frame(toCore.cancel, 5, '');
    await second.settled();
    expect(new Set(handles).size).toBe(2);
    expect(cancelled).toEqual([handles[1]]);
  });

  test('the slots of one mean nothing on another', async () => {
    const core = fakeCore();
    const first = hostile(core);
    const second = hostile(core);
    first.frame(toCore.slot, 0, goodSlot);
    await first.settled();
    second.frame(toCore.message, 1, bytes(14));
    await second.settled();
    expect(second.violations).toEqual(['slot']);
    expect(first.violations).toEqual([]);
  });
});

describe('frames made at random', () => {
  const anyJson = fc.json({ maxDepth: 4 });
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 80 }).map((one) => Buffer.from(one)),
    fc.tuple(fc.nat(40), anyJson).map(([method, text]) => Buffer.concat([Buffer.from([method]), Buffer.from(text)])),
    fc
      .tuple(
        fc.constantFrom(...coreMethods),
        fc.array(fc.oneof(fc.constant(credential), fc.constant('sw0'), fc.jsonValue()), { maxLength: 4 }),
      )
      .map(([method, values]) => call(method, ...values)),
    fc.tuple(fc.nat(SLOTS), anyJson).map(([slot, text]) => slotBody(slot, JSON.parse(text))),
    fc.constant(goodSlot),
  );
  const frames = fc.array(fc.tuple(fc.nat(8), fc.nat(5), body), { maxLength: 12 });

  test('reach the core as arguments of its table or not at all, however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 97 }), async (all, cut) => {
        const core = fakeCore();
        const edge = hostile(core);
        const stream = Buffer.concat(all.map(([kind, id, one]) => frame(kind, id, one)));
        for (let at = 0; at < stream.length; at += cut) {
          if (edge.violations.length === 0) edge.stream.write(stream.subarray(at, at + cut));
        }
        await edge.settled();
        expect(edge.violations.length).toBeLessThanOrEqual(1);
        for (const { method, credential: shown } of core.calls) {
          expect(coreMethods).toContain(method);
          if (shown !== undefined) expect(coreRequests.whoami.read([shown])).not.toBe(bad);
        }
        edge.channel.close();
      }),
      { numRuns: 400, seed: 20_261_123 },
    );
  });

  test('a sequence of good requests with one bad byte in it does nothing that its good part did not ask for', async () => {
    const good = Buffer.concat([
      frame(toCore.slot, 0, goodSlot),
      frame(toCore.message, 1, bytes(14)),
      frame(toCore.call, 2, call('whoami', credential)),
      frame(toCore.call, 3, call('taint', credential)),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const spoilt = Buffer.from(good);
        spoilt[at] = (spoilt[at] ?? 0) ^ flip;
        const core = fakeCore();
        const edge = hostile(core);
        edge.stream.write(spoilt);
        await edge.settled();
        const allowed = new Set(['submit', 'cancel', ...coreMethods]);
        for (const one of core.calls) expect(allowed.has(one.method)).toBe(true);
        expect(core.calls.length).toBeLessThanOrEqual(3);
        edge.channel.close();
      }),
      { numRuns: 300, seed: 99 },
    );
  });
});

test('a large request that comes byte by byte is put together once, not copied anew with each byte', async () => {
  const edge = hostile(fakeCore());
  const copied = vi.spyOn(Buffer, 'concat');
  const body = Buffer.concat([
    call('decide', credential, 'sw0', { kind: 'named', command: 'identify' }),
    bytes(20_000, 0x20),
  ]);
  copied.mockClear();
  for (const byte of frame(toCore.call, 7, body)) edge.stream.write(Buffer.from([byte]));
  await expect.poll(() => edge.answers.map(({ id }) => id)).toContain(7);
  const lengths = copied.mock.results.map(({ value }) => (value as Buffer).length);
  copied.mockRestore();
  expect(Math.max(0, ...lengths)).toBeLessThan(16);
  expect(edge.violations).toEqual([]);
});
