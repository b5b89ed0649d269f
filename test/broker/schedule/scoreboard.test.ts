import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Footprint, inOrder } from '../../../src/broker/schedule/footprint.ts';
import { type Claimant, Scoreboard } from '../../../src/broker/schedule/scoreboard.ts';

interface Named extends Claimant {
  readonly name: string;
}

const claimant = (name: string): Named => ({ name, blockers: 0, entered: 0, holds: undefined });
const on = (changes: boolean, ...paths: readonly string[]): Footprint => ({ kind: 'resources', changes, paths });

describe('a command that is alone on the board', () => {
  it('keeps the next one on its resource waiting all the same, and frees it when it is done', () => {
    const board = new Scoreboard<Named>();
    const [first, second] = [claimant('first'), claimant('second')];
    expect(board.enter(first, on(true, '/a/b'))).toBe(true);
    expect(board.enter(second, on(true, '/a/b'))).toBe(false);
    expect(board.leave(first)).toEqual([second]);
  });

  it('is not forgotten when somebody leaves who was never there, or twice', () => {
    const board = new Scoreboard<Named>();
    const [first, second, stranger] = [claimant('first'), claimant('second'), claimant('stranger')];
    board.enter(first, on(true, '/a'));
    expect(board.leave(stranger)).toEqual([]);
    expect(board.enter(second, on(true, '/a'))).toBe(false);
    expect(board.leave(first)).toEqual([second]);
    expect(board.leave(first)).toEqual([]);
    expect(board.enter(claimant('third'), on(false, '/a'))).toBe(false);
  });
});

/** Does one have to wait for the other, by the rules of `footprint.ts` alone? */
function waitsFor(earlier: Footprint, later: Footprint): boolean {
  const parts = (footprint: Footprint) =>
    footprint.kind === 'everything'
      ? [['', true] as const]
      : footprint.paths.map((path) => [path, footprint.changes] as const);
  const contains = (above: string, below: string): boolean => above === '' || below.startsWith(`${above}/`);
  return parts(earlier).some(([one, oneChanges]) =>
    parts(later).some(([other, otherChanges]) => {
      if (one === other) return inOrder(oneChanges ? 'change' : 'read', otherChanges ? 'change' : 'read');
      if (contains(one, other))
        return inOrder(oneChanges ? 'change' : 'read', otherChanges ? 'change-below' : 'read-below');
      return (
        contains(other, one) && inOrder(oneChanges ? 'change-below' : 'read-below', otherChanges ? 'change' : 'read')
      );
    }),
  );
}

const footprint = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Footprint>({ kind: 'everything' }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('resources' as const),
      changes: fc.boolean(),
      paths: fc.uniqueArray(fc.constantFrom('/a', '/a/b', '/a/b/c', '/a/d', '/e', '/e/f'), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
);

it('whoever comes and goes, nobody overtakes on a resource, and everybody is freed as soon as nothing stands in his way', () => {
  const step = fc.oneof(fc.record({ enter: footprint }), fc.record({ leave: fc.nat(20) }));
  const run = (steps: readonly ({ readonly enter: Footprint } | { readonly leave: number })[]): void => {
    const board = new Scoreboard<Named>();
    const there: { readonly one: Named; readonly footprint: Footprint }[] = [];
    const isFree = (at: number): boolean =>
      there.slice(0, at).every(({ footprint: earlier }) => !waitsFor(earlier, there[at]?.footprint ?? earlier));
    for (const [i, wish] of steps.entries()) {
      if ('enter' in wish) {
        const one = claimant(String(i));
        there.push({ one, footprint: wish.enter });
        expect(board.enter(one, wish.enter)).toBe(isFree(there.length - 1));
        continue;
      }
      const [gone] = there.length === 0 ? [] : there.slice(wish.leave % there.length);
      if (gone === undefined) continue;
      const at = there.indexOf(gone);
      const waiting = there.filter((_one, k) => !isFree(k) && k !== at).map(({ one }) => one.name);
      there.splice(at, 1);
      const freed = there.filter(({ one }, k) => waiting.includes(one.name) && isFree(k)).map(({ one }) => one.name);
      expect(board.leave(gone.one).map(({ name }) => name)).toEqual(freed);
    }
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), run), { numRuns: 300 });
});
