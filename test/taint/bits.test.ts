import { expect, test } from 'vitest';
import { taintBit, taintBits, taintLetters, taintMask } from '../../src/taint/index.ts';

test('the register has the eleven bits of the design, each in its place', () => {
  expect(taintBits.map(({ bit, letter }) => `${bit}${letter}`).join(' ')).toBe('0R 1V 2J 3O 4C 5E 6M 7X 8F 9A 10B');
  for (const row of taintBits) {
    expect(row.name).not.toBe('');
    expect(row.meaning).not.toBe('');
    expect(row.liftedBy).toContain('boot');
  }
});

test('mask and letters are two spellings of one register', () => {
  expect(taintMask([])).toBe(0);
  expect(taintLetters(0)).toBe('-');
  expect(taintMask(['B', 'R', 'V', 'R'])).toBe(0x403);
  expect(taintLetters(0x403)).toBe('RVB');
  for (let mask = 0; mask < 1 << taintBits.length; mask++) {
    const letters = taintBits.filter(({ bit }) => mask & (1 << bit)).map(({ letter }) => letter);
    expect(taintMask(letters)).toBe(mask);
    expect(taintLetters(mask)).toBe(letters.join('') || '-');
  }
});

test('an unknown letter has no row', () => {
  expect(taintBit('M')?.bit).toBe(6);
  expect(taintBit('Z')).toBeUndefined();
});
