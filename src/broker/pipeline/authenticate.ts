import { err, ok, RC, type Result } from '../../cci/index.ts';
import { errnoTable, type Principal } from '../../policy/index.ts';
import type { AuthRefusal, Purpose } from '../auth/index.ts';
import type { Credential } from '../core-api.ts';
import type { Refusal, Request, Services } from './context.ts';

/**
 * Stage 1: token to principal. The refusal's sentence is the same for everything that could be an oracle. A proof of
 * possession counts once: each request passes here once, and through `authenticateAgain` after that.
 *
 * @param purpose what the request is for; without it a token that needs a proof for each command is refused
 */
export async function authenticate(
  services: Services,
  credential: Credential,
  request: Request,
  purpose?: Purpose,
): Promise<Result<Principal, Refusal>> {
  const result = await services.authenticator.authenticate(credential, purpose);
  return result.ok ? ok(result.value) : err(await refused(services, request, result.error));
}

/** For a request that passed `authenticate` and has waited since: is its token still good? */
export async function authenticateAgain(
  services: Services,
  credential: Credential,
  request: Request,
): Promise<Result<Principal, Refusal>> {
  const result = await services.authenticator.again(credential);
  return result.ok ? ok(result.value) : err(await refused(services, request, result.error));
}

/** For whoever opens a stream: the credential to show from then on. */
export async function authenticateStream(
  services: Services,
  credential: Credential,
  request: Request,
): Promise<Result<Credential, Refusal>> {
  const result = await services.authenticator.begin(credential);
  return result.ok ? ok(result.value) : err(await refused(services, request, result.error));
}

async function refused(services: Services, request: Request, refusal: AuthRefusal): Promise<Refusal> {
  const { sentence: detail, retryAfterMs, dpop } = refusal;
  services.metrics.refusedTokens.inc({ cause: refusal.cause });
  await record(services, request, refusal);
  return {
    ...(throttled.has(refusal.code)
      ? { code: 'EAGAIN', detail, returnCode: errnoTable.EAGAIN.returnCode }
      : { code: 'EAUTH', detail, returnCode: RC.invalidInput }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(dpop === undefined ? {} : { dpop }),
  };
}

/** Refusals that pass: the caller is to wait, not to look for another token. */
const throttled: ReadonlySet<string> = new Set(['too-many', 'proof-store']);

async function record(services: Services, request: Request, refusal: AuthRefusal): Promise<void> {
  // A nonce is asked for with a good token and a good proof; nothing was refused to anybody.
  if (refusal.cause === 'proof-nonce') return;
  if (services.refusedTokens?.note(refusal, request.source) === false) return;
  const body = {
    requestId: request.id,
    source: request.source,
    result: 'refused' as const,
    reason: refusal.cause,
    details: { detail: refusal.detail },
  };
  // The promise is kept by the journal: at once, or with strict durability when the record is on disk.
  await services.journal.append('authentication', body, { durable: false }).catch((error: unknown) => {
    services.log.error({ requestId: request.id, err: error }, 'a refused token could not be recorded');
  });
}
