import type { Command, Option } from 'commander';
import type { VendorRow } from '../cci/index.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

/** `cci complete -- WORDS...`: candidates for the last word, one a line. */
export async function complete(io: Io, program: Command, words: readonly string[]): Promise<ExitCode> {
  const found = await candidates(program, words, () => vendorRows(io));
  io.out(found.map((word) => `${word}\n`).join(''));
  return EXIT.done;
}

/** What could stand where the last word stands. */
export async function candidates(
  program: Command,
  words: readonly string[],
  vendor: VendorRows = async () => [],
): Promise<readonly string[]> {
  const typed = words.at(-1) ?? '';
  const { command, operands, awaited } = follow(program, words.slice(0, -1));
  const all = await allCandidates(program, command, operands, awaited, typed, vendor);
  return all.filter((word) => word.startsWith(typed)).sort();
}

/** Commands that only the broker knows. */
type VendorRows = () => Promise<readonly VendorRow[]>;

async function vendorRows(io: Io): Promise<readonly VendorRow[]> {
  return (await import('./vendor-commands.ts')).vendorRowsAtOnce(io);
}

interface Position {
  readonly command: Command;
  /** Words after the command that are not options. */
  readonly operands: readonly string[];
  /** The option or field flag whose value comes next. */
  readonly awaited: Option | string | undefined;
}

function follow(program: Command, words: readonly string[]): Position {
  let command = program;
  const operands: string[] = [];
  let awaited: Option | string | undefined;
  for (const word of words) {
    if (awaited !== undefined) {
      awaited = undefined;
    } else if (word.startsWith('-')) {
      const option = [...command.options, ...program.options].find((one) => one.long === word || one.short === word);
      awaited = option === undefined ? fieldFlag(command, word) : option.required ? option : undefined;
    } else {
      const sub = operands.length === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (sub === undefined) operands.push(word);
      else command = sub;
    }
  }
  return { command, operands, awaited };
}

function fieldFlag(command: Command, word: string): string | undefined {
  return takesSlug(command) && !word.includes('=') ? word.slice(2) : undefined;
}

function takesSlug(command: Command): boolean {
  return command.name() === 'run' || command.name() === 'can' || command.name() === 'explain';
}

async function allCandidates(
  program: Command,
  command: Command,
  operands: readonly string[],
  awaited: Option | string | undefined,
  typed: string,
  vendor: VendorRows,
): Promise<readonly string[]> {
  if (typeof awaited === 'string') return (await field(operands[0], awaited, vendor))?.values ?? [];
  if (awaited !== undefined) return awaited.argChoices ?? [];
  if (typed.startsWith('-')) {
    const options = [...command.options, ...program.options].flatMap((option) => option.long ?? []);
    return [...options, '--help', ...(takesSlug(command) ? await fieldNames(operands[0], vendor) : [])];
  }
  if (takesSlug(command)) return operands.length === 0 ? slugs(command.name(), vendor) : [];
  const visible = command.commands.filter((one) => one.name() !== 'complete').map((one) => one.name());
  return operands.length === 0 && visible.length > 0
    ? visible
    : (command.registeredArguments[operands.length]?.argChoices ?? []);
}

async function slugs(verb: string, vendor: VendorRows): Promise<readonly string[]> {
  const { catalogue, isTyped } = await import('../cci/index.ts');
  const builtin: string[] = catalogue.filter((row) => isTyped(row)).map((row) => row.slug);
  const names = [...builtin, ...(await vendor()).map((row) => row.slug)];
  return verb === 'run' ? names : [...names, 'raw'];
}

async function fieldNames(slug: string | undefined, vendor: VendorRows): Promise<readonly string[]> {
  return (await fields(slug, vendor)).map((flag) => `--${flag.name}`);
}

async function field(slug: string | undefined, name: string, vendor: VendorRows) {
  return (await fields(slug, vendor)).find((flag) => flag.name === name);
}

async function fields(slug: string | undefined, vendor: VendorRows) {
  const [{ isTyped, rowBySlug }, { fieldFlags }] = await Promise.all([
    import('../cci/index.ts'),
    import('./fields.ts'),
  ]);
  if (slug === undefined) return [];
  const row = rowBySlug(slug) ?? (await vendor()).find((one) => one.slug === slug);
  return row !== undefined && isTyped(row) ? fieldFlags(row) : [];
}
