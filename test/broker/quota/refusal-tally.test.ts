import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RefusalTally, type Tally } from '../../../src/broker/quota/index.ts';

beforeEach(() => void vi.useFakeTimers({ now: 10_000 }));
afterEach(() => void vi.useRealTimers());

function tally() {
  const written: Tally[] = [];
  const disk = { isFull: false };
  const refusals = new RefusalTally({
    nowMs: Date.now,
    write: async (one) => {
      if (disk.isFull) throw new Error('no space left');
      written.push(one);
    },
  });
  const flood = (count: number, tenant = 'acme', principal = 'alice', limit = 'concurrent') =>
    Array.from({ length: count }, () => refusals.note(tenant, principal, limit)).filter((alone) => alone).length;
  return { refusals, written, disk, flood };
}

describe('a flood of refusals', () => {
  it('is recorded one by one at first, then counted: one record for the tenant and second, and none is lost', async () => {
    const { written, flood } = tally();
    const alone = flood(1000) + flood(500, 'acme', 'anna', 'queue-full') + flood(5, 'globex', 'bob');
    expect(alone).toBe(20 + 5);
    await vi.advanceTimersByTimeAsync(1000);
    expect(written).toEqual([
      {
        tenant: 'acme',
        fromMs: 10_000,
        toMs: 10_000,
        count: 1480,
        limits: { concurrent: 980, 'queue-full': 500 },
        principals: { alice: 980, anna: 500 },
      },
    ]);
    // The next second begins anew.
    expect(flood(30)).toBe(20);
    await vi.advanceTimersByTimeAsync(1000);
    expect(written.reduce((sum, { count }) => sum + count, 0) + alone + 20).toBe(1505 + 30);
    await vi.advanceTimersByTimeAsync(5000);
    expect(written).toHaveLength(2);
  });

  it('by very many principals names some of them and counts the rest', async () => {
    const { written, flood, refusals } = tally();
    flood(20);
    for (let i = 0; i < 100; i++) flood(1, 'acme', `user-${i}`);
    await refusals.flush();
    const names = Object.keys(written[0]?.principals ?? {});
    expect(names).toHaveLength(17);
    expect(written[0]?.principals['']).toBe(84);
  });

  it('waits for a journal that cannot be written, and is whole when it can', async () => {
    const { written, disk, flood, refusals } = tally();
    disk.isFull = true;
    flood(120);
    await vi.advanceTimersByTimeAsync(1000);
    flood(120, 'acme', 'anna');
    await vi.advanceTimersByTimeAsync(2000);
    expect(written).toEqual([]);
    disk.isFull = false;
    await vi.advanceTimersByTimeAsync(1000);
    expect(written).toMatchObject([{ count: 200, fromMs: 10_000, principals: { alice: 100, anna: 100 } }]);
    await refusals.flush();
    expect(written).toHaveLength(1);
  });
});
