import { createContext, runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { COUNTERS, instrument } from '../../fuzz/engine/instrument.ts';
import { coveringSet, shortened } from '../../fuzz/engine/minimise.ts';

/** Runs code with and without counters. */
function both(code: string): {
  readonly plain: unknown;
  readonly counted: unknown;
  readonly counters: readonly number[];
} {
  const { text, blocks } = instrument(code, 0);
  const counters = new Uint8Array(blocks);
  const plain: unknown = runInContext(code, createContext({}));
  const counted: unknown = runInContext(text, createContext({ [COUNTERS]: counters }));
  return { plain, counted, counters: [...counters] };
}

test.each([
  ['a branch that is not taken', 'let r = 0; if (r) r = 1; r', [0, 1]],
  [
    'an else that would belong to the inner if',
    'let r = ""; for (const x of [0, 1, 2]) if (x) if (x > 1) r += "a"; else r += "b"; r',
    [3, 2, 1, 1, 1],
  ],
  ['an arrow that gives an object', '(() => ({ a: 1 }))().a', [1]],
  ['operands that are not evaluated', 'let r = 0; const f = () => ++r; (0 && f()) || (1 ?? f()); r', undefined],
  [
    'cases that fall through',
    'let r = 0; switch (2) { case 1: r = 1; case 2: case 3: r += 5; break; default: r = 9; } r',
    undefined,
  ],
  ['a sequence in an arrow', 'const f = (a, b = (a, 2)) => (a++, a + b); f(1)', undefined],
  ['a do without a block', 'let r = 0; do r++; while (r < 3); r', [3]],
  [
    'a conditional inside a conditional',
    'const f = (x) => x ? x > 1 ? "b" : "a" : "c"; [0, 1, 2].map((x) => f(x)).join("")',
    undefined,
  ],
  ['a catch', 'let r; try { throw 1 } catch { r = 2 } r', [1]],
  ['a class with a getter', 'class A { #x = 1; get x() { return this.#x ?? 2; } } new A().x', undefined],
] as const)('code with %s does the same with counters', (_name, code, counts) => {
  const { plain, counted, counters } = both(code);
  expect(counted).toEqual(plain);
  if (counts !== undefined) expect(counters).toEqual(counts);
});

test('words and numbers of the code are told', () => {
  const { words, numbers } = instrument('if (x === "needle" && y === 0x5300) z();', 0);
  expect(words).toContain('needle');
  expect(numbers).toContain(0x5300);
});

test('an input is shortened to what matters', async () => {
  const input = Uint8Array.from({ length: 100 }, (_, i) => i);
  const keeps = async (candidate: Uint8Array) => candidate.includes(7) && candidate.includes(90);
  expect([...(await shortened(input, keeps, 1000))]).toEqual([7, 90]);
  // Within what it may cost.
  let tries = 0;
  await shortened(input, async () => ++tries < 0, 10);
  expect(tries).toBe(10);
});

test('a set of inputs is cut down to what still does everything', () => {
  const input = (length: number, ...features: number[]) => ({ bytes: new Uint8Array(length), features });
  const [small, large, double] = [input(1, 1, 2), input(9, 1, 2, 3), input(5, 2)];
  expect(coveringSet([large, double, small])).toEqual([small, large]);
});
