import { describe, expect, test } from 'vitest';
import { builtinCommands } from '../../../src/cci/index.ts';
import type { MandatoryRule } from '../../../src/policy/casbin/rules.ts';
import { parseSelector, type Selector } from '../../../src/policy/casbin/selector.ts';
import type { MandatoryFacts, RuleEngine } from '../../../src/policy/engine.ts';
import type { PathKind } from '../../../src/policy/fabric/index.ts';
import { BestCase, isUsableBy } from '../../../src/policy/review/best-case.ts';
import type { Extent } from '../../../src/policy/review/extent.ts';
import { Forms, type Given } from '../../../src/policy/review/forms.ts';

const forms = new Forms(builtinCommands);

function given(text: string): Given {
  return forms.givenBy(text, parseSelector(text) as Selector, 'allow');
}

/** An engine that denies what it is told to, and keeps what it was asked. */
function asking(denies: (facts: MandatoryFacts) => readonly string[] = () => ['L9']) {
  const asked: MandatoryFacts[] = [];
  const mandatory = (facts: MandatoryFacts) => {
    asked.push(facts);
    return denies(facts).map((id) => ({ id, source: '', reason: '', errno: 'EPERM' as const }));
  };
  return { asked, engine: { commands: builtinCommands, mandatory } as unknown as RuleEngine };
}

const covering = (owner: string, ...kinds: PathKind[]): Extent => new Map([[owner, new Set(kinds)]]);

describe('the best of days for a command', () => {
  const days: readonly (readonly [string, string, PathKind, MandatoryFacts['reach'], readonly string[]])[] = [
    ['identify-switch-device', 'acme', 'switch', 'query', []],
    ['bind-vppb', 'acme', 'port', 'own', ['mutating']],
    ['transfer-fw', 'fabric', 'switch', 'switch', ['mutating']],
    ['transfer-fw', 'acme', 'switch', 'switch', ['mutating']],
    ['transfer-fw', 'fabric', 'port', 'own', ['mutating']],
    ['get-fw-info', 'fabric', 'switch', 'query', []],
    ['set-feature', 'fabric', 'port', 'opaque', ['mutating', 'immediate-effect']],
    ['clear-log', 'acme', 'port', 'own', ['mutating', 'other-log']],
    ['get-log-capabilities', 'acme', 'port', 'query', []],
    ['request-abort-background-operation', 'acme', 'switch', 'own', ['mutating']],
    ['request-abort-background-operation', 'fabric', 'switch', 'switch', ['mutating']],
    ['set-timestamp', 'acme', 'switch', 'query', []],
  ];

  test.each(days)('%s of %s on a %s', (slug, tenant, kind, reach, conditions) => {
    const { asked, engine } = asking();
    const best = new BestCase(engine, [], 'bmc');
    expect(best.deniers(tenant, given(slug), covering(tenant, kind))).toEqual(['L9']);
    expect(asked.map(({ conditions, command, ...facts }) => ({ ...facts, conditions: [...conditions] }))).toEqual([
      { level: 'none', underLockdown: 'allow', taint: [], profile: 'bmc', tenant, reach, conditions },
    ]);
    expect(asked[0]?.command.slug).toBe(slug);
  });

  test('a slug that can be decided in two ways is asked about in both', () => {
    const { asked, engine } = asking();
    new BestCase(engine, [], 'host').deniers('acme', given('get-log'), covering('acme', 'port'));
    expect(asked.map(({ command, conditions }) => [command.class, command.scope, [...conditions]])).toEqual([
      ['allowlisted', 0, []],
      ['audited', 1, ['other-log']],
    ]);
  });

  test('is asked for once, for tenants and operators, for the switch and for what hangs on it', () => {
    const { asked, engine } = asking();
    const best = new BestCase(engine, [], 'host');
    const row = given('identify');
    for (const tenant of ['acme', 'globex', 'fabric']) {
      for (const kind of ['port', 'ld', 'switch'] as const) best.deniers(tenant, row, covering(tenant, kind));
    }
    expect(asked.map(({ tenant }) => tenant)).toEqual(['acme', 'acme', 'fabric', 'fabric']);
  });

  test('leaves something as soon as one form is not denied', () => {
    const { engine } = asking(({ command }) => (command.class === 'audited' ? ['L6'] : []));
    const best = new BestCase(engine, [], 'host');
    expect(best.deniers('acme', given('get-log'), covering('acme', 'port'))).toBeUndefined();
    expect(best.deniers('acme', given('clear-log'), covering('acme', 'port'))).toEqual(['L6']);
  });

  test('names every rule that is in the way, once', () => {
    const { engine } = asking(({ command }) => (command.slug === 'bind-vppb' ? ['B1', 'P2'] : ['P2', 'T1']));
    const best = new BestCase(engine, [], 'host');
    expect(best.deniers('acme', given('set:virtual-switch'), covering('acme', 'port', 'vcs', 'vppb'))).toEqual([
      'P2',
      'T1',
      'B1',
    ]);
  });
});

