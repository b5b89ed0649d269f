import { err, ok, type Result } from '../../cci/index.ts';
import type {
  ConsoleInput,
  ConsoleOpened,
  ConsolePage,
  ConsoleQuery,
  ConsoleSeat,
  ConsoleSessionView,
} from '../console-api.ts';
import type { Refusal } from '../pipeline/index.ts';
import { checkReason, checkSize } from './asking.ts';
import { noteConsole } from './records.ts';
import { badParameter, consoleRefusals } from './refusals.ts';
import type { Seat } from './seats.ts';
import { type Call, type ConsoleService, WAIT_MAX_MS } from './service.ts';
import type { ConsoleSession } from './session.ts';

const INPUT_MAX = 65_536;

type Answer<T> = Promise<Result<T, Refusal>>;
interface Sitting {
  readonly session: ConsoleSession;
  readonly seat: Seat;
}

/**
 * Whoever is at a session, by the word of his seat: it has to be his own, and his token and rights are looked at with each
 * call. What is not there and what is not his look the same.
 */
function sitting(
  service: ConsoleService,
  { party, runtime }: Call,
  { session: id, seat: word }: ConsoleSeat,
): Sitting | undefined {
  const session = service.session(runtime, id);
  const seat = typeof word === 'string' ? session?.seats.find(word, party.principal.name) : undefined;
  if (session === undefined || seat === undefined) return undefined;
  const isAllowed = seat.owner ? party.principal.scopes.includes('cci:console') : service.mayWatch(party, session);
  if (!isAllowed) return undefined;
  // A token that was renewed counts from now on.
  seat.party = party;
  return { session, seat };
}

export async function watchConsole(service: ConsoleService, call: Call, id: string): Answer<ConsoleOpened> {
  const session = service.session(call.runtime, id);
  if (session === undefined || session.hasEnded || !service.mayWatch(call.party, session))
    return err(consoleRefusals.notThere);
  const seat = session.watch(call.party);
  return seat === undefined
    ? err(consoleRefusals.watchersFull)
    : ok(service.opened(session, seat.word, session.startOffset));
}

export async function readConsole(service: ConsoleService, call: Call, query: ConsoleQuery): Answer<ConsolePage> {
  const found = sitting(service, call, query);
  if (found === undefined) return err(consoleRefusals.notThere);
  const { after, acknowledged, change = 0, waitMs = 0 } = query;
  if (!isOffset(after)) return err(badParameter('after', 'an offset is a number of bytes'));
  if (acknowledged !== undefined && !isOffset(acknowledged)) {
    return err(badParameter('acknowledged', 'an offset is a number of bytes'));
  }
  const ms = Math.min(Math.max(0, Number(waitMs) || 0), WAIT_MAX_MS);
  const page = await found.session.read(found.seat, after, acknowledged, change, ms);
  // He may have waited for long. What he is not allowed to see any more he does not see.
  if (!(await call.party.stillValid())) return err(consoleRefusals.tokenEnded);
  if (!found.seat.owner && !service.mayWatch(call.party, found.session)) return err(consoleRefusals.notThere);
  if (page.ended !== undefined) found.seat.told = true;
  return ok(page);
}

export async function writeConsole(
  service: ConsoleService,
  call: Call,
  input: ConsoleInput,
): Answer<{ readonly inputOffset: number }> {
  const found = sitting(service, call, input);
  // Whoever looks on has no keyboard.
  if (found === undefined || !found.seat.owner) return err(consoleRefusals.notThere);
  const { offset, bytes } = input;
  if (!isOffset(offset)) return err(badParameter('offset', 'an offset is a number of bytes'));
  if (!(bytes instanceof Uint8Array) || bytes.length === 0 || bytes.length > INPUT_MAX) {
    return err(badParameter('bytes', `input is 1 to ${INPUT_MAX} bytes`));
  }
  const inputOffset = await found.session.write(offset, bytes);
  return inputOffset === undefined ? err(consoleRefusals.missingInput) : ok({ inputOffset });
}

export async function resizeConsole(
  service: ConsoleService,
  call: Call,
  place: ConsoleSeat,
  columns: number,
  rows: number,
): Answer<ConsoleSessionView> {
  const found = sitting(service, call, place);
  if (found === undefined || !found.seat.owner) return err(consoleRefusals.notThere);
  const bad = checkSize(columns, rows);
  if (bad !== undefined) return err(bad);
  found.session.resize(columns, rows);
  return ok(found.session.view());
}

export async function leaveConsole(service: ConsoleService, call: Call, place: ConsoleSeat): Answer<null> {
  const found = sitting(service, call, place);
  if (found === undefined) return err(consoleRefusals.notThere);
  found.session.leave(found.seat);
  return ok(null);
}

export async function closeConsole(service: ConsoleService, call: Call, place: ConsoleSeat): Answer<null> {
  const found = sitting(service, call, place);
  if (found === undefined || !found.seat.owner) return err(consoleRefusals.notThere);
  found.session.end('closed');
  return ok(null);
}

export async function killConsole(
  service: ConsoleService,
  call: Call,
  id: string,
  reason: string,
): Answer<ConsoleSessionView> {
  const bad = checkReason(reason, 1);
  if (bad !== undefined) return err(bad);
  const session = service.session(call.runtime, id);
  const isOwn = session?.settings.opener.principal.name === call.party.principal.name;
  if (session === undefined || session.hasEnded || !(isOwn || service.mayWatch(call.party, session))) {
    return err(consoleRefusals.notThere);
  }
  const { name } = call.party.principal;
  // First it ends, then that is written down: a journal that fails keeps nobody at a keyboard.
  session.end('killed', `${name} ended it: ${reason}`);
  noteConsole(service.parts.services, { ...call, program: session.settings.program }, 'killed', {
    session: id,
    details: { reason },
  });
  return ok(session.view());
}

function isOffset(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
