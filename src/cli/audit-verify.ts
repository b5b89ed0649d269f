import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { JournalVerdict, RecordingVerdict } from '../broker/journal/index.ts';
import { type FoundKey, findKey } from './audit-key.ts';
import { type AuditFlags, journalPath, withJournal } from './audit-place.ts';
import { recordingDirectory } from './console/recording-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { readConfig } from './settings.ts';
import { LocalError } from './usage-error.ts';

export interface VerifyFlags extends AuditFlags {
  readonly key?: readonly string[];
  readonly witness?: readonly string[];
  readonly recordings?: string;
}

/** `cci audit verify`: is every record as it was written? Ends with 1 when not. */
export async function verify(io: Io, flags: VerifyFlags): Promise<ExitCode> {
  const path = await journalPath(flags);
  const keys = await keysOf(flags);
  const { verifyJournal } = await import('../broker/journal/index.ts');
  const recordings = await recordingsOf(path, flags);
  const options = {
    keys: keys.map(({ pem }) => pem),
    witnesses: flags.witness ?? [],
    ...(recordings === undefined ? {} : { recordings }),
  };
  const verdict = await withJournal(() => verifyJournal(path, options));
  if (flags.json === true) io.out(`${safeJson(verdict)}\n`);
  else {
    const { green, red } = paint(io);
    io.out(`${verdict.intact ? green('intact') : red('damaged')}: ${safe(verdict.summary)}\n`);
    io.out(problems(verdict));
    io.out(
      findings(verdict)
        .map((line) => `${safe(line)}\n`)
        .join(''),
    );
    io.err(
      caveats(verdict, keys)
        .map((line) => `${safe(line)}\n`)
        .join(''),
    );
  }
  return verdict.intact ? EXIT.done : EXIT.failed;
}

/**
 * Where recordings of consoles are: in the state directory beside the journal. A copy of a journal need not have them;
 * for the journal of this machine a directory that is not there is one that was removed.
 */
async function recordingsOf(journal: string, flags: VerifyFlags): Promise<string | undefined> {
  if (flags.recordings !== undefined) return flags.recordings;
  if (flags.journal === undefined) return recordingDirectory(await readConfig(flags));
  const beside = join(dirname(journal), 'recordings');
  const isThere = await stat(beside).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isThere ? beside : undefined;
}

async function keysOf(flags: VerifyFlags): Promise<readonly FoundKey[]> {
  if (flags.key === undefined) {
    const found = await findKey(flags);
    return found === undefined ? [] : [found];
  }
  return Promise.all(
    flags.key.map(async (path) => {
      const pem = await readFile(path, 'utf8').catch(() => undefined);
      if (pem === undefined) throw new LocalError(`the key \`${path}\` can't be read`, '`cci audit key` prints it');
      return { pem, path, isBeside: false };
    }),
  );
}

function problems({ problems: found, problemCount }: JournalVerdict): string {
  const lines = found.map(({ file, line, sequence, kind, text }) => {
    const number = sequence === undefined ? '' : ` (sequence ${sequence})`;
    return `  ${safe(file)} line ${line}${number}: ${kind}: ${safe(text)}\n`;
  });
  const more = problemCount - found.length;
  return `${lines.join('')}${more > 0 ? `  and ${more} more\n` : ''}`;
}

/** What is known now, a line each. */
function findings(verdict: JournalVerdict): readonly string[] {
  const { first, last, segments, signed, witnesses, openIntents, recordings } = verdict;
  const checkpoint = signed?.last;
  return [
    ...(first !== undefined && first.sequence > 1
      ? [`it begins with sequence ${first.sequence} in ${segments[0]?.file}: what was before is not here`]
      : []),
    ...(signed === undefined
      ? []
      : checkpoint === undefined
        ? ['no checkpoint in it was signed with the given key']
        : [
            `signed and complete up to checkpoint ${checkpoint.sequence} of ${checkpoint.at}, ${checkpoint.hash}` +
              (signed.unsigned === 0 ? '' : `; ${signed.unsigned} records after it are not signed yet`),
          ]),
    ...witnesses.map(({ witness, sequence, at, found }) =>
      found
        ? `nothing is missing up to checkpoint ${sequence} of ${at}, the newest of witness ${witness}`
        : `witness ${witness} does not agree`,
    ),
    ...(last === undefined ? [] : [`last record ${last.sequence}, ${last.at}, ${last.hash}`]),
    ...(recordings?.files ?? []).map(recordingText),
    ...(openIntents.length === 0
      ? []
      : [`${openIntents.length} ${openIntents.length === 1 ? 'intent has' : 'intents have'} no outcome yet`]),
  ];
}

/** What is said before and behind the second up to which it can be relied on. */
const recordingStates: { readonly [S in RecordingVerdict['state']]: readonly [before: string, behind: string] } = {
  whole: ['is whole and as it was written up to', ''],
  running: ['is as it was written so far up to', ''],
  unfinished: [
    'is as it was written up to',
    '; it has no end: it could not be written any more, or the broker stopped first',
  ],
  damaged: ["can't be relied on after", ''],
};

function recordingText({ file, state, trustedMs, trustedAt, unlinkedBytes }: RecordingVerdict): string {
  const [before, behind] = recordingStates[state];
  const rest = unlinkedBytes === 0 ? '' : `; nothing vouches for the ${unlinkedBytes} bytes behind that`;
  if (trustedAt === undefined) return `recording ${file} can't be relied on${rest}`;
  return `recording ${file} ${before} second ${(trustedMs / 1000).toFixed(1)} (${trustedAt})${behind}${rest}`;
}

/** What is not known. */
function caveats(verdict: JournalVerdict, keys: readonly FoundKey[]): readonly string[] {
  const { signed, witnesses, last, unseenRecordings = 0 } = verdict;
  const beside = keys.find(({ isBeside }) => isBeside);
  const until = signed?.last ?? last;
  return [
    ...(keys.length === 0
      ? ['no key was given (--key): the chain alone is not signed, who may write the files can recompute it']
      : []),
    ...(beside === undefined
      ? []
      : [
          `the key lay beside the journal (${beside.path}): who replaced both goes unseen; give the one that you kept with --key`,
        ]),
    ...(unseenRecordings === 0
      ? []
      : [`the journal names ${unseenRecordings} recordings of consoles that were not looked at: give --recordings`]),
    ...(witnesses.length === 0 && until !== undefined
      ? [
          `whether anything after sequence ${until.sequence} of ${until.at} was removed can't be told without a --witness`,
        ]
      : []),
  ];
}
