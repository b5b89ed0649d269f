import type { CommandBody, Decision } from '../client/index.ts';
import {
  againstSentence,
  classWords,
  commandWords,
  reachWords,
  resourceWords,
  scopeWords,
  startSentence,
} from '../policy/words/index.ts';
import { parseCommand } from './command-line.ts';
import { connect } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { type Paint, paint } from './paint.ts';
import { type RunCommandFlags, rawBody } from './run.ts';
import { safe, safeJson } from './safe-text.ts';
import { facts, table } from './table.ts';
import { UsageError } from './usage-error.ts';
import { vendorRowOf } from './vendor-commands.ts';

/** `cci can SLUG ...` and `cci can raw OPCODE ...`: decides without running. Denied ends with status 3. */
export async function can(io: Io, words: readonly string[], flags: RunCommandFlags): Promise<ExitCode> {
  const body = words[0] === 'raw' ? rawRequest(words, flags) : await commandRequest(io, words, flags);
  if (body === undefined) return EXIT.done;
  const session = await connect(io, flags);
  const decision = await session.client.decide(body);
  io.out(session.json ? `${safeJson(decision)}\n` : explain(decision, paint(io)));
  return decision.verdict === 'allow' ? EXIT.done : EXIT.denied;
}

async function commandRequest(
  io: Io,
  words: readonly string[],
  flags: RunCommandFlags,
): Promise<CommandBody | undefined> {
  if (flags.payload !== undefined) throw new UsageError('--payload is for `cci can raw`', 'drop it, or name an opcode');
  const parsed = parseCommand(io, 'can', words, flags, await vendorRowOf(io, words, flags));
  return parsed.kind === 'body' ? parsed.body : undefined;
}

function rawRequest(words: readonly string[], flags: RunCommandFlags): CommandBody {
  const [, opcode, ...rest] = words;
  if (opcode === undefined || rest.length > 0) {
    throw new UsageError('`cci can raw` needs one opcode', '`cci can raw 0xc010 --payload 00ff`');
  }
  return rawBody(opcode, flags);
}

function explain(decision: Decision, colours: Paint): string {
  const verdict = decision.verdict === 'allow' ? colours.green('allowed') : colours.red('denied');
  const parts = [
    `${verdict}${decision.outward === undefined ? '' : `: ${safe(decision.outward.detail)} (${safe(decision.outward.code)})`}\n`,
  ];
  const known = facts(
    (
      [
        ['command', decision.command],
        ['does', decision.command === undefined ? undefined : commandWords(decision.command)],
        ['class', worded(decision.class, classWords)],
        ['scope', decision.scope === undefined ? undefined : scopeWords(decision.scope).replace(/^scope /, '')],
        ['reach', worded(decision.reach, reachWords)],
        ['touches', decision.touched?.map((path) => `${resourceWords(path)} (${path})`).join(', ')],
        ['asked for', decision.narrowed?.asked.join(', ')],
        ['left of it', decision.narrowed?.kept.join(', ')],
        ['policy', decision.snapshot.slice(0, 12)],
      ] as const
    ).filter(([, value]) => value !== undefined),
    colours,
  );
  parts.push(known);
  if (decision.grants !== undefined && decision.grants.length > 0) {
    parts.push('\n', grantTable(decision.grants, colours));
  }
  if (decision.reasons !== undefined && decision.reasons.length > 0) {
    parts.push('\nWhat stands against it:\n');
    for (const reason of decision.reasons) parts.push(`  ${safe(againstSentence(reason))}\n`);
  }
  if (decision.wouldNeed !== undefined && decision.wouldNeed.length > 0) {
    parts.push(
      '\nWhat would have to be granted:\n',
      ...decision.wouldNeed.map((need) => `  ${safe(startSentence(need))}\n`),
    );
  }
  return parts.join('');
}

/** `audited: a reviewed command ...`; the word itself where nobody has put it into others. */
function worded(word: string | undefined, words: (word: string) => string): string | undefined {
  if (word === undefined) return undefined;
  return words(word) === word ? word : `${word}: ${words(word)}`;
}

function grantTable(grants: NonNullable<Decision['grants']>, colours: Paint): string {
  return table(
    [
      { title: 'RESOURCE', cell: (grant) => grant.resource },
      {
        title: 'GRANTED',
        cell: (grant) => grant.allowed,
        paint: (grant, text) => (grant.allowed ? colours.green(text) : colours.red(text)),
      },
      { title: 'ROW', cell: (grant) => grant.rule },
      { title: 'FROM', cell: (grant) => grant.source },
    ],
    grants,
    colours,
  );
}
