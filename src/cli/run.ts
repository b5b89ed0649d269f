import { isSuccess } from '../cci/index.ts';
import type { CommandAnswer, CommandBody } from '../client/index.ts';
import { parseCommand, type RunFlags, viaOf } from './command-line.ts';
import { type CommonFlags, connect, type Session } from './connection.ts';
import { EXIT, type ExitCode, errorTable } from './exit-codes.ts';
import type { Io } from './io.ts';
import { parseDuration, parseHex, parseOpcode } from './numbers.ts';
import { paint } from './paint.ts';
import { safe, safeJson } from './safe-text.ts';
import { tree } from './tree.ts';
import { UsageError } from './usage-error.ts';
import { vendorRowOf } from './vendor-commands.ts';
import { waitForOperation } from './wait.ts';

export interface RunCommandFlags extends CommonFlags, RunFlags {
  readonly wait?: boolean;
  readonly deadline?: string;
  readonly payload?: string;
}

/** `cci run SLUG ...` */
export async function run(io: Io, words: readonly string[], flags: RunCommandFlags): Promise<ExitCode> {
  const parsed = parseCommand(io, 'run', words, flags, await vendorRowOf(io, words, flags));
  return parsed.kind === 'helped' ? EXIT.done : submit(await connect(io, flags), parsed.body, flags);
}

/** `cci raw OPCODE` */
export async function raw(io: Io, opcode: string, flags: RunCommandFlags): Promise<ExitCode> {
  return submit(await connect(io, flags), rawBody(opcode, flags), flags);
}

/** The request of `raw OPCODE --payload HEX --via PATH`. */
export function rawBody(opcode: string, flags: RunCommandFlags): CommandBody {
  return { raw: { opcode: parseOpcode(opcode), payload: parseHex(flags.payload ?? '') }, ...viaOf(flags) };
}

async function submit(session: Session, body: CommandBody, flags: RunCommandFlags): Promise<ExitCode> {
  const answer = await session.client.submit(body, deadlineOf(flags));
  show(session, answer);
  if (!isSuccess(answer.returnCode)) {
    const where =
      answer.layers === undefined || answer.layers.length < 2 ? '' : ` in layer ${answer.layers.length - 1}`;
    deviceSays(session.io, `the device answered ${answer.returnCodeName}${where}`, answer.requestId);
    return EXIT.device;
  }
  if (answer.background === undefined) return EXIT.done;
  if (flags.wait === true) return waitForOperation(session, answer.background.operation);
  session.io.err(`runs on in the background as operation ${safe(answer.background.operation)}\n`);
  return EXIT.done;
}

const DEADLINE_MOST_MS = 600_000;

/** How long the command may wait for its turn, from `--deadline`. */
function deadlineOf({ deadline }: RunCommandFlags): { readonly deadlineMs?: number } {
  if (deadline === undefined) return {};
  const deadlineMs = parseDuration(deadline);
  if (deadlineMs >= 1 && deadlineMs <= DEADLINE_MOST_MS) return { deadlineMs };
  throw new UsageError(`a command cannot have ${safe(deadline)} to be sent`, 'give 1ms to 10m');
}

function show(session: Session, answer: CommandAnswer): void {
  const { io } = session;
  if (session.json) io.out(`${safeJson(answer)}\n`);
  else if (answer.result !== undefined) io.out(isEmptyObject(answer.result) ? '' : tree(answer.result));
  else if (answer.payload !== '') io.out(`${safe(answer.payload)}\n`);
  if (!session.json && answer.returnCode === 0 && !hasData(answer))
    io.err(`done (request ${safe(answer.requestId)})\n`);
}

function hasData(answer: CommandAnswer): boolean {
  return answer.result === undefined ? answer.payload !== '' : !isEmptyObject(answer.result);
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

function deviceSays(io: Io, sentence: string, requestId: string): void {
  const colours = paint(io, 'err');
  io.err(`${colours.red('cci:')} ${safe(sentence)} (EDEVICE, request ${safe(requestId)})\n`);
  io.err(`  ${colours.dim('next:')} ${errorTable.EDEVICE.next}\n`);
}
