import { Command, CommanderError } from 'commander';
import {
  encodePayload,
  type Field,
  fromJson,
  hex16,
  isTyped,
  parseVia,
  rowBySlug,
  type TypedRow,
  toJson,
  type ValueOf,
} from '../cci/index.ts';
import type { CommandBody } from '../client/index.ts';
import { commanderSentence } from './commander-sentence.ts';
import { type FieldFlag, fieldFlags } from './fields.ts';
import type { Io } from './io.ts';
import { nearest } from './nearest.ts';
import { slugHelp } from './slug-help.ts';
import { UsageError } from './usage-error.ts';

/** Flags beside the fields. */
export interface RunFlags {
  readonly via?: string;
  readonly params?: string;
}

/** Commands that take a slug and its fields. */
export type SlugVerb = 'run' | 'can' | 'policy explain';

/** What the words after `run` or `can` say: a request, or that help was asked for and printed. */
export type Parsed = { readonly kind: 'body'; readonly body: CommandBody } | { readonly kind: 'helped' };

/**
 * Reads `SLUG --field value ...`. Every mistake that can be found without the broker is found here.
 *
 * @param vendor the command that the words name, where it is a reviewed one of a vendor
 */
export function parseCommand(
  io: Io,
  verb: SlugVerb,
  words: readonly string[],
  flags: RunFlags,
  vendor?: TypedRow,
): Parsed {
  const [slug, ...rest] = words;
  const wantsHelp = rest.includes('--help') || rest.includes('-h');
  if (slug === undefined || slug.startsWith('-')) {
    throw new UsageError(`\`cci ${verb}\` needs the slug of a command`, '`cci show commands` lists them');
  }
  const row = rowBySlug(slug) ?? vendor;
  if (row === undefined || !isTyped(row)) {
    if (row === undefined && flags.params !== undefined && rest.length === 0)
      return body(slug, jsonOf(flags.params), flags);
    throw unknown(verb, slug);
  }
  const known = fieldFlags(row);
  if (wantsHelp) {
    io.out(slugHelp(verb, row, known));
    return { kind: 'helped' };
  }
  const given = parseFields(verb, row, known, rest);
  if (flags.params !== undefined && given !== undefined) {
    throw new UsageError('--params and flags of fields exclude each other', 'give the fields in one of the two ways');
  }
  return body(slug, checked(verb, row, flags.params === undefined ? (given ?? {}) : jsonOf(flags.params)), flags);
}

function body(slug: string, params: unknown, flags: RunFlags): Parsed {
  return { kind: 'body', body: { command: slug, params, ...viaOf(flags) } };
}

/** `--via`, checked. */
export function viaOf(flags: RunFlags): { readonly via?: string } {
  if (flags.via === undefined) return {};
  if (parseVia(flags.via) === undefined) {
    throw new UsageError(`\`${flags.via}\` is not a tunnel path`, 'it looks like port:3, port:3/ld:1 or port:3/ldpool');
  }
  return { via: flags.via };
}

function unknown(verb: string, slug: string): UsageError {
  const row = rowBySlug(slug);
  if (row !== undefined) {
    return new UsageError(
      `\`${slug}\` has no codec: it can only be sent raw`,
      `\`cci raw ${hex16(row.opcode)} --payload HEX\`, where raw commands are allowed`,
    );
  }
  const close = nearest(slug);
  const meant = close === undefined ? '`cci show commands` lists them' : `did you mean \`cci ${verb} ${close}\`?`;
  return new UsageError(`there is no command \`${slug}\``, meant);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError('--params is not JSON', `it looks like --params '{"vcs_id": 0}'`);
  }
}

/** The members that flags give, or undefined when there is none. */
function parseFields(
  verb: string,
  row: TypedRow,
  known: readonly FieldFlag[],
  words: readonly string[],
): object | undefined {
  const parser = new Command(`cci ${verb} ${row.slug}`).exitOverride().configureOutput({ writeErr: () => undefined });
  parser.helpOption(false).allowExcessArguments(false);
  for (const flag of known) {
    parser.option(`--${flag.name} ${flag.boolean ? `[${flag.placeholder}]` : `<${flag.placeholder}>`}`, flag.help);
  }
  try {
    parser.parse([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new UsageError(commanderSentence(error), `\`cci ${verb} ${row.slug} --help\` lists the fields`);
  }
  const options: { readonly [name: string]: unknown } = parser.opts();
  const params: { [name: string]: unknown } = {};
  for (const [i, flag] of known.entries()) {
    const value = options[parser.options[i]?.attributeName() ?? ''];
    if (value === undefined) continue;
    place(params, flag, flag.json ? elementsOf(flag, String(value)) : value);
  }
  return Object.keys(params).length === 0 ? undefined : params;
}

function place(params: { [name: string]: unknown }, flag: FieldFlag, value: unknown): void {
  const [outer, inner] = flag.path;
  if (inner === undefined) params[outer] = value;
  else params[outer] = { ...(params[outer] as object | undefined), [inner]: value };
}

function elementsOf(flag: FieldFlag, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--${flag.name} is not JSON`, `it looks like --${flag.name} '${flag.sample}'`);
  }
}

/** Parameters in the broker's spelling, once they are known to encode. */
function checked(verb: string, row: TypedRow, params: unknown): unknown {
  const value = fromJson(row.request, params);
  const encoded = value.ok ? encodePayload(row.request, value.value as ValueOf<readonly Field[]>) : value;
  if (value.ok && encoded.ok) return toJson(value.value);
  const error = value.ok ? (encoded.ok ? undefined : encoded.error) : value.error;
  const where = error === undefined || error.field === '' ? 'the parameters' : flagText(error.field, fieldFlags(row));
  const what = error?.message ?? 'are not valid';
  throw new UsageError(`${where} ${what}`, `\`cci ${verb} ${row.slug} --help\` lists the fields`);
}

/** `port_id_list[2]` as the flag that people typed; a field of several flags as the first of them. */
function flagText(field: string, known: readonly FieldFlag[]): string {
  const name = field.replace(/\[.*$/, '').replaceAll('_', '-');
  const parts = known.filter((flag) => flag.name.startsWith(`${name}.`));
  return parts.length === 0 ? `--${name}` : `--${parts[0]?.name} or another flag of --${name}`;
}
