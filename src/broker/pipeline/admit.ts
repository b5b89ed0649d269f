import { err, ok, RC, type Result } from '../../cci/index.ts';
import { type Decision, errnoTable } from '../../policy/index.ts';
import type { CommandRequest } from '../core-api.ts';
import type { OverQuota, Pass, Quotas } from '../quota/index.ts';
import type { Refusal } from './context.ts';
import type { Allowed } from './decide.ts';
import { mayRunOn } from './dispatch.ts';

/** Largest payload that is looked at: a 21-bit length is the protocol's own bound, no CCI of ours takes more than 1 MiB. */
export const PAYLOAD_MAX = 1 << 20;

/** Stage 2: size and concurrency. The value gives the place back; call it exactly once. */
export function admit(quotas: Quotas, tenant: string, request: CommandRequest): Result<() => void, Refusal> {
  const size = request.kind === 'named' ? 0 : request.kind === 'raw' ? request.payload.length : request.bytes.length;
  if (size > PAYLOAD_MAX) {
    return err({
      code: 'EINVAL',
      detail: `a payload has at most ${PAYLOAD_MAX} bytes`,
      returnCode: RC.invalidPayloadLength,
    });
  }
  const place = quotas.enter(tenant);
  return place.ok ? place : err(refusalOf(place.error));
}

/** A command over its quota, with the decision as the journal is to have it. */
export interface DeniedByQuota {
  readonly refusal: Refusal;
  readonly decision: Decision;
}

/** Step 9 of the decision, after everything else has allowed the command: does its tenant's quota let it through? */
export function withinQuota(quotas: Quotas, { principal, decoded, decision }: Allowed): Result<Pass, DeniedByQuota> {
  const { facts, command } = decision;
  const pass = quotas.take(principal.tenant, {
    class: facts.class,
    bytes: command.payload.length,
    mayRunOn: mayRunOn({ decoded }, decision),
  });
  if (pass.ok) return ok(pass.value);
  const reason = { step: 'quota', errno: 'EAGAIN', rule: pass.error.limit, text: pass.error.text } as const;
  return err({
    refusal: refusalOf(pass.error),
    decision: { ...decision, verdict: 'deny', reasons: [...decision.reasons, reason] },
  });
}

function refusalOf({ limit, text, retryAfterMs }: OverQuota): Refusal {
  return { code: 'EAGAIN', detail: text, returnCode: errnoTable.EAGAIN.returnCode, retryAfterMs, limit };
}
