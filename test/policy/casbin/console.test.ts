import { describe, expect, test } from 'vitest';
import { commandOf, commandText, parseCommandText } from '../../../src/policy/casbin/command.ts';
import { isConsoleWord } from '../../../src/policy/casbin/console-word.ts';
import { createReference } from '../../../src/policy/casbin/index.ts';
import { grantProblem, isProblem, parseSelector, reaches } from '../../../src/policy/casbin/selector.ts';
import { type CommandRef, consoleRef, type MandatoryFacts } from '../../../src/policy/engine.ts';
import { diffPolicies, matrixOf, parseQuestion } from '../../../src/policy/meaning/index.ts';
import { lookAtGrants, selectorWords } from '../../../src/policy/trace/grants.ts';
import { openPolicy } from '../../../src/policy/trace/index.ts';
import { callerOf, engineOf, fabric, commandOf as known, sourceOf } from '../load/fixture.ts';
import { sideOf } from '../meaning/sides.ts';
import { reviewed } from '../review/reviewed.ts';

const ISSUER = 'https://cci-broker.local/dev';
const SWITCH = '/switches/sw0';
const tool = consoleRef('console:vendor-tool');
const rows = `
p, role:console, fabric, ${SWITCH}, console:vendor-tool, allow
p, role:second, fabric, ${SWITCH}, console-approve:vendor-tool, allow
p, role:wide, fabric, ${SWITCH}, scope:<=3, allow
p, role:wide, fabric, ${SWITCH}, opcode:0x0000-0xffff, allow
p, role:calm, fabric, ${SWITCH}, class:raw, deny
p, role:calmer, fabric, ${SWITCH}, console:vendor-tool, deny
g, user:${ISSUER}#alice, role:console, fabric
g, user:${ISSUER}#bob, role:second, fabric
g, user:${ISSUER}#carol, role:wide, fabric
g, user:${ISSUER}#dave, role:console, fabric
g, user:${ISSUER}#dave, role:calm, fabric
g, user:${ISSUER}#erin, role:console, fabric
g, user:${ISSUER}#erin, role:calmer, fabric
`;
/** What a reviewer is asked about rows of operators. */
const codesOf = async (text: string): Promise<readonly string[]> =>
  (await reviewed({ tenants: { fabric: text } })).filter(({ line }) => line >= 3).map(({ code }) => code);

const engine = await engineOf({ tenants: { fabric: rows } });
const who = (subject: string) => callerOf('fabric', { subject });

describe('the word of a console', () => {
  test.each([
    ['console:vendor-tool', true],
    ['console-approve:a', true],
    ['console:', false],
    ['console:*', false],
    ['console:Vendor', false],
    ['console:a b', false],
    ['console:a,console:b', false],
    [`console:${'a'.repeat(33)}`, false],
    ['consoles:a', false],
    ['bind-vppb', false],
  ])('%s: %s', (text, isOne) => {
    expect(isConsoleWord(text)).toBe(isOne);
    const parsed = parseSelector(text);
    expect(!isProblem(parsed) && parsed.kind === 'console').toBe(isOne);
  });

  test('can be granted whatever programs there are: those are in the configuration of each broker', () => {
    expect(grantProblem({ kind: 'console', word: 'console:x' })).toBeUndefined();
  });

  test('reaches no command, and no command reaches it', () => {
    const bind = commandOf(known('bind-vppb'));
    expect(reaches({ kind: 'console', word: 'console:vendor-tool' }, bind, 'deny')).toBe(false);
    const other = commandOf(consoleRef('console:other'));
    expect(reaches({ kind: 'console', word: 'console:vendor-tool' }, other, 'allow')).toBe(false);
    const odd = { ...commandOf({ opcode: 0xbfff, class: 'raw', scope: 3 }), slug: 'console:vendor-tool' };
    expect(reaches({ kind: 'console', word: 'console:vendor-tool' }, odd, 'deny')).toBe(false);
  });

  test('goes through casbin as it is', () => {
    const command = commandOf(tool);
    expect(commandText(command)).toBe('0x0000 console:vendor-tool - raw 3 console');
    expect(parseCommandText(commandText(command))).toEqual(command);
  });

  test.each<[string, Partial<CommandRef>]>([
    ['another name', { slug: 'vendor-tool' }],
    ['an opcode', { opcode: 0x5100 }],
    ['a class that can be judged', { class: 'audited' }],
    ['a narrow scope', { scope: 0 }],
    ['a set', { set: 'virtual-switch' }],
  ])('is never decided with %s', (_what, more) => {
    expect(() => commandOf({ ...tool, ...more })).toThrow(RangeError);
  });

  test('is never decided without a name', () => {
    expect(() => commandOf({ opcode: 0, class: 'raw', scope: 3, grant: 'console' })).toThrow('not the word');
  });
});

