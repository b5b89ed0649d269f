import { describe, expect, it } from 'vitest';
import { createEntrance } from '../../../src/broker/schedule/index.ts';

const ask = (entrance: ReturnType<typeof createEntrance>, tenant: string) => entrance.ask({ tenant, lane: 'tenants' });

/** Keeps the process busy: what a slice is measured by. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('the entrance', () => {
  it('gives one tenant no more than a slice of the time before the event loop has its own', async () => {
    const entrance = createEntrance(() => 1);
    let entered = 0;
    const all = Array.from({ length: 20 }, async () => {
      const turn = await ask(entrance, 'acme');
      entered++;
      work(1);
      if ('end' in turn) turn.end();
    });
    await Promise.resolve();
    await Promise.resolve();
    expect(entered).toBeLessThan(5);
    await Promise.all(all);
    expect(entered).toBe(20);
  });

  it('lets somebody in at once whose share it is not that was used up', () => {
    const entrance = createEntrance(() => 1);
    const first = ask(entrance, 'acme');
    work(1);
    if ('end' in first) first.end();
    const waits = ask(entrance, 'acme');
    expect(waits).toBeInstanceOf(Promise);
    let isIn = false;
    const other = ask(entrance, 'globex');
    void Promise.resolve(other).then(() => {
      isIn = true;
    });
    return Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => expect(isIn).toBe(true))
      .then(() => waits);
  });

  it('is not blocked by those who wait for a device or a disk with their turn in hand', async () => {
    const entrance = createEntrance(() => 1);
    const kept = [await ask(entrance, 'acme'), await ask(entrance, 'acme'), await ask(entrance, 'acme')];
    await new Promise((done) => setImmediate(done));
    expect(await ask(entrance, 'globex')).toMatchObject({ kind: 'turn' });
    for (const turn of kept) if ('end' in turn) turn.end();
    await new Promise((done) => setImmediate(done));
    expect([entrance.running, entrance.waiting]).toEqual([0, 0]);
  });
});
