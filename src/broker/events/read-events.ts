import { err, ok, RC, type Result } from '../../cci/index.ts';
import { errnoTable, type Principal, type ResourcePath } from '../../policy/index.ts';
import type { Credential, EventPage, EventQuery } from '../core-api.ts';
import { authenticateAgain } from '../pipeline/authenticate.ts';
import type { Refusal, Request, Services } from '../pipeline/context.ts';
import { seenSwitch } from '../pipeline/seen-switch.ts';

const LIMIT = { usual: 100, most: 1000 } as const;
const WAIT_MOST_MS = 60_000;
/** A timer counts in whole milliseconds of another clock, and may end one before a token does. */
const TIMER_EARLY_MS = 2;
/** What a caller must be granted on the switch: the feed tells what the command tells. */
const COMMAND = 'get-event-records';

/**
 * A caller's events, oldest first; where there are none yet it waits for one. Who may is asked again after the wait: a
 * token that ended meanwhile reads nothing.
 */
export async function readEvents(
  services: Services,
  credential: Credential,
  principal: Principal,
  request: Request,
  switchName: string,
  query: EventQuery,
): Promise<Result<EventPage, Refusal>> {
  const limit = query.limit ?? LIMIT.usual;
  const waitMs = query.waitMs ?? 0;
  if (!isWithin(limit, 1, LIMIT.most)) return badParameter('limit', `\`limit\` is 1 to ${LIMIT.most}`);
  if (!isWithin(waitMs, 0, WAIT_MOST_MS)) return badParameter('waitMs', `\`waitMs\` is 0 to ${WAIT_MOST_MS}`);
  const first = look(services, principal, switchName, query.after, limit);
  if (!first.ok || first.value.page.events.length > 0 || waitMs === 0) return pageIn(first);
  const { runtime, page } = first.value;
  if (!runtime.events.hasRoom(principal.tenant)) return err(tooMany);
  const left = principal.expiresAtMs - services.nowMs() + TIMER_EARLY_MS;
  await runtime.events.wait(principal.tenant, Math.max(0, Math.min(waitMs, left)));
  const again = await authenticateAgain(services, credential, request);
  if (!again.ok) return again;
  // From where it stood before the wait: `now` would have moved on.
  return pageIn(look(services, again.value, switchName, page.next, limit));
}

function look(services: Services, principal: Principal, switchName: string, after: string | undefined, limit: number) {
  const runtime = seenSwitch(services, principal, switchName);
  if (runtime === undefined) return err(notThere);
  const path: ResourcePath = `/switches/${runtime.name}`;
  const { lockdown, underLockdown } = runtime.posture.posture();
  const isOff = underLockdown === 'off' && lockdown.effective !== 'none';
  if (isOff || !services.policy.current.grant(principal, path, COMMAND).allowed) return err(notGranted);
  const page = runtime.events.page(principal.tenant, after, limit);
  return page === undefined ? badParameter('after', '`after` is the id of an event, or `now`') : ok({ runtime, page });
}

function pageIn(result: ReturnType<typeof look>): Result<EventPage, Refusal> {
  return result.ok ? ok(result.value.page) : result;
}

function isWithin(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function badParameter(field: string, detail: string): Result<never, Refusal> {
  return err({ code: 'EPARAM', detail, field, returnCode: RC.invalidInput });
}

const notThere: Refusal = {
  code: 'ENOENT',
  detail: 'there is no such thing here for you',
  returnCode: errnoTable.EPERM.returnCode,
};
const notGranted: Refusal = {
  code: 'EPERM',
  detail: `not permitted: events need a grant of \`${COMMAND}\` on the switch`,
  returnCode: errnoTable.EPERM.returnCode,
};
const tooMany: Refusal = {
  code: 'EAGAIN',
  detail: 'too many readers of one tenant wait for events',
  returnCode: errnoTable.EAGAIN.returnCode,
  retryAfterMs: 1000,
};
