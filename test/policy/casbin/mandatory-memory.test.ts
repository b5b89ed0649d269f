import { describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/policy/casbin/index.ts';
import { parseCommandColumn } from '../../../src/policy/casbin/mandatory-columns.ts';
import type { CommandRef, Condition, MandatoryFacts } from '../../../src/policy/engine.ts';
import type { TaintLetter } from '../../../src/taint/index.ts';
import { commandOf, fabric, rawOf } from '../load/fixture.ts';

// What mandatory rows said is remembered. Were two sets of facts remembered as one, a refusal could be forgotten: so each
// row here looks at one fact, and every combination of facts is asked of the same engine, twice.

const bind = commandOf('bind-vppb');

/** One row for one fact: what makes it deny, and the columns that say so. */
const rows: readonly (readonly [string, (facts: MandatoryFacts) => boolean, readonly string[]])[] = [
  ['L1', ({ level }) => level !== 'none', ['integrity', '*', '*', '*', '*', '*', '*']],
  ['L2', ({ level }) => level === 'confidentiality', ['confidentiality', '*', '*', '*', '*', '*', '*']],
  ['T1', ({ taint }) => taint.includes('R'), ['*', 'R', '*', '*', '*', '*', '*']],
  ['T2', ({ taint }) => taint.includes('X') || taint.includes('V'), ['*', 'X|V', '*', '*', '*', '*', '*']],
  ['P1', ({ profile }) => profile === 'host', ['*', '*', 'host', '*', '*', '*', '*']],
  ['P2', ({ command }) => command.class === 'raw', ['*', '*', '*', 'raw', '*', '*', '*']],
  ['P3', ({ command }) => command.scope >= 2, ['*', '*', '*', '*', '>=2', '*', '*']],
  ['P4', ({ command }) => command.scope <= 1, ['*', '*', '*', '*', '<=1', '*', '*']],
  ['P5', ({ reach }) => reach === 'own', ['*', '*', '*', '*', '*', 'own', '*']],
  ['P6', ({ reach }) => reach === 'switch' || reach === 'opaque', ['*', '*', '*', '*', '*', '>=switch', '*']],
  ['B1', ({ conditions }) => conditions.has('bound'), ['*', '*', '*', '*', '*', '*', '* if bound']],
  ['Q1', ({ conditions }) => conditions.has('quirk'), ['*', '*', '*', '*', '*', '*', '* if quirk']],
  ['P7', ({ tenant }) => tenant !== 'fabric', ['*', '*', '*', '*', '*', '*', '* if caller-not-fabric']],
  ['P8', ({ underLockdown }) => underLockdown === 'off', ['*', '*', '*', '*', '*', '*', '* if under-lockdown-off']],
  ['P9', ({ command }) => command.opcode === bind.opcode, ['*', '*', '*', '*', '*', '*', 'bind-vppb']],
];

const textsOf = (
  id: string,
  [level, taint, profile, kind, scope, reach, command]: readonly string[],
  effect: string,
) => {
  const column = parseCommandColumn(command ?? '');
  if ('code' in column) throw new Error(column.message);
  const row = [id, level, taint, profile, kind, scope, reach, command, effect, `says ${id}`] as const;
  return { file: 'mandatory.csv', line: 1, row: row as unknown as RowTexts, command: column };
};
type RowTexts = Parameters<typeof createEngine>[0]['rules']['mandatory'][number]['row'];
const all = ['*', '*', '*', '*', '*', '*', '*'];
const mandatory = [textsOf('A0', all, 'allow'), ...rows.map(([id, , columns]) => textsOf(id, columns, 'deny'))];
const engine = await createEngine({
  id: 'one fact each',
  rules: { grants: [], links: [], mandatory, loosened: [] },
  fabric,
});

const commands: readonly CommandRef[] = [bind, rawOf(0xc000)];
const taints: readonly (readonly TaintLetter[])[] = [[], ['R'], ['R', 'X']];
const present: readonly ReadonlySet<Condition>[] = [new Set(), new Set(['bound']), new Set(['bound', 'quirk'])];

function* everything(): Generator<MandatoryFacts> {
  for (const level of ['none', 'integrity', 'confidentiality'] as const)
    for (const reach of ['query', 'own', 'cross-tenant', 'switch', 'opaque'] as const)
      for (const profile of ['host', 'bmc'] as const)
        for (const underLockdown of ['allow', 'reads', 'off'] as const)
          for (const taint of taints)
            for (const conditions of present)
              for (const command of commands)
                yield {
                  level,
                  reach,
                  profile,
                  underLockdown,
                  taint,
                  conditions,
                  command,
                  tenant: reach === 'own' ? 'acme' : 'fabric',
                };
}

describe('mandatory rows', () => {
  test('each answer is that of its own facts, the first time and from memory', () => {
    const wrong: unknown[] = [];
    for (const round of [1, 2])
      for (const facts of everything()) {
        const said = engine.mandatory(facts).map(({ id }) => id);
        const wanted = rows.filter(([, denies]) => denies(facts)).map(([id]) => id);
        if (said.join() !== wanted.join())
          wrong.push({ round, ...facts, conditions: [...facts.conditions], said, wanted });
      }
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  test('one opcode by name and raw are two commands, whichever was asked first', () => {
    const [facts] = everything();
    const ids = (command: CommandRef) =>
      engine.mandatory({ ...(facts as MandatoryFacts), command }).map(({ id }) => id);
    const unbind = commandOf('unbind-vppb');
    const raw: CommandRef = { ...unbind, class: 'raw', scope: 3 };
    const asked = [unbind, raw, { ...unbind, scope: 2 }, { ...unbind, class: 'allowlisted' }, unbind, raw] as const;
    expect(asked.map(ids)).toEqual([
      ['P1', 'P4'],
      ['P1', 'P2', 'P3'],
      ['P1', 'P3'],
      ['P1', 'P4'],
      ['P1', 'P4'],
      ['P1', 'P2', 'P3'],
    ]);
  });

  test('the letter of a row decides what its refusal looks like from outside', () => {
    const facts: MandatoryFacts = {
      level: 'confidentiality',
      reach: 'own',
      profile: 'host',
      underLockdown: 'allow',
      taint: ['R'],
      conditions: new Set(['bound', 'quirk']),
      command: commandOf('identify'),
      tenant: 'fabric',
    };
    const looks = engine.mandatory(facts).map(({ id, errno, returnCode, reason }) => [id, errno, returnCode, reason]);
    expect(looks).toEqual([
      ['L1', 'EPERM', undefined, 'says L1'],
      ['L2', 'EPERM', undefined, 'says L2'],
      ['T1', 'EPERM', undefined, 'says T1'],
      ['P1', 'EPERM', undefined, 'says P1'],
      ['P4', 'EPERM', undefined, 'says P4'],
      ['P5', 'EPERM', undefined, 'says P5'],
      ['B1', 'EBUSY', 2, 'says B1'],
      ['Q1', 'ENOTTY', 3, 'says Q1'],
    ]);
  });

  test.each<[string, Partial<Record<keyof MandatoryFacts, unknown>>]>([
    ['a condition', { conditions: new Set(['bound', 'sunny']) }],
    ['a lockdown level', { level: 'total' }],
    ['a profile', { profile: 'guest' }],
    ['a reach', { reach: 'far' }],
    ['a taint', { taint: ['?'] }],
    ['a restriction', { underLockdown: 'maybe' }],
    ['an opcode below 0', { command: rawOf(-1) }],
    ['an opcode over 16 bits', { command: rawOf(0x1_0000) }],
    ['half an opcode', { command: rawOf(0.5) }],
    ['a scope below 0', { command: { opcode: 0xc000, class: 'raw', scope: -1 } }],
    ['a scope over 3', { command: { opcode: 0xc000, class: 'raw', scope: 4 } }],
    ['half a scope', { command: { opcode: 0xc000, class: 'raw', scope: 1.5 } }],
    ['a set without a name', { command: { opcode: 0xc000, class: 'raw', scope: 3, set: '' } }],
    ['a slug of two words', { command: { opcode: 0xc000, class: 'raw', scope: 3, slug: 'a b' } }],
    ['a class', { command: { opcode: 0xc000, class: 'safe', scope: 3 } }],
  ])('%s that nobody knows is not decided on', (_name, strange) => {
    const facts = [...everything()][0];
    expect(() => engine.mandatory({ ...facts, ...strange } as MandatoryFacts)).toThrow(RangeError);
  });
});
