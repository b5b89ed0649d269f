import { describe, expect, test } from 'vitest';
import { builtinCommands } from '../../../src/cci/index.ts';
import { parseSelector, type Selector } from '../../../src/policy/casbin/selector.ts';
import { type Atom, atomsOf } from '../../../src/policy/meaning/atoms.ts';
import { CommandWords } from '../../../src/policy/meaning/command-words.ts';
import { Selections } from '../../../src/policy/meaning/selections.ts';

const selectors = (...texts: readonly string[]): readonly Selector[] =>
  texts.map((text) => parseSelector(text) as Selector);
const atomsFor = (...texts: readonly string[]): readonly Atom[] => atomsOf([builtinCommands], selectors(...texts));
const plain = atomsFor();
const named = (name: string, atoms = plain): readonly Atom[] => atoms.filter((atom) => atom.name === name);

describe('a command, as rules can tell it from others', () => {
  test('typed and raw', () => {
    const ref = { opcode: 0x5201, slug: 'bind-vppb', set: 'virtual-switch', scope: 0 };
    const base = { first: 0x5201, last: 0x5201, slug: 'bind-vppb', set: 'virtual-switch', query: false };
    expect(plain.filter(({ first }) => first === 0x5201)).toEqual([
      { ...base, name: 'bind-vppb', isRaw: false, refs: [{ ...ref, class: 'audited' }] },
      { ...base, name: 'raw opcode:0x5201', isRaw: true, refs: [{ ...ref, class: 'raw' }] },
    ]);
  });

  test('of which only a slug grants what it is, which the engine is told', () => {
    expect(named('sanitize')[0]?.refs).toEqual([
      {
        opcode: 0x4400,
        slug: 'sanitize',
        set: 'sanitize-and-media-operations',
        class: 'audited',
        scope: 3,
        grant: 'slug-only',
      },
    ]);
  });

  test('a log in four ways', () => {
    const found = plain.filter(({ first }) => first === 0x0401);
    expect(
      found.map(({ name, note, isRaw, query, refs: [ref] }) => [name, note, isRaw, query, ref?.class, ref?.scope]),
    ).toEqual([
      ['get-log', 'Command Effects Log', false, true, 'allowlisted', 0],
      ['get-log', 'other logs', false, false, 'audited', 1],
      ['raw opcode:0x0401', 'Command Effects Log', true, true, 'raw', 0],
      ['raw opcode:0x0401', 'other logs', true, false, 'raw', 1],
    ]);
  });

  test('without a confirmed layout raw alone', () => {
    expect(plain.filter(({ first }) => first === 0x4900).map(({ isRaw, slug }) => [isRaw, slug])).toEqual([
      [true, 'identify-gfd'],
    ]);
  });

  test('never what nobody can be granted', () => {
    for (const opcode of [0x0000, 0x5300, 0x4500, 0x4601, 0x5104])
      expect(plain.filter(({ first, last }) => first <= opcode && opcode <= last)).toEqual([]);
  });

  test('that tenants may be granted on the switch itself', () => {
    const queries = plain.filter(({ query }) => query).map(({ name }) => name);
    expect(queries).toEqual(
      expect.arrayContaining([
        'identify',
        'raw opcode:0x0001',
        'get-event-records',
        'request-abort-background-operation',
        'raw opcode:0x0005',
      ]),
    );
    // The broker answers those itself; sent raw they would change the device.
    for (const name of ['raw opcode:0x0101', 'raw opcode:0x0004', 'bind-vppb', 'transfer-fw'])
      expect(queries).not.toContain(name);
    expect(queries).toContain('clear-event-records');
  });

  test('that has no row together with its neighbours', () => {
    expect(plain.at(-1)).toEqual({
      first: 0x5905,
      last: 0xffff,
      name: 'raw opcode:0x5905-0xffff',
      isRaw: true,
      query: false,
      refs: [{ opcode: 0x5905, class: 'raw', scope: 3 }],
    });
    expect(plain.map(({ first }) => first)).toEqual(plain.map(({ first }) => first).toSorted((a, b) => a - b));
    const raw = plain.filter(({ isRaw, note }) => isRaw && note === undefined);
    for (const [i, atom] of raw.entries()) expect(atom.first).toBeGreaterThan(raw[i - 1]?.last ?? -1);
  });

  test('is cut where a row begins or ends', () => {
    const tail = (...texts: readonly string[]) =>
      atomsFor(...texts)
        .filter(({ first }) => first >= 0x5905)
        .map(({ name }) => name);
    expect(tail('opcode:0xc000-0xc0ff')).toEqual([
      'raw opcode:0x5905-0xbfff',
      'raw opcode:0xc000-0xc0ff',
      'raw opcode:0xc100-0xffff',
    ]);
    expect(tail('opcode:0xc010', 'opcode:0xc010-0xffff')).toEqual([
      'raw opcode:0x5905-0xc00f',
      'raw opcode:0xc010',
      'raw opcode:0xc011-0xffff',
    ]);
    expect(tail('bind-vppb', 'class:audited')).toEqual(['raw opcode:0x5905-0xffff']);
  });

  test('for each console that a row names', () => {
    const found = atomsFor('console:b', 'console:a', 'console:b');
    expect(found.slice(0, 2)).toEqual(
      ['console:a', 'console:b'].map((word) => ({
        first: 0,
        last: 0,
        name: word,
        slug: word,
        isRaw: false,
        // Which tenant a program belongs to is in the configuration of each broker.
        query: true,
        refs: [{ opcode: 0, slug: word, class: 'raw', scope: 3, grant: 'console' }],
      })),
    );
    expect(found.slice(2)).toEqual(plain);
  });
});

