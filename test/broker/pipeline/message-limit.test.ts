import { describe, expect, it } from 'vitest';
import type { Decided } from '../../../src/broker/pipeline/context.ts';
import { budgetOf, withinLimit } from '../../../src/broker/pipeline/message-limit.ts';
import { decodePayload, isTyped, rowBySlug, type Value } from '../../../src/cci/index.ts';

// A tenant has said how long a message to him may be (0004h): to the byte, and never longer.

const decided = (limit: number | undefined, hops = 0): Decided =>
  ({
    runtime: { events: { limit: () => limit } },
    principal: { tenant: 'acme' },
    decision: { command: { hops: Array.from({ length: hops }) } },
    decoded: { asked: undefined },
  }) as unknown as Decided;

const row = rowBySlug('get-physical-port-state');
if (row === undefined || !isTyped(row)) throw new Error('no such row');

describe('the room that is left for a payload', () => {
  it.each([
    ['no limit was set', undefined, 0, undefined],
    ['256 bytes, no tunnel', 8, 0, 243],
    ['256 bytes, one tunnel', 8, 1, 227],
    ['1 MiB, two tunnels', 20, 2, 1_048_531],
  ])('%s', (_what, limit, hops, bytes) => {
    expect(budgetOf(decided(limit, hops))).toBe(bytes);
  });
});

describe('a reply of raw bytes', () => {
  it.each([
    ['fits to the byte', 243, true],
    ['is one byte too long', 244, false],
  ])('that %s', (_what, length, fits) => {
    const reply = { payload: new Uint8Array(length) };
    expect(withinLimit(undefined, decided(8), reply)).toBe(fits ? reply : undefined);
  });

  it('of any length passes where nobody has set a limit', () => {
    const reply = { payload: new Uint8Array(1 << 20) };
    expect(withinLimit(undefined, decided(undefined), reply)).toBe(reply);
  });
});

describe('a log', () => {
  const CEL = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
  const log = rowBySlug('get-log');
  if (log === undefined || !isTyped(log)) throw new Error('no such row');
  const told = (asked: object | undefined, data: unknown, from = log) => {
    const reply = { payload: new Uint8Array(4), value: { log_data: data } as Value };
    const ask = { ...decided(undefined), decoded: { asked } } as unknown as Decided;
    return withinLimit(from, ask, reply) === reply;
  };

  it.each([
    ['as much as was asked for', { log_identifier: CEL, length: 4 }, new Uint8Array(4), true],
    ['less than was asked for', { log_identifier: CEL, length: 5 }, new Uint8Array(4), false],
    ['more than was asked for', { log_identifier: CEL, length: 3 }, new Uint8Array(4), false],
    ['nothing', { log_identifier: CEL, length: 4 }, undefined, false],
    ['another log, which is the component’s', { log_identifier: 'x', length: 9 }, new Uint8Array(4), true],
    ['nobody knows what', undefined, new Uint8Array(4), true],
  ])('that holds %s', (_what, asked, data, passes) => {
    expect(told(asked, data)).toBe(passes);
  });

  it('is the only reply with such an end', () => {
    expect(told({ log_identifier: CEL, length: 9 }, new Uint8Array(4), row)).toBe(true);
  });

  it('without any value is none', () => {
    const ask = { ...decided(undefined), decoded: { asked: { log_identifier: CEL, length: 4 } } } as unknown as Decided;
    expect(withinLimit(log, ask, { payload: new Uint8Array(4) })).toBeUndefined();
  });

  it('cannot be cut: it has no list', () => {
    expect(withinLimit(log, decided(4), { payload: new Uint8Array(40), value: {} })).toBeUndefined();
  });
});

describe('a list of ports, 16 bytes each behind a header of 4', () => {
  const listed = (count: number) => {
    const payload = new Uint8Array(4 + 16 * count);
    payload[0] = count;
    for (let i = 0; i < count; i++) payload[4 + 16 * i] = i;
    const value = decodePayload(row.response, payload, { side: 'reply' });
    if (!value.ok) throw new Error(value.error.message);
    return { payload, value: value.value as Value };
  };
  const kept = (count: number, limit: number, hops: number) => {
    const fitting = withinLimit(row, decided(limit, hops), listed(count));
    return { bytes: fitting?.payload.length, ports: fitting?.value?.port_information_list };
  };

  it.each([
    // 227 bytes: 13 ports are 212, and 14 would be 228.
    ['is whole where it fits', 13, 8, 1, 13],
    ['loses its end where it is one byte too long', 14, 8, 1, 13],
    ['loses no more than it has to', 200, 8, 0, 14],
    ['keeps its only entry', 1, 8, 0, 1],
  ])('%s', (_what, count, limit, hops, left) => {
    const { bytes, ports } = kept(count, limit, hops);
    expect(bytes).toBe(4 + 16 * left);
    expect((ports as readonly { readonly port_id: number }[]).map((port) => port.port_id)).toEqual(
      Array.from({ length: left }, (_, i) => i),
    );
  });

  it('of which not even one entry fits is refused, as a device does', () => {
    expect(withinLimit(row, decided(5), listed(4))).toBeUndefined();
  });

  it('of which nobody can say where it may be cut is refused', () => {
    const { payload } = listed(20);
    expect(withinLimit(row, decided(8), { payload })).toBeUndefined();
    expect(withinLimit(undefined, decided(8), listed(20))).toBeUndefined();
  });
});

it('a list fills its room to the byte: 11 heads of a byte each behind 8 bytes are 19', () => {
  const heads = rowBySlug('get-multi-headed-info');
  if (heads === undefined || !isTyped(heads)) throw new Error('no such row');
  const value = { number_of_lds: 12, number_of_heads: 1, start_ld_id: 0, ld_map: new Array<number>(12).fill(0) };
  const fitting = withinLimit(heads, decided(5), { payload: new Uint8Array(20), value });
  expect(fitting?.payload).toHaveLength(19);
});
