import { describe, expect, test } from 'vitest';
import type { TaintLetter } from '../../src/taint/index.ts';
import {
  carriedOver,
  contents,
  emptyState,
  isInForce,
  type LedgerState,
  levelRaised,
  MAX_SCOPES_PER_COMPONENT,
  type Raising,
  raised,
  UNKNOWN_BOOT,
} from '../../src/taint/ledger-state.ts';

const SWITCH = '/switches/sw0';
const raising = (letter: TaintLetter, scope: string, more: Partial<Raising> = {}): Raising => ({
  letter,
  scope,
  atMs: 1,
  by: 'x',
  record: 'r',
  reason: 'why',
  ...more,
});
const having = (...list: readonly Raising[]): LedgerState =>
  list.reduce((state, one) => raised(state, one, SWITCH), emptyState('boot-1', '0x1'));

describe('a broker start in the same boot', () => {
  test('that learns the id of the boot gives it to what was raised in this boot, and to nothing else', () => {
    const old = { ...having(raising('F', SWITCH), raising('R', SWITCH)), bootId: UNKNOWN_BOOT };
    const [first, second] = old.groups;
    if (first === undefined || second === undefined) throw new Error('two groups');
    const state = {
      ...old,
      groups: [
        { ...first, bootId: 'boot-0' },
        { ...second, bootId: UNKNOWN_BOOT },
      ],
    };
    expect(carriedOver(state, 'boot-1', '0x1').groups.map(({ bootId }) => bootId)).toEqual(['boot-0', 'boot-1']);
  });

  test('a bit of an earlier boot is not in force until it is raised again', () => {
    const state = { ...having(raising('F', SWITCH)), bootId: 'boot-2' };
    expect(isInForce(state, raising('F', SWITCH), SWITCH)).toBe(false);
    expect(isInForce(raised(state, raising('F', SWITCH), SWITCH), raising('F', SWITCH), SWITCH)).toBe(true);
  });
});

describe('room for paths', () => {
  const below = (port: number, count: number, letter: TaintLetter = 'R'): readonly Raising[] =>
    Array.from({ length: count }, (_, ld) => raising(letter, `${SWITCH}/ports/${port}/lds/${ld}`));

  test('one port that has used its room up takes none from another port, whose number begins alike', () => {
    const state = having(...below(1, MAX_SCOPES_PER_COMPONENT));
    expect(raised(state, raising('R', `${SWITCH}/ports/1/lds/99`), SWITCH).groups.at(-1)?.scope).toBe(
      `${SWITCH}/ports/1`,
    );
    expect(raised(state, raising('R', `${SWITCH}/ports/12/lds/0`), SWITCH).groups.at(-1)?.scope).toBe(
      `${SWITCH}/ports/12/lds/0`,
    );
  });

  test('one bit that has used its room up takes none from another bit', () => {
    const state = having(...below(1, MAX_SCOPES_PER_COMPONENT));
    expect(raised(state, raising('M', `${SWITCH}/ports/1/lds/99`), SWITCH).groups.at(-1)?.scope).toBe(
      `${SWITCH}/ports/1/lds/99`,
    );
  });

  test('the port itself always has room', () => {
    const state = having(...below(1, MAX_SCOPES_PER_COMPONENT));
    expect(raised(state, raising('R', `${SWITCH}/ports/1`), SWITCH).groups.at(-1)).toMatchObject({
      scope: `${SWITCH}/ports/1`,
      count: 1,
    });
  });
});

describe('long texts', () => {
  test('of exactly the length that is kept are kept whole; one more is cut to that length and says so', () => {
    const [group] = having(raising('R', SWITCH, { by: 'b'.repeat(256), reason: 'r'.repeat(513) })).groups;
    expect(group?.first.by).toBe('b'.repeat(256));
    expect(group?.first.reason).toBe(`${'r'.repeat(511)}…`);
  });
});

describe('the level', () => {
  const change = (level: 'none' | 'integrity' | 'confidentiality') => ({ level, atMs: 1, by: 'x', reason: 'y' });

  test('that rises twice keeps both rises, in their order', () => {
    const once = levelRaised(emptyState('boot-1', '0x1'), change('integrity'));
    const twice = once && levelRaised(once, change('confidentiality'));
    expect(twice?.levelChanges.map(({ level }) => level)).toEqual(['integrity', 'confidentiality']);
  });

  test('is not raised to what it is, nor below', () => {
    const high = { ...emptyState('boot-1', '0x1'), runTime: 'confidentiality' as const };
    expect(levelRaised(high, change('confidentiality'))).toBeUndefined();
    expect(levelRaised(high, change('integrity'))).toBeUndefined();
  });
});

describe('what is shown', () => {
  test('is in the order in which it was raised, whatever it was raised on', () => {
    const state = having(
      raising('R', `${SWITCH}/ports/1`, { reason: 'one' }),
      raising('M', `${SWITCH}/ports/2`, { reason: 'two' }),
      raising('R', `${SWITCH}/ports/1`, { reason: 'three' }),
    );
    expect(contents(state).entries.map(({ reason }) => reason)).toEqual(['one', 'two', 'three']);
  });

  test('leaves out what another device had in an earlier boot', () => {
    const state = { ...having(raising('F', SWITCH)), bootId: 'boot-2', serial: '0x2' };
    expect(contents(state)).toEqual({ entries: [], acknowledgements: [], counts: [] });
  });
});
