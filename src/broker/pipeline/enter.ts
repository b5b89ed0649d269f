import { err, ok, type Result } from '../../cci/index.ts';
import { errnoTable, FABRIC_TENANT, type Principal } from '../../policy/index.ts';
import { laneOf, type Turn } from '../schedule/index.ts';
import type { Refusal, Request, Services } from './context.ts';

/**
 * Waits for a share of this process's time. The turn ends when the request waits for something else, or is done; call
 * its `end` as often as you like.
 */
export async function enter(
  { entrance }: Pick<Services, 'entrance'>,
  principal: Principal,
  { cancellation, deadlineMs }: Partial<Pick<Request, 'cancellation' | 'deadlineMs'>>,
): Promise<Result<Turn, Refusal>> {
  const asked = entrance.ask({
    tenant: principal.tenant,
    lane: laneOf(principal.tenant === FABRIC_TENANT),
    ...(cancellation === undefined ? {} : { cancellation }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const turn = asked instanceof Promise ? await asked : asked;
  if (turn.kind === 'turn') return ok(turn);
  const { why, retryAfterMs } = turn;
  return err({
    code: 'EAGAIN',
    detail: why === 'cancelled' ? 'the client went away before it was sent' : 'too many requests wait to be looked at',
    returnCode: errnoTable.EAGAIN.returnCode,
    retryAfterMs,
    limit: why,
  });
}
