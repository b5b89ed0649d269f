import { expect, test } from 'vitest';
import {
  activeAnywhere,
  activeFor,
  isAcknowledged,
  type TaintAcknowledgement,
  type TaintEntry,
  type TaintLetter,
} from '../../src/taint/index.ts';

const entry = (letter: TaintLetter, scope: string, more: Partial<TaintEntry> = {}): TaintEntry => ({
  letter,
  scope,
  atMs: 1000,
  by: 'broker',
  record: '1',
  reason: 'test',
  ...more,
});
const given = (letter: TaintLetter, scope: string, more: Partial<TaintAcknowledgement> = {}): TaintAcknowledgement => ({
  letter,
  scope,
  atMs: 2000,
  by: 'user:local#op',
  reason: 'looked at it',
  ...more,
});

test.each([
  // scope of the taint, path that a command touches, is it restricted
  ['/switches/sw0', '/switches/sw0', true],
  ['/switches/sw0', '/switches/sw0/ports/3', true],
  ['/switches/sw0', '/switches/sw0/vcss/0/vppbs/1', true],
  ['/switches/sw0/ports/3', '/switches/sw0/ports/3', true],
  ['/switches/sw0/ports/3', '/switches/sw0/ports/3/lds/1', true],
  ['/switches/sw0/ports/3', '/switches/sw0/ports/4', false],
  ['/switches/sw0/ports/3', '/switches/sw0/ports/30', false],
  ['/switches/sw0/ports/3', '/switches/sw0/vcss/3', false],
  ['/switches/sw0/ports/3', '/switches/sw0', false],
  ['/switches/sw0/ports/3/lds/1', '/switches/sw0/ports/3/lds/1', true],
  ['/switches/sw0/ports/3/lds/1', '/switches/sw0/ports/3/lds/2', false],
  ['/switches/sw0/ports/3/lds/1', '/switches/sw0/ports/3', true],
  ['/switches/sw0/ports/3/lds/1', '/switches/sw0', false],
  ['/switches/sw0/vcss/0/vppbs/1', '/switches/sw0/vcss/0', true],
  ['/switches/sw1', '/switches/sw0/ports/3', false],
])('a taint on %s and a command touching %s: restricted %s', (scope, path, restricted) => {
  const view = { entries: [entry('M', scope)], acknowledgements: [] };
  expect(activeFor(view, path)).toEqual(restricted ? ['M'] : []);
  expect(activeAnywhere(view)).toEqual(['M']);
});

test('letters come once each and in bit order', () => {
  const entries = [
    entry('B', '/switches/s'),
    entry('X', '/switches/s'),
    entry('R', '/switches/s'),
    entry('X', '/switches/s'),
  ];
  expect(activeFor({ entries, acknowledgements: [] }, '/switches/s/ports/1')).toEqual(['R', 'X', 'B']);
});

test('an acknowledgement lifts exactly its letter on exactly its path', () => {
  const entries = [
    entry('M', '/switches/s/ports/3'),
    entry('M', '/switches/s/ports/4'),
    entry('X', '/switches/s/ports/3'),
  ];
  const view = { entries, acknowledgements: [given('M', '/switches/s/ports/3')] };
  expect(activeFor(view, '/switches/s/ports/3')).toEqual(['X']);
  expect(activeFor(view, '/switches/s/ports/4')).toEqual(['M']);
  expect(isAcknowledged(entry('M', '/switches/s'), view)).toBe(false);
});

test('what was raised after the acknowledgement is active again', () => {
  const acknowledgements = [given('M', '/switches/s')];
  const later = entry('M', '/switches/s', { atMs: 2001 });
  expect(activeFor({ entries: [entry('M', '/switches/s'), later], acknowledgements }, '/switches/s')).toEqual(['M']);
});

test('a clock that was set back does not make a later raising look acknowledged', () => {
  const acknowledgements = [given('M', '/switches/s', { upTo: 4 })];
  const before = entry('M', '/switches/s', { atMs: 9999, ordinal: 4 });
  const after = entry('M', '/switches/s', { atMs: 1, ordinal: 5 });
  expect(activeFor({ entries: [before], acknowledgements }, '/switches/s')).toEqual([]);
  expect(activeFor({ entries: [before, after], acknowledgements }, '/switches/s')).toEqual(['M']);
});
