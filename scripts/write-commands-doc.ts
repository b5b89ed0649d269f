/**
 * Writes docs/commands.md from the catalogue: `node scripts/write-commands-doc.ts`. A test fails while the file is not
 * what this script would write.
 */
import { writeFileSync } from 'node:fs';
import {
  type BitRange,
  type CommandRow,
  catalogue,
  type Element,
  enumNames,
  type Field,
  isTyped,
  type Layout,
  type SizeRange,
  structs,
  type TypedRow,
  type UintField,
} from '../src/cci/index.ts';

const scopeNames = ['0 configuration', '1 debug read-only', '2 debug write', '3 debug write full'] as const;

const head = `# Commands

Written by \`node scripts/write-commands-doc.ts\` from the catalogue in \`src/cci/catalogue\`; change that, not this file.

Sizes are payload bytes, without any header. *Class* is what policy makes of the command as such; one that arrives as
raw bytes, or whose device declares more effects than the catalogue, is raw. A row without a verified layout has no
codec and is raw. *Flag* is the spelling of a parameter for \`cci run SLUG\`: a field \`port_id\` is \`--port-id\`, a part
of a bit field is \`--field.part\`. In JSON a parameter has the name of its field; bytes are hex, 64-bit numbers may be
\`0x...\` text. Counters and reserved bytes are not parameters: the first follow from their lists, the others are 0.
`;

/** The whole page. */
export function commandsDoc(): string {
  const rows: readonly CommandRow[] = catalogue;
  const sets = [...new Set(rows.map((row) => row.set))];
  const chapters = sets.map((set) => chapter(rows.filter((row) => row.set === set)));
  return [head, overview(rows), ...chapters, blocks()].join('\n');
}

function overview(rows: readonly CommandRow[]): string {
  const lines = rows.map((row) =>
    cells(
      hex(row.opcode),
      `[${row.name}](#${anchor(row)})`,
      code(row.slug),
      className(row),
      String(row.scope),
      row.mutating === false ? 'reads' : row.mutating === true ? 'changes' : 'by content',
    ),
  );
  return [
    '## All',
    '',
    cells('Opcode', 'Name', 'Slug', 'Class', 'Scope', 'State'),
    cells(...Array(6).fill('---')),
    ...lines,
    '',
  ].join('\n');
}

function chapter(rows: readonly CommandRow[]): string {
  const first = rows[0];
  if (first === undefined) return '';
  const title = `## ${hex(first.opcode).slice(0, 2)}h ${words(first.set)}`;
  return [title, '', `Selected in a grant by \`set:${first.set}\`.`, '', ...rows.map(section)].join('\n');
}

function section(row: CommandRow): string {
  const facts = [
    `- Slug \`${row.slug}\`, class ${className(row)}, scope ${scopeNames[row.scope]}`,
    ...(row.grant === 'slug-only'
      ? ['- Granted by its exact slug only: no set, class, scope or range reaches it']
      : []),
    ...(row.grant === 'never' ? ['- Cannot be granted'] : []),
    ...(row.virtual === undefined ? [] : [`- Answered by the broker on the switch itself: ${row.virtual}`]),
    ...(row.claimed === undefined
      ? []
      : [`- Kept for the broker itself (EBUSY${row.virtual === undefined ? '' : ', below a tunnel'}): ${row.claimed}`]),
    ...(row.notOffered === undefined ? [] : [`- Offered to nobody (ENOTTY): ${row.notOffered}`]),
    `- Runs on ${row.executesOn.join(', ')}; ${background(row)}; source ${row.spec}`,
    `- Request ${size(row.request ?? row.requestSize)}, reply ${size(row.response ?? row.responseSize)}`,
  ];
  const tables = isTyped(row) ? parameters(row) : [];
  return [`### ${heading(row)}`, '', ...facts, '', ...tables].join('\n');
}

function parameters(row: TypedRow): readonly string[] {
  return [
    ...table(['Flag', 'At', 'Type', 'Values'], fieldRows(row.request, true)),
    ...table(['Result', 'At', 'Type', 'Values'], fieldRows(row.response, false)),
  ];
}

/** Blocks that stand in several replies and lists. */
function blocks(): string {
  const sorted = Object.values(structs).sort((a, b) => (a.name < b.name ? -1 : 1));
  const tables = sorted.flatMap((block) => [
    `### ${block.name}`,
    '',
    ...table(['Member', 'At', 'Type', 'Values'], rowsOf(block.fields, false)),
  ]);
  return ['## Blocks', '', ...tables].join('\n').trimEnd().concat('\n');
}

function table(titles: readonly string[], rows: readonly string[]): readonly string[] {
  return rows.length === 0 ? [] : [cells(...titles), cells(...titles.map(() => '---')), ...rows, ''];
}

function fieldRows(layout: Layout, asFlags: boolean): readonly string[] {
  return rowsOf(layout.fields, asFlags);
}

function rowsOf(fields: readonly Field[], asFlags: boolean): readonly string[] {
  let offset: number | undefined = 0;
  return fields.flatMap((field) => {
    const at = offset === undefined ? 'after the field before' : `${offset}`;
    const width = widthOf(field);
    offset = offset === undefined || width === undefined ? undefined : offset + width;
    return linesOf(field, at, asFlags);
  });
}

