import { expect, it } from 'vitest';
import { UnderWay } from '../../../src/broker/pipeline/under-way.ts';

it('cancels a request by its handle, and only while it is under way', () => {
  const requests = new UnderWay();
  const first = requests.begin('a');
  const other = requests.begin('b');
  requests.cancel('a');
  expect([first?.cancelled, other?.cancelled]).toEqual([true, false]);
  requests.end('b');
  requests.cancel('b');
  requests.cancel('never heard of');
  expect(other?.cancelled).toBe(false);
});

it('refuses a handle that is in use, and takes it again afterwards', () => {
  const requests = new UnderWay();
  const first = requests.begin('a');
  expect(requests.begin('a')).toBeUndefined();
  requests.end('a');
  const second = requests.begin('a');
  expect(second).toBeDefined();
  expect(second).not.toBe(first);
  requests.cancel('a');
  expect([first?.cancelled, second?.cancelled]).toEqual([false, true]);
});

it('forgets what has ended, and nothing that is under way', () => {
  const requests = new UnderWay();
  const stays = requests.begin('stays');
  for (let i = 0; i < 5000; i++) {
    expect(requests.begin(`r${i}`)).toBeDefined();
    requests.end(`r${i}`);
    // The same name each time: it is there once.
    expect(requests.begin('again')).toBeDefined();
    requests.end('again');
    expect(requests.size).toBeLessThanOrEqual(1026);
  }
  expect(requests.begin('stays')).toBeUndefined();
  requests.cancel('stays');
  expect(stays?.cancelled).toBe(true);
});
