import { RC } from '../cci/index.ts';
import { errnoTable, type Principal } from '../policy/index.ts';
import type { RevocationEntry, Revoked } from './auth/index.ts';
import type { RevocationView, RevocationWish } from './core-api.ts';
import type { Refusal, Request, Services } from './pipeline/index.ts';
import { revokedBy, wrong } from './revocation-wish.ts';

/** Kinds as callers say them, and as the list has them. */
type Kind = RevocationView['kind'];

/** Revocations in force as operators see them. */
export function revocationViews(services: Services): readonly RevocationView[] {
  return services.revocationList?.list().map(viewOf) ?? [];
}

function viewOf({ id, what, by, atMs, reason, expiresAtMs }: RevocationEntry): RevocationView {
  const until = expiresAtMs === undefined ? {} : { expiresAtMs };
  return { id, ...named(what), by, atMs, reason, ...until };
}

function named(what: Revoked): { readonly kind: Kind; readonly name: string } {
  switch (what.kind) {
    case 'token':
      return { kind: 'token', name: what.tokenId };
    case 'principal':
      return { kind: 'subject', name: what.name };
    case 'tenant':
      return { kind: 'tenant', name: what.tenant };
    case 'key':
      return { kind: 'key', name: what.thumbprint };
  }
}

/**
 * Revokes, or lifts. In force first, then written down: a full disk keeps no stolen token alive. Undefined when all of it
 * is done, else what the caller has to hear.
 */
export async function changeRevocations(
  services: Services,
  principal: Principal,
  request: Request,
  wish: RevocationWish,
): Promise<Refusal | undefined> {
  const { revocationList: list, journal, log } = services;
  if (list === undefined) return { code: 'EIO', detail: 'nothing can be revoked here', returnCode: RC.internalError };
  const reason = wish.reason.trim();
  if (reason === '' || reason.length > MAX_REASON) return wrong('reason', `a reason has 1 to ${MAX_REASON} characters`);
  let entry: RevocationEntry | undefined;
  if ('lift' in wish) {
    entry = list.lift(wish.lift);
    if (entry === undefined) return { ...wrong('lift', 'there is no such revocation'), code: 'ENOENT' };
  } else {
    const { issuers } = services.authenticator;
    const what = revokedBy(wish, { issuers, tenants: services.policy.current.fabric.tenants });
    if ('code' in what) return what;
    if (wish.expiresAtMs !== undefined && !(wish.expiresAtMs > services.nowMs())) {
      return wrong('expiresAtMs', 'a revocation ends in the future, or not at all');
    }
    entry = list.add(what, principal.name, reason, wish.expiresAtMs);
    if (entry === undefined) return full;
  }
  const isOnDisk = await list.save().then(
    () => true,
    (error: unknown) => {
      log.error({ requestId: request.id, err: error }, 'the revocations could not be written');
      return false;
    },
  );
  await journal.append(
    'revocation',
    {
      requestId: request.id,
      by: principal.name,
      change: 'lift' in wish ? 'lifted' : 'revoked',
      id: entry.id,
      what: named(entry.what).kind,
      name: named(entry.what).name,
      reason,
      ...(entry.expiresAtMs === undefined ? {} : { expiresAt: new Date(entry.expiresAtMs).toISOString() }),
      details: { source: request.source, tokenId: principal.tokenId, isOnDisk },
    },
    { durable: true },
  );
  return isOnDisk ? undefined : unwritten;
}

const MAX_REASON = 500;

const full: Refusal = {
  code: 'EAGAIN',
  detail: 'there are as many revocations as can be: lift some, or revoke the subject, the tenant or the key instead',
  returnCode: errnoTable.EAGAIN.returnCode,
};
const unwritten: Refusal = {
  code: 'EIO',
  detail: 'it is in force, but could not be written down: a restart would forget it',
  returnCode: errnoTable.EIO.returnCode,
};