describe('opcodes that are submitted raw', () => {
  const rule = (command: string): MandatoryRule =>
    ({ command: { selectors: command.split('|').map((word) => parseSelector(word)) } }) as unknown as MandatoryRule;
  const askedOf = (row: string, ...rules: readonly string[]) => {
    const { asked, engine } = asking();
    const denied = new BestCase(engine, rules.map(rule), 'bmc').deniers(
      'fabric',
      { forms: [], raw: given(row).raw },
      covering('fabric', 'port'),
    );
    expect(denied).toEqual(['L9']);
    return asked.map(({ command, reach, conditions }) => {
      expect([command.class, command.scope, command.slug, reach, conditions.size]).toEqual([
        'raw',
        3,
        undefined,
        'query',
        0,
      ]);
      return command.opcode.toString(16);
    });
  };

  test('are asked about where the range begins', () => {
    expect(askedOf('opcode:0xc010')).toEqual(['c010']);
    expect(askedOf('opcode:0xc000-0xffff')).toEqual(['c000']);
  });

  test('and wherever a rule begins or has ended', () => {
    expect(askedOf('opcode:0xc000-0xc0ff', 'opcode:0xc010-0xc01f|bind-vppb', 'opcode:0xc0ff')).toEqual([
      'c000',
      'c010',
      'c020',
      'c0ff',
    ]);
    expect(askedOf('opcode:0xc000-0xc0ff', 'opcode:0xc0f0', 'opcode:0xc00f')).toEqual([
      'c000',
      'c00f',
      'c010',
      'c0f0',
      'c0f1',
    ]);
    expect(askedOf('opcode:0xc010-0xc020', 'opcode:0xc010-0xc01f')).toEqual(['c010', 'c020']);
    expect(askedOf('opcode:0xc010-0xc01f', 'opcode:0xc000-0xc01f')).toEqual(['c010']);
    expect(askedOf('opcode:0xfff0-0xffff', 'opcode:0xff00-0xffff')).toEqual(['fff0']);
  });

  test('and at each command of the catalogue, and behind it', () => {
    expect(askedOf('opcode:0x51ff-0x5205')).toEqual(['51ff', '5200', '5201', '5202', '5203', '5204']);
  });

  test('are left when one opcode of a range is', () => {
    const { engine } = asking(({ command }) => (command.opcode === 0xc010 ? [] : ['P1', 'T1']));
    const best = new BestCase(engine, [rule('opcode:0xc010')], 'bmc');
    const raw = (text: string) => ({ forms: [], raw: given(text).raw });
    expect(best.deniers('fabric', raw('opcode:0xc000-0xc0ff'), covering('fabric', 'port'))).toBeUndefined();
    expect(best.deniers('fabric', raw('opcode:0xc011-0xc0ff'), covering('fabric', 'port'))).toEqual(['P1', 'T1']);
  });
});

describe('a row can speak for a command', () => {
  const kinds = new Set<PathKind>(['port', 'switch']);
  test.each([
    ['on what is its own', 'acme', 'allow', 0x5102, covering('acme', 'port'), true],
    ['not on what is another one', 'acme', 'allow', 0x5102, covering('globex', 'port'), false],
    ['to deny, on what is anybody', 'acme', 'deny', 0x5102, covering('globex', 'port'), true],
    ['for operators, on what is anybody', 'fabric', 'allow', 0x5102, covering('globex', 'port'), true],
    ['not on what it does not touch', 'fabric', 'allow', 0x5102, covering('fabric', 'vcs'), false],
    ['a query of the switch, for everybody', 'acme', 'allow', 0x5100, covering('fabric', 'switch'), true],
    ['no change of the switch, for tenants', 'acme', 'allow', 0x5102, covering('fabric', 'switch'), false],
    ['a query of the switch is none of a port', 'acme', 'allow', 0x5100, covering('fabric', 'port'), false],
    ['not where nothing is covered', 'fabric', 'allow', 0x5100, new Map(), false],
  ] as const)('%s', (_name, tenant, effect, opcode, extent, expected) => {
    expect(isUsableBy(tenant, effect, opcode, kinds, extent)).toBe(expected);
  });
});