describe('sets of commands in the words of grants', () => {
  const selections = new Selections(atomsFor('opcode:0xc000-0xc0ff', 'opcode:0xc100'), [builtinCommands]);
  const words = new CommandWords(selections);
  const reached = (...texts: readonly string[]): readonly number[] => {
    const found = texts.flatMap((text) => selections.of(0, text, parseSelector(text) as Selector, 'allow'));
    return [...new Set(found)].toSorted((a, b) => a - b);
  };

  test.each<[readonly string[], readonly string[]]>([
    [['bind-vppb'], ['bind-vppb']],
    [['class:allowlisted'], ['class:allowlisted']],
    [['class:audited'], ['class:audited']],
    [['set:virtual-switch'], ['set:virtual-switch']],
    [
      ['set:virtual-switch', 'identify'],
      ['set:virtual-switch', 'identify'],
    ],
    [
      ['bind-vppb', 'unbind-vppb'],
      ['bind-vppb', 'unbind-vppb'],
    ],
    [['scope:<=3'], ['scope:<=3']],
    [['scope:<=1'], ['scope:<=1']],
    [
      ['scope:1', 'bind-vppb'],
      ['scope:1', 'bind-vppb'],
    ],
    [['get-log'], ['get-log']],
    [
      ['class:allowlisted', 'get-log'],
      ['class:allowlisted', 'get-log'],
    ],
    [['opcode:0xc000-0xc0ff'], ['raw opcode:0xc000-0xc0ff']],
    [['opcode:0xc000-0xc0ff', 'opcode:0xc100'], ['raw opcode:0xc000-0xc100']],
    [
      ['opcode:0xc100', 'bind-vppb'],
      ['bind-vppb', 'raw opcode:0xc100'],
    ],
    [[], []],
  ])('%j', (texts, expected) => {
    expect(words.of(reached(...texts))).toEqual(expected);
  });

  test('one reading of a log by what it is', () => {
    const [effects, others] = reached('get-log');
    expect(words.of([Number(effects)])).toEqual(['get-log (Command Effects Log)']);
    expect(words.of([Number(others)])).toEqual(['get-log (other logs)']);
  });

  test('with a wider word where what it adds makes no difference', () => {
    const some = reached('bind-vppb', 'unbind-vppb');
    expect(words.of(some, reached('set:virtual-switch'))).toEqual(['set:virtual-switch']);
    expect(words.of(reached('bind-vppb'), reached('set:virtual-switch'))).toEqual(['bind-vppb']);
    const [effects] = reached('get-log');
    expect(words.of([Number(effects)], reached('get-log'))).toEqual(['get-log']);
  });

  test('safe reads that are no queries of the switch are told once', () => {
    const elsewhere = selections.elsewhere().map((i) => selections.atoms[i]?.name);
    expect(elsewhere).toEqual(expect.arrayContaining(['get-physical-port-state', 'identify-memory-device']));
    for (const name of ['identify', 'bind-vppb', 'identify-switch-device']) expect(elsewhere).not.toContain(name);
  });
});
