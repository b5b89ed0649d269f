import { readFile } from 'node:fs/promises';
import type { JournalVerdict } from '../broker/journal/index.ts';
import { type FoundKey, findKey } from './audit-key.ts';
import { type AuditFlags, journalPath, withJournal } from './audit-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { LocalError } from './usage-error.ts';

export interface VerifyFlags extends AuditFlags {
  readonly key?: readonly string[];
  readonly witness?: readonly string[];
}

/** `cci audit verify`: is every record as it was written? Ends with 1 when not. */
export async function verify(io: Io, flags: VerifyFlags): Promise<ExitCode> {
  const path = await journalPath(flags);
  const keys = await keysOf(flags);
  const { verifyJournal } = await import('../broker/journal/index.ts');
  const options = { keys: keys.map(({ pem }) => pem), witnesses: flags.witness ?? [] };
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
function findings({ first, last, segments, signed, witnesses, openIntents }: JournalVerdict): readonly string[] {
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
    ...(openIntents.length === 0
      ? []
      : [`${openIntents.length} ${openIntents.length === 1 ? 'intent has' : 'intents have'} no outcome yet`]),
  ];
}

/** What is not known. */
function caveats({ signed, witnesses, last }: JournalVerdict, keys: readonly FoundKey[]): readonly string[] {
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
    ...(witnesses.length === 0 && until !== undefined
      ? [
          `whether anything after sequence ${until.sequence} of ${until.at} was removed can't be told without a --witness`,
        ]
      : []),
  ];
}
