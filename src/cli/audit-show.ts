import { type AuditFlags, journalPath, withJournal } from './audit-place.ts';
import { storyOf } from './audit-story.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { tree } from './tree.ts';
import { LocalError } from './usage-error.ts';

export interface ShowFlags extends AuditFlags {
  readonly records?: boolean;
}

/** `cci audit show ID`: one request from its first record to its last. */
export async function showId(io: Io, id: string, flags: ShowFlags): Promise<ExitCode> {
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
  else if (flags.records === true) io.out(records.map((record) => tree(record)).join('\n'));
  else {
    const { bold } = paint(io);
    const story = storyOf(records);
    const width = Math.max(...story.map(([label]) => label.length));
    io.out(`${bold('request')} ${safe(id)}\n`);
    io.out(story.map(([label, text]) => `  ${bold(label.padEnd(width))}  ${safe(text)}\n`).join(''));
  }
  return EXIT.done;
}
