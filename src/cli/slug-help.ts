import { hex16, type TypedRow } from '../cci/index.ts';
import type { SlugVerb } from './command-line.ts';
import type { FieldFlag } from './fields.ts';

const SCOPES = ['configuration', 'debug read-only', 'debug write', 'debug write full'] as const;

/** Help of one command of the catalogue: what it is, its fields, an example. */
export function slugHelp(verb: SlugVerb, row: TypedRow, flags: readonly FieldFlag[]): string {
  const lines = [
    `Usage: cci ${verb} ${row.slug}${flags.length === 0 ? '' : ' [fields]'} [--via PATH]${verb === 'run' ? ' [--wait]' : ''}`,
    '',
    `${row.name}, opcode ${hex16(row.opcode)}, ${origin(row)}. ${sentence(row)}`,
  ];
  const note = row.notOffered ?? (row.virtual === undefined ? row.claimed : undefined);
  if (note !== undefined) lines.push(`Refused to everybody: ${note}.`);
  if (row.virtual !== undefined) lines.push(`On the switch itself the broker answers it: ${row.virtual}.`);
  if (flags.length > 0) {
    const heads = flags.map((flag) => `--${flag.name} <${flag.placeholder}>`);
    const width = Math.max(...heads.map((head) => head.length));
    lines.push('', 'Fields:');
    flags.forEach((flag, i) => {
      lines.push(`  ${(heads[i] ?? '').padEnd(width)}  ${flag.help}${flag.required ? ' (required)' : ''}`);
    });
  }
  lines.push(
    '',
    'Others:',
    '  --params <json>  all fields at once, as JSON with underscores in names',
    '  --via <path>     tunnel: port:3, port:3/ld:1 or port:3/ldpool',
    ...(verb === 'run' ? ['  --wait           wait until a background operation has ended'] : []),
    '  --json           the whole answer as JSON',
    ...(verb === 'policy explain'
      ? ['', '`cci policy explain --help` lists the flags for the caller and the state of the fabric.']
      : []),
    '',
    'Example:',
    `  $ cci ${verb} ${row.slug}${example(row, flags)}${verb === 'policy explain' ? ' --tenant acme' : ''}`,
  );
  return `${lines.join('\n')}\n`;
}

/** Where its layout comes from. */
function origin({ spec, vendor }: TypedRow): string {
  if (vendor === undefined) return `CXL ${spec}`;
  return `a vendor's, reviewed by ${vendor.review.reviewer} on ${vendor.review.date} (${spec})`;
}

function sentence(row: TypedRow): string {
  const change = row.mutating === false ? 'Reads' : row.mutating === true ? 'Changes state' : 'Reads or changes state';
  const background =
    row.background === 'never' ? '' : `, ${row.background === 'may' ? 'may run' : 'runs'} in the background`;
  return `${change}${background}; scope ${row.scope} (${SCOPES[row.scope]}); executes on ${row.executesOn.join(', ')}.`;
}

function example(row: TypedRow, flags: readonly FieldFlag[]): string {
  const shown = flags.filter((flag) => flag.shown);
  const fields = shown.map((flag) => ` --${flag.name} ${flag.json ? `'${flag.sample}'` : flag.sample}`).join('');
  return fields + exampleVia(row);
}

function exampleVia(row: TypedRow): string {
  if (row.executesOn.includes('switch')) return '';
  if (row.executesOn.some((component) => component === 'sld' || component === 'fm-owned-ld')) return ' --via port:3';
  if (row.executesOn.includes('ld')) return ' --via port:3/ld:1';
  return row.executesOn.includes('ld-pool-cci') ? ' --via port:3/ldpool' : ' --via port:3';
}
