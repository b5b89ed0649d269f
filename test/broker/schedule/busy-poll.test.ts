import { expect, it } from 'vitest';
import { BusyPoll } from '../../../src/broker/schedule/index.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

it('keeps the event loop awake for its time, and lets it sleep after that', async () => {
  const poll = new BusyPoll(2000);
  const begin = performance.now();
  poll.keep();
  expect(poll.isPolling).toBe(true);
  while (poll.isPolling) await turn();
  expect(performance.now() - begin).toBeGreaterThanOrEqual(2);
});

it('counts its time from the last request, and begins anew after it has slept', async () => {
  const poll = new BusyPoll(5000);
  poll.keep();
  await new Promise((resolve) => setTimeout(resolve, 3));
  const again = performance.now();
  poll.keep();
  while (poll.isPolling) await turn();
  expect(performance.now() - again).toBeGreaterThanOrEqual(5);
  poll.keep();
  expect(poll.isPolling).toBe(true);
});

it('lets everything else go first', async () => {
  const poll = new BusyPoll(1_000_000);
  poll.keep();
  await new Promise((resolve) => setTimeout(resolve, 1));
  await turn();
  expect(poll.isPolling).toBe(true);
});

it('does nothing where it is turned off', () => {
  const poll = new BusyPoll(0);
  poll.keep();
  expect(poll.isPolling).toBe(false);
});

/** Longer than anything here polls. */
const slow = () => new Promise((resolve) => setTimeout(resolve, 2));

async function untilAsleep(poll: BusyPoll): Promise<void> {
  while (poll.isPolling) await turn();
}

it('stays awake while the disk works, and hands on what comes of it', async () => {
  const poll = new BusyPoll(1_000_000);
  const written = poll.whileWriting(turn().then(() => 7));
  expect(poll.isPolling).toBe(true);
  expect(await written).toBe(7);
  await expect(poll.whileWriting(Promise.reject(new Error('full')))).rejects.toThrow('full');
});

it('leaves a disk alone that takes longer again and again, and tries anew after a hundred waits', async () => {
  const poll = new BusyPoll(50);
  for (let wait = 0; wait < 4; wait++) {
    const work = poll.whileWriting(slow());
    expect(poll.isPolling).toBe(true);
    await work;
    await untilAsleep(poll);
  }
  for (let round = 0; round < 2; round++) {
    for (let wait = 0; wait < 100; wait++) {
      const work = poll.whileWriting(Promise.resolve());
      expect(poll.isPolling).toBe(false);
      await work;
    }
    // One that is too long is enough now.
    const work = poll.whileWriting(slow());
    expect(poll.isPolling).toBe(true);
    await work;
    await untilAsleep(poll);
  }
});

it('is not put off by a wait that takes longer now and then', async () => {
  const poll = new BusyPoll(20_000);
  for (let wait = 0; wait < 12; wait++) {
    const isLong = wait % 4 === 3;
    const work = poll.whileWriting(isLong ? new Promise((resolve) => setTimeout(resolve, 45)) : turn());
    expect(poll.isPolling).toBe(true);
    await work;
  }
});

it('does not cut a longer time short', async () => {
  const poll = new BusyPoll(800_000);
  void poll.whileWriting(slow());
  poll.keep();
  await new Promise((resolve) => setTimeout(resolve, 850));
  expect(poll.isPolling).toBe(true);
});

it('waits for the disk without a word where it is turned off', async () => {
  const poll = new BusyPoll(0);
  const work = poll.whileWriting(slow().then(() => 7));
  expect(poll.isPolling).toBe(false);
  expect(await work).toBe(7);
});
