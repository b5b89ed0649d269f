import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type BytesField,
  type CommandRow,
  catalogue,
  type Field,
  isTyped,
  type ListField,
  structs,
} from '../../src/cci/index.ts';

// `reference/*.txt` were read from the specification, and know nothing of the catalogue.

const rows: readonly CommandRow[] = catalogue;
const sets = [...new Set(rows.map(({ set }) => set))];
const opcodeText = ({ opcode }: CommandRow): string => opcode.toString(16).padStart(4, '0');

function linesOf(file: string): readonly string[] {
  const text = readFileSync(new URL(`./reference/${file}`, import.meta.url), 'utf8');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** Blocks of `fields.txt` by their first line. */
const blocks = new Map<string, string[]>();
for (const line of linesOf('fields.txt')) {
  if (line.startsWith('  ')) [...blocks.values()].at(-1)?.push(line.trim());
  else blocks.set(line, []);
}

function wireLines(fields: readonly Field[]): readonly string[] {
  let offset: number | undefined = 0;
  return fields.map((field) => {
    const width = widthOf(field);
    const name = field.kind === 'reserved' ? 'reserved' : field.name;
    const many = (field.kind === 'bytes' && width === undefined) || field.kind === 'list' ? manyOf(field) : '';
    const line = `${offset ?? '*'}+${width ?? '*'} ${name}${many}${arrowOf(field)}`;
    offset = offset === undefined || width === undefined ? undefined : offset + width;
    return line;
  });
}

function widthOf(field: Field): number | undefined {
  if (field.kind === 'list') return undefined;
  if (field.kind !== 'bytes') return field.width;
  return typeof field.extent === 'number' ? field.extent : undefined;
}

function manyOf(field: BytesField | ListField): string {
  const many = typeof field.extent === 'object' ? field.extent.counter : field.extent;
  if (field.kind === 'bytes') return ` [${many}] of bytes`;
  return ` [${many}] of ${field.element.kind === 'struct' ? field.element.name : `u${field.element.width * 8}`}`;
}

function arrowOf(field: Field): string {
  const target = 'options' in field ? field.options.target : 'target' in field ? field.target : undefined;
  const named = field.kind === 'bitmap' ? field.owner : target;
  return named === undefined ? '' : ` -> ${named}`;
}

describe('the catalogue agrees with the specification', () => {
  test.each(sets)('on who executes what, what is supported where and what it disturbs: %s', (set) => {
    const chosen = rows.filter((row) => row.set === set);
    const found = chosen.map((row) => {
      const { deviceMailbox, type3Mctp, switchHostMailbox, switchFmInterface } = row.support;
      const support = [deviceMailbox, type3Mctp, switchHostMailbox, switchFmInterface].join(' ');
      const effects = row.effects?.toString(16).padStart(4, '0') ?? '-';
      return [opcodeText(row), row.executesOn.join(' '), support, effects, row.radius].join(' | ');
    });
    const opcodes = new Set(chosen.map(opcodeText));
    expect(found).toEqual(linesOf('commands.txt').filter((line) => opcodes.has(line.slice(0, 4))));
  });

  test.each(sets)('on every byte of the payloads, and on the objects that fields name: %s', (set) => {
    for (const row of rows.filter((one) => one.set === set)) {
      if (!isTyped(row)) continue;
      for (const side of ['request', 'response'] as const)
        expect(wireLines(row[side].fields), `${row.slug} ${side}`).toEqual(
          blocks.get(`${opcodeText(row)} ${side}`) ?? [],
        );
    }
  });

  test.each(Object.values(structs).filter((block) => block !== structs.portState))(
    'on every byte of the block $name',
    ({ name, fields }) => {
      expect(wireLines(fields)).toEqual(blocks.get(`block ${name}`));
    },
  );

  test('on what there is: no command and no block more or less', () => {
    const typed = rows.filter(isTyped);
    const sides = typed.flatMap((row) =>
      (['request', 'response'] as const)
        .filter((side) => row[side].fields.length > 0)
        .map((side) => `${opcodeText(row)} ${side}`),
    );
    const names = Object.values(structs).filter((block) => block !== structs.portState);
    expect([...sides, ...names.map(({ name }) => `block ${name}`)].toSorted()).toEqual([...blocks.keys()].toSorted());
    expect(linesOf('commands.txt')).toHaveLength(rows.length);
  });
});

test('the state of a port is the same bytes in an event as in the port information block', () => {
  expect(structs.portInfoBlock.fields.slice(1, -1)).toEqual(structs.portState.fields);
  expect(structs.portState.name).toBe('port_state');
});

test('counters of lists that a command needs have the bounds of the specification', () => {
  const bounds = rows.flatMap((row) =>
    isTyped(row)
      ? (['request', 'response'] as const).flatMap((side) =>
          row[side].fields.flatMap((field) =>
            field.kind === 'count' && (field.min !== undefined || field.max !== undefined || field.when !== undefined)
              ? [[opcodeText(row), side, field.name, field.min, field.max, field.when]]
              : [],
          ),
        )
      : [],
  );
  expect(bounds).toEqual([
    ['4800', 'response', 'number_of_regions_returned', undefined, 8, undefined],
    ['5101', 'request', 'number_of_ports', 1, undefined, undefined],
    ['5200', 'request', 'number_of_vcss', 1, undefined, undefined],
    ['5601', 'response', 'number_of_regions_returned', undefined, 8, undefined],
    ['5604', 'request', 'extent_count', undefined, undefined, { field: 'selection_policy', equals: 'prescriptive' }],
    [
      '5605',
      'request',
      'extent_count',
      undefined,
      undefined,
      { field: 'flags', sub: 'removal_policy', equals: 'prescriptive' },
    ],
  ]);
});
