import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  builtinCommands,
  catalogue,
  extendCommands,
  formOf,
  isVendorRow,
  readVendorRow,
  rowBySlug,
  sameRow,
  type VendorRow,
} from '../../src/cci/index.ts';

const text = readFileSync('test/policy/load/commands/northbay-get-port-temperature.yaml', 'utf8');
const definition = (change: object = {}): object => ({ ...(parse(text, { schema: 'failsafe' }) as object), ...change });
const problemsOf = (json: unknown): readonly string[] => {
  const problems: string[] = [];
  const row = readVendorRow(formOf(json), (path, message) => problems.push(`${path.join('.')}: ${message}`));
  expect(row === undefined).toBe(problems.length > 0);
  return problems;
};
const rowOf = (change: object = {}): VendorRow => {
  const row = readVendorRow(formOf(definition(change)), () => undefined);
  if (row === undefined) throw new Error('not sound');
  return row;
};

describe('the commands of a policy', () => {
  test('without vendor commands are the catalogue itself', () => {
    expect(extendCommands([])).toBe(builtinCommands);
    expect(builtinCommands.rows).toBe(catalogue);
    expect(builtinCommands.rowByOpcode(0xc010)).toBeUndefined();
    expect(builtinCommands.reviewed).toEqual([]);
  });

  test('have each vendor command beside the catalogue, ascending by opcode', () => {
    const [late, early] = [rowOf({ opcode: '0xffff', slug: 'late' }), rowOf()];
    const table = extendCommands([late, early]);
    expect(table.reviewed).toEqual([early, late]);
    expect(table.rows).toEqual([...catalogue, early, late]);
    expect(table.rowByOpcode(0xffff)).toBe(late);
    expect(table.rowBySlug('late')).toBe(late);
    expect(table.rowByOpcode(0x5201)).toBe(rowBySlug('bind-vppb'));
    expect(table.rowBySlug('bind-vppb')).toBe(rowBySlug('bind-vppb'));
    for (const opcode of [0xc000, 0xc011, 0x10000]) expect(table.rowByOpcode(opcode)).toBeUndefined();
    for (const slug of ['constructor', 'toString', '']) expect(table.rowBySlug(slug)).toBeUndefined();
    expect([isVendorRow(early), isVendorRow(rowBySlug('bind-vppb')), isVendorRow(undefined)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test.each([
    ['an opcode of the specification', [{ ...rowOf(), opcode: 0x5201 }], /not an opcode of a vendor/],
    ['an opcode of 17 bits', [{ ...rowOf(), opcode: 0x1c010 }], /not an opcode of a vendor/],
    ['an opcode that is no number', [{ ...rowOf(), opcode: 49168.5 }], /not an opcode of a vendor/],
    ['one opcode twice', [rowOf(), rowOf({ slug: 'other' })], /0xc010 has two rows/],
    ['one slug twice', [rowOf(), rowOf({ opcode: '0xc011' })], /`northbay-get-port-temperature` has two rows/],
    ['a slug of the specification', [{ ...rowOf(), slug: 'bind-vppb' }], /`bind-vppb` has two rows/],
  ])('never have %s', (_name, rows, message) => {
    expect(() => extendCommands(rows)).toThrow(message);
  });

  test('say the same of a command where its whole definition is the same', () => {
    expect(sameRow(rowOf(), rowOf())).toBe(true);
    expect(sameRow(rowOf(), rowOf({ reason: 'another one' }))).toBe(false);
    expect(sameRow(rowOf(), undefined)).toBe(false);
    expect(sameRow(undefined, rowOf())).toBe(false);
    expect(sameRow(undefined, undefined)).toBe(true);
    expect(sameRow(rowBySlug('bind-vppb'), rowBySlug('bind-vppb'))).toBe(true);
    expect(sameRow(rowBySlug('bind-vppb'), rowBySlug('unbind-vppb'))).toBe(false);
  });
});

describe('a definition that came over the wire', () => {
  test('is read as strictly as a file, and says the same row', () => {
    expect(problemsOf(definition())).toEqual([]);
    const row = rowOf();
    expect(JSON.parse(row.vendor.definition)).toEqual(definition());
    expect(readVendorRow(formOf(JSON.parse(row.vendor.definition)), () => undefined)).toEqual(row);
  });

  test.each([
    [undefined],
    [null],
    [7],
    ['text'],
    [[]],
    [{}],
    [{ slug: 7 }],
    [{ slug: [null] }],
    [definition({ opcode: 0xc010 })],
    [definition({ scope: '' })],
    [definition({ set: '' })],
    [definition({ __proto__: null, more: 'x' })],
  ])('%j is none', (json) => {
    expect(problemsOf(json).length).toBeGreaterThan(0);
  });

  test('nested deeper than any form is not followed', () => {
    let deep: unknown = 'x';
    for (let depth = 0; depth < 50_000; depth += 1) deep = [deep];
    expect(formOf(deep)).toBeUndefined();
    expect(formOf(['x', ['y', { z: ['w'] }]])).toEqual(['x', ['y', new Map([['z', ['w']]])]]);
  });

  test('numbers too large to be exact are refused', () => {
    const sized = (size: string) => problemsOf(definition({ request: { size, fields: [] }, touches: 'switch' }));
    expect(sized('0')).toEqual([]);
    const field = (max: string) =>
      problemsOf(definition({ touches: 'switch', request: { size: '8', fields: [{ name: 'a', uint: '8', max }] } }));
    expect(field('9007199254740991')).toEqual([]);
    expect(field('0x1fffffffffffff')).toEqual([]);
    expect(field('9007199254740992')).toHaveLength(1);
    expect(field('012')).toHaveLength(1);
  });

  test.each([
    ['the switch', 'switch', { kind: 'switch' }],
    ['a port', { 'port-field': 'port_id' }, { kind: 'port', port: 'port_id' }],
    ['an LD', { 'ld-field': 'ld', 'port-field': 'port_id' }, { kind: 'ld', port: 'port_id', ld: 'ld' }],
    ['a VCS', { 'vcs-field': 'ld' }, { kind: 'vcs', vcs: 'ld' }],
    ['a vPPB', { 'vcs-field': 'port_id', 'vppb-field': 'ld' }, { kind: 'vppb', vcs: 'port_id', vppb: 'ld' }],
  ])('may touch %s', (_name, touches, expected) => {
    const request = {
      size: '3',
      fields: [
        { name: 'port_id', uint: '1' },
        { name: 'ld', uint: '2' },
      ],
    };
    expect(rowOf({ touches, request }).vendor.touches).toEqual(expected);
  });

  test('may run in the background on the switch, which follows it', () => {
    expect(rowOf({ effects: ['background-operation'] }).background).toBe('may');
  });

  test('may read what bytes decide', () => {
    expect(rowOf({ radius: 'opaque' }).radius).toBe('opaque');
  });

  test('may count bytes, and nothing but one thing with each counter', () => {
    const fields = [
      { name: 'n', count: '2', min: '1', max: '3' },
      { name: 'a', bytes: 'n' },
      { name: 'b', bytes: 'n' },
    ];
    const response = { size: '3-5', fields: fields.slice(0, 2) };
    expect(rowOf({ response }).response.max).toBe(5);
    expect(problemsOf(definition({ response: { size: '4-8', fields } }))).toEqual([
      'response.fields.0: `n` must count exactly one list or bytes',
    ]);
  });
});
