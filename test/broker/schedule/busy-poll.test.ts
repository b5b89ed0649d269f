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
