import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refuse } from '../../../src/broker/auth/refusal.ts';
import { type RefusedTally, RefusedTokens } from '../../../src/broker/pipeline/refused-tokens.ts';

const bad = refuse('signature', 'x');
const many = refuse('too-many', 'x');

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function setup() {
  const written: RefusedTally[] = [];
  const disk = { isFull: false };
  const refused = new RefusedTokens(Date.now, async (tally) => {
    if (disk.isFull) throw new Error('full');
    written.push(tally);
  });
  return { refused, written, disk };
}

describe('refused tokens that are counted', () => {
  it('are written down every ten seconds, with when, why and from where', async () => {
    const { refused, written } = setup();
    expect(refused.note(many, '192.0.2.1:5')).toBe(false);
    await vi.advanceTimersByTimeAsync(4000);
    refused.note(many, '192.0.2.1:6');
    refused.note(many, '[2001:db8::1]:7');
    refused.note(many, 'nowhere');
    refused.note(many, ':1');
    await vi.advanceTimersByTimeAsync(5999);
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(written).toEqual([
      {
        fromMs: 1_000_000,
        toMs: 1_004_000,
        count: 5,
        causes: { 'too-many': 5 },
        sources: { '192.0.2.1': 2, '[2001:db8::1]': 1, nowhere: 1, '': 1 },
      },
    ]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(written).toHaveLength(1);
  });

  it('begin anew after that', async () => {
    const { refused, written } = setup();
    refused.note(many, 'a:1');
    await refused.flush();
    await vi.advanceTimersByTimeAsync(1000);
    refused.note(many, 'b:1');
    await vi.advanceTimersByTimeAsync(9999);
    expect(written).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(written[1]).toEqual({
      fromMs: 1_001_000,
      toMs: 1_001_000,
      count: 1,
      causes: { 'too-many': 1 },
      sources: { b: 1 },
    });
  });

  it('name 16 addresses, and all others together', async () => {
    const { refused, written } = setup();
    for (let i = 0; i < 20; i++) refused.note(many, `10.0.0.${i}:1`);
    refused.note(many, '10.0.0.3:2');
    refused.note(many, '10.0.0.19:2');
    await refused.flush();
    const sources = written[0]?.sources ?? {};
    expect(Object.keys(sources)).toHaveLength(17);
    expect(sources).toMatchObject({ '10.0.0.0': 1, '10.0.0.3': 2, '10.0.0.15': 1, '': 5 });
  });

  it('wait for a journal that cannot be written, with what comes meanwhile', async () => {
    const { refused, written, disk } = setup();
    disk.isFull = true;
    refused.note(many, 'a:1');
    await vi.advanceTimersByTimeAsync(10_000);
    refused.note(many, 'a:1');
    disk.isFull = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(written).toEqual([
      { fromMs: 1_000_000, toMs: 1_010_000, count: 2, causes: { 'too-many': 2 }, sources: { a: 2 } },
    ]);
  });

  it('keep the first and the last moment where an older count comes back', async () => {
    const written: RefusedTally[] = [];
    let fail = (): void => {};
    const refused = new RefusedTokens(Date.now, (tally) => {
      written.push(tally);
      return written.length > 1
        ? Promise.resolve()
        : new Promise((_, reject) => {
            fail = () => reject(new Error('full'));
          });
    });
    refused.note(many, 'a:1');
    const flushing = refused.flush();
    await vi.advanceTimersByTimeAsync(500);
    refused.note(many, 'a:1');
    fail();
    await flushing;
    await refused.flush();
    expect(written[1]).toMatchObject({ fromMs: 1_000_000, toMs: 1_000_500, count: 2 });
  });
});

it('twenty are recorded one by one at once, and one a second after that', () => {
  const { refused } = setup();
  const alone = () => Array.from({ length: 30 }, () => refused.note(bad, 'a:1')).filter((one) => one).length;
  expect(alone()).toBe(20);
  vi.setSystemTime(1_002_000);
  expect(alone()).toBe(2);
});
