import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadLine, type Entry, formatLine, type Line, parseLine } from '../../../src/broker/events/lines.ts';
import { EventState, LOG_SIZE, takeHandles } from '../../../src/broker/events/state.ts';

const count = fc.nat({ max: 0xffff });
const big = fc.bigInt({ min: -(1n << 62n), max: 1n << 62n });
const entry: fc.Arbitrary<Entry> = fc.record({
  seq: count,
  kind: fc.constantFrom('record', 'overflow'),
  log: fc.nat({ max: 4 }),
  source: fc.constantFrom('', 'port:3'),
  atNs: big,
  handle: count,
  deviceHandle: count,
  bytes: fc.uint8Array({ maxLength: 128 }),
  others: fc.boolean(),
  lost: fc.option(count, { nil: undefined }),
});
const tenant = fc.constantFrom('acme', 'globex', '__proto__', 'a b');
const kept = fc.array(fc.tuple(count, fc.constantFrom('ab', 'cd')), { maxLength: 3 });
const to = fc.array(fc.tuple(tenant, entry), { maxLength: 3 });
const log = fc.record({ overflow: count, firstNs: big, lastNs: big, records: fc.array(entry, { maxLength: 2 }) });
const line: fc.Arbitrary<Line> = fc.oneof(
  fc.record({ kind: fc.constant('head' as const), epoch: fc.constant('01234567'), key: fc.constant('k') }),
  fc.record({
    kind: fc.constant('add' as const),
    cci: fc.constant(''),
    log: fc.nat({ max: 4 }),
    kept: fc.tuple(count, fc.constant('d')),
    to,
  }),
  fc.record({ kind: fc.constant('lost' as const), to }),
  fc.record({
    kind: fc.constant('done' as const),
    cci: fc.constant(''),
    log: count,
    handles: fc.array(count, { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('clear' as const), tenant, log: count, handles: fc.array(count, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant('view' as const), tenant, limit: count }),
  fc.record({ kind: fc.constant('view' as const), tenant, offsetNs: big }),
  fc.record({ kind: fc.constant('pending' as const), cci: fc.constant('port:3'), log: count, kept }),
  fc.record({
    kind: fc.constant('tenant' as const),
    tenant,
    lastSeq: count,
    lastHandle: count,
    feed: fc.array(entry, { maxLength: 2 }),
    logs: fc.array(log, { minLength: 5, maxLength: 5 }),
  }),
);

describe('the lines of the file', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(line, (one) => {
        expect(parseLine(formatLine(one))).toEqual(one);
      }),
      { seed: 31, numRuns: 500 },
    );
  });

  it('that were changed are refused, or are lines, and never anything else', () => {
    fc.assert(
      fc.property(line, fc.nat(), fc.string({ maxLength: 3 }), (one, at, put) => {
        const text = formatLine(one);
        const place = at % text.length;
        try {
          const parsed = parseLine(text.slice(0, place) + put + text.slice(place + put.length));
          expect(typeof parsed.kind).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(BadLine);
        }
      }),
      { seed: 32, numRuns: 500 },
    );
  });

  it.each(['', '{}', '[]', 'null', '{"kind":"none"}', '{"kind":"head"}', '{"kind":"view","tenant":1}'])(
    '%j is none',
    (text) => expect(() => parseLine(text)).toThrow(BadLine),
  );
});

describe('the state', () => {
  it('comes back from its own lines, whatever was applied', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        const state = new EventState({ epoch: '01234567', key: 'k', keep: 3 });
        for (const one of lines) state.apply(one);
        const again = new EventState({ epoch: 'ffffffff', key: '', keep: 3 });
        for (const one of state.lines()) again.apply(parseLine(formatLine(one)));
        expect(again.lines()).toEqual(state.lines());
      }),
      { seed: 33, numRuns: 200 },
    );
  });

  it('gives handles that nobody has, from 1 to FFFFh and around, and none when the log is full', () => {
    const state = new EventState({ epoch: '01234567', key: 'k', keep: 1000 });
    const acme = state.of('acme');
    acme.lastHandle = 0xfffd;
    const take = (number: number): void => {
      for (const handle of takeHandles(acme, 0, number)) {
        const made: Entry = {
          seq: acme.lastSeq + 1,
          kind: 'record',
          log: 0,
          source: '',
          atNs: 1n,
          handle,
          deviceHandle: 1,
          bytes: new Uint8Array(128),
          others: false,
          lost: undefined,
        };
        state.apply({ kind: 'lost', to: [['acme', made]] });
      }
    };
    take(4);
    expect(acme.logs[0]?.records.map(({ handle }) => handle)).toEqual([0xfffe, 0xffff, 1, 2]);
    acme.lastHandle = 0xfffd;
    take(1);
    expect(acme.logs[0]?.records.at(-1)?.handle).toBe(3);
    take(LOG_SIZE);
    expect(acme.logs[0]?.records).toHaveLength(LOG_SIZE);
    expect(acme.logs[0]?.overflow).toBe(5);
    expect(new Set(acme.logs[0]?.records.map(({ handle }) => handle)).size).toBe(LOG_SIZE);
  });
});