function linesOf(field: Field, at: string, asFlags: boolean): readonly string[] {
  const spell = (...path: string[]): string =>
    code(asFlags ? `--${path.map((part) => part.replaceAll('_', '-')).join('.')}` : path.join('.'));
  switch (field.kind) {
    case 'reserved':
    case 'count':
      return [];
    case 'bits': {
      const parts = Object.entries(field.bits);
      return parts.map(([name, range]) => {
        const path = parts.length === 1 ? [field.name] : [field.name, name];
        return cells(
          spell(...path),
          `${at}, bit${bitsText(range)}`,
          partType(range),
          notes(partValues(range), field.options),
        );
      });
    }
    case 'uint':
      return [cells(spell(field.name), at, uintType(field), notes(uintValues(field), field.options))];
    case 'int':
      return [cells(spell(field.name), at, 'i16', notes('-32768 to 32767', field))];
    case 'bytes':
      return [cells(spell(field.name), at, 'bytes', notes(extentText(field), field.options))];
    case 'ascii':
      return [
        cells(spell(field.name), at, 'text', notes(`${field.width} characters at most, to the first NUL`, field)),
      ];
    case 'uuid':
      return [cells(spell(field.name), at, 'UUID', notes('', field))];
    case 'bitmap':
      return [cells(spell(field.name), at, 'bit numbers', `0 to ${field.width * 8 - 1}`)];
    case 'list':
      return [cells(spell(field.name), at, `list of ${elementText(field.element)}`, notes(listValues(field), field))];
  }
}

interface Noted {
  readonly help?: string;
  readonly secret?: true;
  readonly optional?: true;
  readonly absentIn?: string;
}

function notes(values: string, { help, secret, optional, absentIn }: Noted): string {
  const parts = [
    values,
    help,
    optional && 'may be left off',
    absentIn && `missing on devices of dialect ${absentIn}`,
    secret && 'secret: masked in logs',
  ];
  return parts.filter(Boolean).join('; ');
}

function listValues(field: Extract<Field, { kind: 'list' }>): string {
  const { element, extent, when } = field;
  const each = element.kind === 'uint' ? `each ${uintValues(element)}` : '';
  const window = extent === 'vppb-window' ? 'as many as asked for and there are' : '';
  const condition =
    when === undefined ? '' : `only if ${[when.field, when.sub].filter(Boolean).join('.')} is ${when.equals}`;
  return [each, window, condition].filter(Boolean).join('; ');
}

function elementText(element: Element): string {
  return element.kind === 'uint' ? uintType(element) : `[${element.name}](#${element.name})`;
}

function uintType(field: UintField): string {
  return field.options.enum === undefined ? `u${field.width * 8}` : 'name';
}

function uintValues({ width, options }: UintField): string {
  if (options.enum !== undefined) return enumNames(options.enum).map(code).join(', ');
  const highest = options.max ?? 2n ** BigInt(width * 8) - 1n;
  return `${options.min ?? 0} to ${highest}`;
}

function partType(range: BitRange): string {
  return range[2] !== undefined ? 'name' : range[0] === range[1] ? 'flag' : `u${range[1] - range[0] + 1}`;
}

function partValues(range: BitRange): string {
  if (range[2] !== undefined) return enumNames(range[2]).map(code).join(', ');
  return range[0] === range[1] ? '' : `0 to ${2n ** BigInt(range[1] - range[0] + 1) - 1n}`;
}

function bitsText([low, high]: BitRange): string {
  return low === high ? ` ${low}` : `s ${high}:${low}`;
}

function extentText({ extent }: Extract<Field, { kind: 'bytes' }>): string {
  if (typeof extent === 'number') return `${extent} bytes`;
  if (extent === 'rest') return 'to the end';
  return extent === 'write-data' ? 'as many as transaction_length in a write, none in a read' : 'as many as there are';
}

function widthOf(field: Field): number | undefined {
  if (field.kind === 'bytes') return typeof field.extent === 'number' ? field.extent : undefined;
  return field.kind === 'list' ? undefined : field.width;
}

function className(row: CommandRow): string {
  if (!isTyped(row)) return 'raw';
  switch (row.allowlisted) {
    case 'everywhere':
      return 'allowlisted';
    case 'tunnelled':
      return 'allowlisted below a tunnel';
    case 'cel-only':
      return 'allowlisted for the CEL, else audited';
    default:
      return 'audited';
  }
}

function background(row: CommandRow): string {
  return { never: 'in the foreground', may: 'may run in the background', always: 'runs in the background' }[
    row.background
  ];
}

function size(range: SizeRange | undefined): string {
  if (range === undefined) return 'unknown';
  if (range.max === null) return `${range.min} bytes or more`;
  return range.min === range.max ? `${range.min} bytes` : `${range.min} to ${range.max} bytes`;
}

function heading(row: CommandRow): string {
  return `${hex(row.opcode)} ${row.name}`;
}

/** The link target that Markdown renderers give a heading. */
function anchor(row: CommandRow): string {
  return heading(row)
    .toLowerCase()
    .replace(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
}

function hex(opcode: number): string {
  return `${opcode.toString(16).toUpperCase().padStart(4, '0')}h`;
}

function words(slug: string): string {
  return slug.replaceAll('-', ' ');
}

function code(text: string): string {
  return `\`${text}\``;
}

function cells(...texts: string[]): string {
  return `| ${texts.join(' | ')} |`;
}

if (import.meta.main) writeFileSync(new URL('../docs/commands.md', import.meta.url), commandsDoc());
