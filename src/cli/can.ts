import type { CommandBody, Decision } from '../client/index.ts';
import { parseCommand } from './command-line.ts';
import { connect } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { type Paint, paint } from './paint.ts';
import { type RunCommandFlags, rawBody } from './run.ts';
import { safe, safeJson } from './safe-text.ts';
import { facts, table } from './table.ts';
import { UsageError } from './usage-error.ts';

/** `cci can SLUG ...` and `cci can raw OPCODE ...`: decides without running. Denied ends with status 3. */
export async function can(io: Io, words: readonly string[], flags: RunCommandFlags): Promise<ExitCode> {
  const body = words[0] === 'raw' ? rawRequest(words, flags) : commandRequest(io, words, flags);
  if (body === undefined) return EXIT.done;
  const session = await connect(io, flags);
  const decision = await session.client.decide(body);
  io.out(session.json ? `${safeJson(decision)}\n` : explain(decision, paint(io)));
  return decision.verdict === 'allow' ? EXIT.done : EXIT.denied;
}

function commandRequest(io: Io, words: readonly string[], flags: RunCommandFlags): CommandBody | undefined {
  if (flags.payload !== undefined) throw new UsageError('--payload is for `cci can raw`', 'drop it, or name an opcode');
  const parsed = parseCommand(io, 'can', words, flags);
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
        ['class', decision.class],
        ['scope', decision.scope],
        ['reach', decision.reach],
        ['touches', decision.touched?.join(', ')],
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
    for (const reason of decision.reasons) {
      const where = reason.source === undefined ? '' : ` [${reason.source}]`;
      parts.push(`  ${safe(`${reason.rule} (${reason.step}): ${reason.text}${where}`)}\n`);
    }
  }
  if (decision.wouldNeed !== undefined && decision.wouldNeed.length > 0) {
    parts.push('\nWhat would have to be granted:\n', ...decision.wouldNeed.map((need) => `  ${safe(need)}\n`));
  }
  return parts.join('');
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
