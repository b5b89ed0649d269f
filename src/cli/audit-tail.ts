import type { JournalRecord, RecordFilter, RecordKind } from '../broker/journal/index.ts';
import { type AuditFlags, journalPath, withJournal } from './audit-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { type Column, table } from './table.ts';
import { UsageError } from './usage-error.ts';

export interface TailFlags extends AuditFlags {
  readonly lines?: string;
  readonly follow?: boolean;
  readonly tenant?: string;
  readonly principal?: string;
  readonly class?: 'allowlisted' | 'audited' | 'raw';
  readonly flag?: NonNullable<RecordFilter['flag']>;
  readonly kind?: readonly string[];
  readonly since?: string;
  readonly until?: string;
}

const MOST_LINES = 100_000;

/** `cci audit tail`: the last records that pass the filters, oldest first; with --json one object a line. */
export async function tail(io: Io, flags: TailFlags): Promise<ExitCode> {
  const lines = linesOf(flags.lines ?? '20');
  const { readJournal, recordKinds } = await import('../broker/journal/index.ts');
  const filter = filterOf(flags, recordKinds);
  const path = await journalPath(flags);
  let unreadable = 0;
  const first: JournalRecord[] = [];
  let isShown = false;
  const show = (): void => {
    isShown = true;
    if (flags.json === true) io.out(first.map((record) => `${safeJson(record, 0)}\n`).join(''));
    else io.out(table(columns, first, paint(io)));
  };
  await withJournal(async () => {
    const options = {
      filter,
      tail: lines,
      onUnreadable: () => {
        unreadable += 1;
      },
      ...(flags.follow === true ? { follow: true, signal: io.untilTold(), onTail: show } : {}),
    };
    for await (const record of readJournal(path, options)) {
      if (!isShown) first.push(record);
      else if (flags.json === true) io.out(`${safeJson(record, 0)}\n`);
      else io.out(`${columns.map(({ cell }) => safe(String(cell(record) ?? '-'))).join('  ')}\n`);
    }
    if (!isShown) show();
  });
  if (unreadable > 0) io.err(`${unreadable} lines are no records: \`cci audit verify\` says which\n`);
  return EXIT.done;
}

function filterOf(flags: TailFlags, known: readonly RecordKind[]): RecordFilter {
  const { tenant, principal, class: commandClass, flag, since, until } = flags;
  return {
    kinds: kindsOf(flags.kind, known),
    ...(tenant === undefined ? {} : { tenant }),
    ...(principal === undefined ? {} : { principal }),
    ...(commandClass === undefined ? {} : { class: commandClass }),
    ...(flag === undefined ? {} : { flag }),
    ...(since === undefined ? {} : { sinceMs: momentOf(since) }),
    ...(until === undefined ? {} : { untilMs: momentOf(until) }),
  };
}

/** Checkpoints are the journal's own affair: they are shown to who asks for them. */
function kindsOf(asked: readonly string[] | undefined, known: readonly RecordKind[]): readonly RecordKind[] {
  if (asked === undefined) return known.filter((kind) => kind !== 'checkpoint');
  return asked.map((name) => {
    const kind = known.find((one) => one === name);
    if (kind === undefined) throw new UsageError(`\`${name}\` is no kind of record`, `there are ${known.join(', ')}`);
    return kind;
  });
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A moment, as a date or as the time that has passed since. */
function momentOf(text: string): number {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit !== '') return Date.now() - Number(count) * (UNIT_MS[unit] ?? 0);
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new UsageError(
    `\`${text}\` is no moment`,
    'give 15m, 2h or 1d ago, or a date such as 2026-03-01T08:00:00Z (UTC)',
  );
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
