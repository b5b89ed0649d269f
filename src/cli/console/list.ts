import type { ConsoleListing, ConsoleRequest, ConsoleSummary } from '../../client/index.ts';
import { type CommonFlags, connect } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { paint } from '../paint.ts';
import { safe, safeJson } from '../safe-text.ts';
import { type Column, facts, table } from '../table.ts';
import { LocalError, UsageError } from '../usage-error.ts';
import { clock } from './open.ts';

/** `cci console list`: what may be opened, what waits, what is open. */
export async function listConsoles(io: Io, flags: CommonFlags): Promise<ExitCode> {
  const { client, json } = await connect(io, flags);
  const listing = await client.consoles();
  if (json) io.out(`${safeJson(listing)}\n`);
  else print(io, listing);
  return EXIT.done;
}

function print(io: Io, { unavailable, programs, requests, sessions }: ConsoleListing): void {
  const colours = paint(io);
  if (unavailable !== undefined) io.err(`no console can be opened: ${safe(unavailable)}\n`);
  const open = requests.filter(({ state }) => state === 'waiting' || state === 'ready');
  const tables = [
    ...(programs.length === 0 ? [] : [table(programColumns, programs, colours)]),
    ...(open.length === 0 ? [] : [table(requestColumns, open, colours)]),
    ...(sessions.length === 0 ? [] : [table(sessionColumns, sessions, colours)]),
  ];
  if (tables.length === 0) io.err('nothing here concerns you\n');
  io.out(tables.join('\n'));
}

const programColumns: readonly Column<ConsoleListing['programs'][number]>[] = [
  { title: 'PROGRAM', cell: ({ name }) => name },
  { title: 'SECOND PERSON', cell: ({ approval }) => approval },
  { title: 'WHAT', cell: ({ title }) => title },
];

const requestColumns: readonly Column<ConsoleRequest>[] = [
  { title: 'REQUEST', cell: ({ id }) => id },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'UNTIL', cell: ({ expiresAtMs }) => clock(expiresAtMs) },
  { title: 'PROGRAM', cell: ({ program }) => program },
  { title: 'WHO', cell: ({ principal }) => principal },
  { title: 'WHY', cell: ({ reason }) => reason },
];

const sessionColumns: readonly Column<ConsoleSummary>[] = [
  { title: 'SESSION', cell: ({ id }) => id },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'UNTIL', cell: ({ endsAtMs }) => clock(endsAtMs) },
  { title: 'PROGRAM', cell: ({ program }) => program },
  { title: 'WHO', cell: ({ principal }) => principal },
  { title: 'WATCHED BY', cell: ({ watchers }) => watchers.join(' ') },
  { title: 'WHY', cell: ({ reason }) => reason },
];

/** `cci console kill ID --reason TEXT` */
export async function killConsole(
  io: Io,
  id: string,
  flags: CommonFlags & { readonly reason?: string },
): Promise<ExitCode> {
  const { client, json } = await connect(io, flags);
  const ended = await client.killConsole(id, flags.reason ?? 'ended by hand');
  if (json) io.out(`${safeJson(ended)}\n`);
  else io.out(`${safe(ended.program)} of ${safe(ended.principal)} is being ended\n`);
  return EXIT.done;
}

/**
 * `cci console approve REQUEST [--digest D]`: says yes to what somebody else wants. Shows what it is first, and asks where
 * somebody can answer; without a terminal the digest has to be given.
 */
export async function approveConsole(
  io: Io,
  id: string,
  flags: CommonFlags & { readonly digest?: string },
): Promise<ExitCode> {
  const { client, json } = await connect(io, flags);
  let digest = flags.digest;
  if (digest === undefined) {
    if (process.stdin.isTTY !== true) {
      throw new UsageError('say what you say yes to', 'give --digest with the digest that the other person was shown');
    }
    const request = (await client.consoles()).requests.find((one) => one.id === id);
    if (request === undefined)
      throw new LocalError('there is no such request for you', '`cci console list` shows them');
    io.err(requestText(io, request));
    const { createInterface } = await import('node:readline/promises');
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await lines.question(
      'Is that digest the one that he was shown, and do you want this to happen? [yes/no] ',
    );
    lines.close();
    if (answer.trim().toLowerCase() !== 'yes') {
      io.err('nothing was said; `cci console deny` says no\n');
      return EXIT.failed;
    }
    ({ digest } = request);
  }
  const decided = await client.approveConsole(id, digest);
  if (json) io.out(`${safeJson(decided)}\n`);
  else
    io.out(
      `confirmed: ${safe(decided.principal)} may open ${safe(decided.program)} now; \`cci console list\` has the session to watch\n`,
    );
  return EXIT.done;
}

function requestText(io: Io, request: ConsoleRequest): string {
  return facts(
    [
      ['who', `${request.principal} of ${request.tenant}`],
      ['program', `${request.program} on ${request.switch}`],
      ['why', request.reason],
      ['for', `${Math.round(request.durationMs / 1000)} s`],
      ['until', clock(request.expiresAtMs)],
      ['digest', request.digest],
    ],
    paint(io, 'err'),
  );
}

/** `cci console deny REQUEST --reason TEXT` */
export async function denyConsole(
  io: Io,
  id: string,
  flags: CommonFlags & { readonly reason?: string },
): Promise<ExitCode> {
  const { client, json } = await connect(io, flags);
  const decided = await client.denyConsole(id, flags.reason ?? 'denied by hand');
  if (json) io.out(`${safeJson(decided)}\n`);
  else io.out(`denied: ${safe(decided.program)} for ${safe(decided.principal)}\n`);
  return EXIT.done;
}
