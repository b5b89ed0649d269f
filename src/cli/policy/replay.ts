import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { type Paint, paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { table } from '../table.ts';
import { eachDecision, journalPath } from './journal-records.ts';
import { openedPolicy, type PolicyFlags, policyFiles } from './opened.ts';
import { count, few } from './words.ts';

export interface ReplayFlags extends PolicyFlags {
  readonly json?: boolean;
  readonly journal?: string;
}

type Summary = ReturnType<import('../../policy/replay/index.ts').Replay['summary']>;
type Flip = import('../../policy/replay/index.ts').Flip;

/** Text that waits is written in pieces of this many characters. */
const PIECE = 1 << 16;

/**
 * `cci policy replay`: every past decision under a candidate policy. Ends with 3 when a past denial would be allowed, with 1
 * when only past commands would be denied, with 0 when nothing flips.
 */
export async function replay(io: Io, flags: ReplayFlags): Promise<ExitCode> {
  const files = await policyFiles(flags);
  const { Replay } = await import('../../policy/replay/index.ts');
  const run = await Replay.of(await openedPolicy(files));
  const colours = paint(io);
  let waiting = '';
  const write = (text: string): void => {
    waiting += text;
    if (waiting.length < PIECE) return;
    io.out(waiting);
    waiting = '';
  };
  const path = journalPath(flags.journal, files.config.stateDirectory);
  const { unreadable } = await eachDecision(io, path, (record) => {
    const flip = run.take(record as unknown as Parameters<typeof run.take>[0]);
    if (flip !== undefined) write(flags.json === true ? `${safeJson({ flip }, 0)}\n` : line(flip, colours));
  });
  const summary = run.summary();
  if (flags.json === true) write(`${safeJson({ summary: { ...summary, unreadable } }, 0)}\n`);
  else write(text(summary, colours));
  io.out(waiting);
  if (unreadable > 0)
    io.err(`${count(unreadable, 'line')} of the journal can't be read: \`cci audit verify\` says which\n`);
  if (summary.widened > 0) return EXIT.denied;
  return summary.narrowed > 0 ? EXIT.failed : EXIT.done;
}

function line(
  { sequence, at, principal, tenant, command, touched, before, after, because, requestId }: Flip,
  colours: Paint,
): string {
  const arrow = after === 'allow' ? colours.red(`${before} -> ${after}`) : colours.yellow(`${before} -> ${after}`);
  const why = because.map(({ text, source }) => (source === undefined ? text : `${source}: ${text}`));
  return (
    `${sequence} ${safe(at)} ${safe(requestId)} ${arrow}\n` +
    `  ${safe(principal)} of ${safe(tenant)}: ${safe(command)} on ${few(touched)}\n` +
    `  ${few(why, 3)}\n`
  );
}

function text(summary: Summary, colours: Paint): string {
  const { groups, widened, narrowed, records, replayed, unchanged, undecided, incomplete, malformed } = summary;
  const shown = groups.slice(0, 50);
  const rows = table(
    [
      { title: 'FLIPS', cell: (group) => group.count, align: 'right' },
      { title: 'TO', cell: ({ after }) => after },
      { title: 'TENANT', cell: ({ tenant }) => tenant },
      { title: 'COMMAND', cell: ({ command }) => command },
      { title: 'CALLERS', cell: ({ principals }) => principals, align: 'right' },
      { title: 'RECORDS', cell: ({ first, last }) => (first === last ? String(first) : `${first} to ${last}`) },
      { title: 'BECAUSE', cell: ({ because }) => because },
    ],
    shown,
    colours,
  );
  const notes = [
    ...(unchanged > 0 ? [`${count(unchanged, 'decision')} of these were taken with this very policy`] : []),
    ...(undecided > 0 ? [`${count(undecided, 'record')} without a decided command: no policy was asked`] : []),
    ...(incomplete > 0
      ? [`${count(incomplete, 'record')} can't be replayed: written before the journal held all facts`]
      : []),
    ...(malformed > 0 ? [`${count(malformed, 'record')} can't be replayed: malformed`] : []),
    ...(groups.length > shown.length ? [`${count(groups.length - shown.length, 'group')} more: see --json`] : []),
  ];
  const sum = `${count(records, 'record')}, ${count(replayed, 'decision')} replayed under ${summary.candidate.slice(0, 12)}`;
  const verdict =
    widened > 0
      ? colours.red(`${count(widened, 'past denial')} would be allowed, ${count(narrowed, 'past command')} denied`)
      : narrowed > 0
        ? colours.yellow(`${count(narrowed, 'past command')} would be denied, no past denial allowed`)
        : colours.green('nothing flips');
  const body = groups.length === 0 ? '' : `\n${rows}\n`;
  return `${body}${sum}\n${notes.map((note) => `  ${note}\n`).join('')}${verdict}\n`;
}
