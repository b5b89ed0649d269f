import { type BitRange, type EnumRef, enumNames, type Field, type TypedRow, type UintField } from '../cci/index.ts';

/** One flag of `cci run SLUG`: a field of the command, or one part of a field of bits. */
export interface FieldFlag {
  /** `--request-control.transaction-type` without its dashes. */
  readonly name: string;
  /** Where its value goes in the parameters: `['request_control', 'transaction_type']`. */
  readonly path: readonly [string] | readonly [string, string];
  /** What stands in the help for its value. */
  readonly placeholder: string;
  /** Type, range, names. */
  readonly help: string;
  readonly required: boolean;
  /** Shown in the example: required, or the likely one of several that may be left out. */
  readonly shown: boolean;
  /** `--flag` alone means true. */
  readonly boolean: boolean;
  /** Its value is JSON, not text. */
  readonly json: boolean;
  /** A value that fits. */
  readonly sample: string;
  /** Every value there is, where they have names. */
  readonly values?: readonly string[];
}

/** Flags of a command, in the order of its fields. */
export function fieldFlags(row: TypedRow): readonly FieldFlag[] {
  return row.request.fields.flatMap(flagsOf);
}

function flagsOf(field: Field): readonly FieldFlag[] {
  switch (field.kind) {
    case 'reserved':
    case 'count':
      return [];
    case 'bits': {
      const parts = Object.entries(field.bits);
      const optional = field.options.optional === true;
      const only = parts.length === 1 ? parts[0] : undefined;
      if (only !== undefined) return [bitFlag([field.name], only[1], optional, field.options.help)];
      const flags = parts.map(([name, range]) => bitFlag([field.name, name], range, optional, field.options.help));
      // Of flags that are all false if not given, one has to be: a forgotten field must not become zeros.
      return optional || flags.some(({ required }) => required)
        ? flags
        : flags.map((flag, i) => ({ ...flag, shown: i === 0 }));
    }
    case 'uint':
      return [{ ...base([field.name], field.options.optional === true), ...uintHelp(field) }];
    case 'int':
      return [{ ...base([field.name]), placeholder: 'n', help: withNote('-32768 to 32767', field.help), sample: '0' }];
    case 'ascii':
      return [{ ...base([field.name]), placeholder: 'text', help: `up to ${field.width} characters`, sample: 'text' }];
    case 'uuid':
      return [
        {
          ...base([field.name]),
          placeholder: 'uuid',
          help: withNote('UUID', field.help),
          sample: '0da9c0b5-bf41-4b78-8f79-96b1623b3f17',
        },
      ];
    case 'bytes': {
      const fixed = typeof field.extent === 'number' ? field.extent : undefined;
      const size = fixed === undefined ? 'bytes as hex' : `${fixed} bytes as hex`;
      return [
        {
          ...base([field.name], true),
          placeholder: 'hex',
          help: withNote(`${size}, ${fixed === undefined ? 'none' : 'zeros'} if not given`, field.options.help),
          sample: '00'.repeat(fixed ?? 4),
        },
      ];
    }
    case 'bitmap':
      return [
        {
          ...base([field.name], true),
          placeholder: 'bits',
          help: `bit numbers 0 to ${field.width * 8 - 1}, such as 1,2,4-7`,
          sample: '0',
        },
      ];
    case 'list':
      return [listFlag(field)];
  }
}

function listFlag(field: Extract<Field, { kind: 'list' }>): FieldFlag {
  const { element, when } = field;
  const shown = when === undefined;
  const only = when === undefined ? '' : `only with --${flagName([when.field, when.sub])} ${when.equals}; `;
  if (element.kind === 'uint') {
    const one = uintHelp(element);
    const help = withNote(`${only}list such as 1,2,4-7; each ${one.help}`, field.help);
    return { ...base([field.name], true), shown, placeholder: 'list', help, sample: one.sample };
  }
  const members = element.fields.flatMap((part) => ('name' in part && part.kind !== 'count' ? [part.name] : []));
  return {
    ...base([field.name], true),
    placeholder: 'json',
    shown,
    help: withNote(`${only}JSON list of objects of ${members.join(', ')}`, field.help),
    json: true,
    sample: `[{${element.fields.map(sampleMember).filter(Boolean).join(',')}}]`,
  };
}

function sampleMember(field: Field): string {
  if (!('name' in field) || field.kind === 'count') return '';
  return `"${field.name}":${field.kind === 'bytes' ? `"${'00'.repeat(Number(field.extent) || 0)}"` : '0'}`;
}

function bitFlag(path: FieldFlag['path'], range: BitRange, optional: boolean, note?: string): FieldFlag {
  if (range[2] !== undefined) return { ...base(path, optional), ...enumHelp(range[2], note) };
  if (range[0] === range[1]) {
    return {
      ...base(path, true),
      placeholder: 'true|false',
      help: withNote('false if not given', note),
      boolean: true,
      sample: 'true',
      values: ['true', 'false'],
    };
  }
  const highest = (1n << BigInt(range[1] - range[0] + 1)) - 1n;
  return { ...base(path, optional), placeholder: 'n', help: withNote(`0 to ${highest}`, note), sample: '0' };
}

function base(path: FieldFlag['path'], optional = false) {
  return { name: flagName(path), path, required: !optional, shown: !optional, boolean: false, json: false };
}

function flagName(path: readonly (string | undefined)[]): string {
  return path.flatMap((part) => part?.replaceAll('_', '-') ?? []).join('.');
}

function uintHelp(field: UintField): Pick<FieldFlag, 'placeholder' | 'help' | 'sample' | 'values'> {
  const { options } = field;
  if (options.enum !== undefined) return enumHelp(options.enum, options.help);
  const min = options.min ?? 0;
  const max = options.max ?? (field.width === 8 ? '2^64-1' : 256 ** field.width - 1);
  return { placeholder: 'n', help: withNote(`${min} to ${max}`, options.help), sample: String(min) };
}

function enumHelp(
  name: EnumRef,
  note: string | undefined,
): Pick<FieldFlag, 'placeholder' | 'help' | 'sample' | 'values'> {
  const names: readonly string[] = enumNames(name);
  return {
    placeholder: 'name',
    help: withNote(`one of ${names.join(', ')}`, note),
    sample: names[0] ?? '0',
    values: names,
  };
}

function withNote(help: string, note: string | undefined): string {
  return note === undefined ? help : `${help}; ${note}`;
}
