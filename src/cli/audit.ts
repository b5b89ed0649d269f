import { join } from 'node:path';
import type { JournalRecord } from '../broker/journal/index.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { type ConfigFlags, readConfig } from './settings.ts';
import { type Column, table } from './table.ts';
import { tree } from './tree.ts';
import { LocalError, UsageError } from './usage-error.ts';

export interface AuditFlags extends ConfigFlags {
  readonly journal?: string;
  readonly lines?: string;
  readonly follow?: boolean;
  readonly json?: boolean;
}

const MOST_LINES = 100_000;

/** `cci audit tail`: the last records, oldest first; with --json one object a line. */
export async function tail(io: Io, flags: AuditFlags): Promise<ExitCode> {
  const lines = linesOf(flags.lines ?? '20');
  const path = await journalPath(flags);
  const { readJournal } = await import('../broker/journal/index.ts');
  const unreadable = { count: 0 };
  const onUnreadable = (): void => {
    unreadable.count += 1;
  };
  const options = { onUnreadable };
  const colours = paint(io);
  await withJournal(async () => {
    const records: JournalRecord[] = [];
    for await (const record of readJournal(path, { ...options, tail: lines })) records.push(record);
    if (flags.json === true) io.out(records.map((record) => `${safeJson(record, 0)}\n`).join(''));
    else io.out(table(columns, records, colours));
    if (flags.follow !== true) return;
    const signal = io.untilTold();
    let last = records.at(-1)?.seq ?? 0;
    // Begun one record back, so that none is lost between the two readings.
    for await (const record of readJournal(path, { ...options, tail: 1, follow: true, signal })) {
      if (record.seq <= last) continue;
      last = record.seq;
      io.out(
        flags.json === true
          ? `${safeJson(record, 0)}\n`
          : `${columns.map(({ cell }) => safe(String(cell(record) ?? '-'))).join('  ')}\n`,
      );
    }
  });
  if (unreadable.count > 0) {
    io.err(`${unreadable.count} lines are no records: \`cci audit verify\` says which\n`);
  }
  return EXIT.done;
}

/** `cci audit show ID`: all records of one request. */
export async function showId(io: Io, id: string, flags: AuditFlags): Promise<ExitCode> {
  const path = await journalPath(flags);
  const { showRequest } = await import('../broker/journal/index.ts');
  const records = await withJournal(() => showRequest(path, id));
  if (records.length === 0) {
    throw new LocalError(
      `the journal has no request \`${id}\``,
      '`cci audit tail` lists the last requests with their ids',
    );
  }
  if (flags.json === true) io.out(`${safeJson(records)}\n`);
  else io.out(records.map((record) => tree(record)).join('\n'));
  return EXIT.done;
}

/** `cci audit verify`: is every record as it was written? Ends with 1 when not. */
export async function verify(io: Io, flags: AuditFlags): Promise<ExitCode> {
  const path = await journalPath(flags);
  const { verifyJournal } = await import('../broker/journal/index.ts');
  const verdict = await withJournal(() => verifyJournal(path));
  if (flags.json === true) io.out(`${safeJson(verdict)}\n`);
  else {
    const colours = paint(io);
    io.out(`${verdict.intact ? colours.green('intact') : colours.red('damaged')}: ${safe(verdict.summary)}\n`);
    for (const problem of verdict.problems) io.out(`  line ${problem.line}: ${safe(problem.text)}\n`);
    if (verdict.problemCount > verdict.problems.length) {
      io.out(`  and ${verdict.problemCount - verdict.problems.length} more\n`);
    }
    if (verdict.last !== undefined)
      io.out(`last record ${verdict.last.sequence}, ${safe(verdict.last.at)}, ${safe(verdict.last.hash)}\n`);
    const open = verdict.openIntents.length;
    if (open > 0) io.out(`${open} ${open === 1 ? 'intent has' : 'intents have'} no outcome yet\n`);
    io.err('the chain is not signed: who may write the file can recompute it; keep the last hash elsewhere\n');
  }
  return verdict.intact ? EXIT.done : EXIT.failed;
}

async function journalPath(flags: AuditFlags): Promise<string> {
  return flags.journal ?? join((await readConfig(flags)).stateDirectory, 'journal');
}

async function withJournal<T>(use: () => Promise<T>): Promise<T> {
  const { JournalError } = await import('../broker/journal/index.ts');
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    throw new LocalError(error.message, 'name the directory with --journal, or the configuration with --config');
  }
}

function linesOf(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MOST_LINES) return count;
  throw new UsageError(`\`${text}\` is not a number of lines`, `give 1 to ${MOST_LINES}`);
}

/** A member of a record, whatever its kind. */
function member(record: JournalRecord, name: string): unknown {
  return Object.hasOwn(record, name) ? Reflect.get(record, name) : undefined;
}

function text(record: JournalRecord, name: string): string | undefined {
  const value = member(record, name);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

const columns: readonly Column<JournalRecord>[] = [
  { title: 'SEQ', cell: (record) => record.seq, align: 'right' },
  { title: 'AT', cell: (record) => record.at },
  { title: 'KIND', cell: (record) => record.kind },
  { title: 'BY', cell: (record) => text(record, 'principal') ?? text(record, 'by') ?? text(record, 'source') },
  { title: 'COMMAND', cell: (record) => text(record, 'command') ?? text(record, 'change') },
  { title: 'PATH', cell: (record) => text(record, 'path') },
  { title: 'VERDICT', cell: (record) => text(record, 'verdict') ?? text(record, 'outcome') ?? text(record, 'result') },
  { title: 'ERRNO', cell: (record) => text(record, 'outward') },
  { title: 'CODES', cell: (record) => codes(member(record, 'returnCodes')) },
  { title: 'REQUEST', cell: (record) => text(record, 'requestId') },
];

function codes(value: unknown): string | undefined {
  return Array.isArray(value) ? value.map((code) => Number(code).toString(16).padStart(4, '0')).join(' ') : undefined;
}