describe('who may open a console', () => {
  const allowed = (subject: string, ref: CommandRef = tool, path: `/switches/${string}` = SWITCH) =>
    engine.grant(who(subject), path, ref).allowed;

  test('is whoever has a row with its very word, and no row that denies it or all that is raw', () => {
    expect(['alice', 'bob', 'carol', 'dave', 'erin', 'mallory'].filter((one) => allowed(one))).toEqual(['alice']);
    expect(allowed('alice', consoleRef('console:other'))).toBe(false);
    expect(allowed('alice', tool, '/switches/sw0/ports/2')).toBe(false);
  });

  test('is not whoever confirms it, and the other way round', () => {
    const approve = consoleRef('console-approve:vendor-tool');
    expect(['alice', 'bob', 'carol'].filter((one) => allowed(one, approve))).toEqual(['bob']);
  });

  test('is found among many rows as well', async () => {
    const many = Array.from({ length: 12 }, (_, i) => `p, role:m, fabric, ${SWITCH}, console:tool-${i}, allow`);
    const big = await engineOf({ tenants: { fabric: `${many.join('\n')}\ng, user:${ISSUER}#alice, role:m, fabric` } });
    expect(big.grant(who('alice'), SWITCH, consoleRef('console:tool-7')).allowed).toBe(true);
    expect(big.grant(who('alice'), SWITCH, consoleRef('console:tool-99')).allowed).toBe(false);
  });

  test('is what the reference says as well', async () => {
    const loaded = await openPolicy(sourceOf({ tenants: { fabric: rows } }));
    if (!loaded.ok) throw new Error('it does not load');
    const reference = await createReference(loaded.value.rules, fabric);
    for (const subject of ['alice', 'bob', 'carol', 'dave', 'erin', 'mallory']) {
      for (const word of ['console:vendor-tool', 'console-approve:vendor-tool', 'console:other'] as const) {
        const ref = consoleRef(word);
        expect(reference.grant(who(subject), SWITCH, ref).allowed, `${subject} ${word}`).toBe(allowed(subject, ref));
      }
    }
  });

  test('is told what is missing', () => {
    expect(engine.nearestMiss(who('carol'), SWITCH, tool)?.missing).toBe('a console is granted by its own word alone');
    expect(engine.rolesThatCould(who('carol'), SWITCH, tool)).toEqual(['role:console']);
  });
});

describe('mandatory rows', () => {
  const facts: MandatoryFacts = {
    level: 'none',
    underLockdown: 'allow',
    taint: [],
    profile: 'bmc',
    tenant: 'fabric',
    reach: 'opaque',
    command: tool,
    conditions: new Set(['mutating', 'leaves-tenant', 'crosses-tenants']),
  };
  test.each<[string, Partial<MandatoryFacts>, readonly string[]]>([
    ['leave it alone where all gates are open', {}, []],
    ['deny it under lockdown', { level: 'integrity' }, ['L1', 'L5']],
    ['deny it in profile host', { profile: 'host' }, ['P1', 'P3']],
    ['deny it where something moved unseen', { taint: ['X'] }, ['T1']],
    ['deny it to tenants', { tenant: 'acme' }, ['P2']],
  ])('%s', (_what, more, ids) => {
    expect(engine.mandatory({ ...facts, ...more }).map(({ id }) => id)).toEqual(ids);
  });
});

describe('what people read of consoles', () => {
  const base = `p, role:reader, fabric, ${SWITCH}, class:allowlisted, allow\ng, group:tenant/fabric, role:reader, fabric\n`;
  const grant = `p, role:console, fabric, ${SWITCH}, console:vendor-tool, allow\ng, user:${ISSUER}#alice, role:console, fabric\n`;
  const side = (text: string) => sideOf({ fabric: text });

  test('a new grant is a difference, by its name', async () => {
    const diff = await diffPolicies(await side(base), await side(`${base}${grant}`));
    expect(diff.grants).toMatchObject([
      { kind: 'widened', commands: ['console:vendor-tool'], resources: [SWITCH], after: { allowed: true } },
    ]);
    expect((await diffPolicies(await side(`${base}${grant}`), await side(`${base}${grant}`))).grants).toEqual([]);
  });

  test('the matrix has it', async () => {
    const matrix = await matrixOf(await side(`${base}${grant}`), 'bmc');
    expect(JSON.stringify(matrix)).toContain('console:vendor-tool');
  });

  test('a question about it is not answered by half', () => {
    const parsed = parseQuestion('who can console:vendor-tool on /switches/sw0', engine);
    expect(parsed).toMatchObject({ ok: false, problem: { message: '`console:vendor-tool` is no command' } });
  });

  test('a reviewer is asked about one that everybody has, and about no other', async () => {
    const everybody = `p, role:reader, fabric, ${SWITCH}, console:vendor-tool, allow\n`;
    expect(await codesOf(`${base}${everybody}`)).toEqual(['grant-to-everybody']);
    expect(await codesOf(`${base}${grant}`)).toEqual([]);
    expect(await codesOf(`${base}${everybody.replace('allow', 'deny')}`)).toEqual([]);
  });

  test('an explanation says what its rows are about', async () => {
    expect(selectorWords({ kind: 'console', word: 'console:vendor-tool' }, '')).toBe(
      'the console `console:vendor-tool`',
    );
    const loaded = await openPolicy(sourceOf({ tenants: { fabric: rows } }));
    if (!loaded.ok) throw new Error('it does not load');
    const look = lookAtGrants(loaded.value, who('carol'), SWITCH, tool);
    expect(look.rows.flatMap(({ unfit }) => unfit)).toContain('a console is granted by its own name alone');
  });
});
