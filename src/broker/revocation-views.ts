import { RC } from '../cci/index.ts';
import { errnoTable, FABRIC_TENANT, isTenantName, type Principal, userName } from '../policy/index.ts';
import { isDigest, keyNameOf, type RevocationEntry, type Revoked } from './auth/index.ts';
import type { RevocationView, RevocationWish } from './core-api.ts';
import type { Refusal, Request, Services } from './pipeline/index.ts';

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
    const what = whatOf(wish);
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
const MAX_NAME = 1024;

function whatOf({ kind, name, issuer }: Exclude<RevocationWish, { lift: string }>): Revoked | Refusal {
  if (name === '' || name.length > MAX_NAME || !name.isWellFormed()) {
    return wrong('name', `a name has 1 to ${MAX_NAME} characters`);
  }
  if (issuer === '') return wrong('issuer', 'an issuer is not empty');
  switch (kind) {
    case 'token': {
      const tokenId = issuer === undefined ? name : userName(issuer, name).replace(/^user:/, 'jti:');
      if (/^jti:[^#]+#.+$/.test(tokenId) || (tokenId.startsWith('sha256:') && isDigest(tokenId.slice(7)))) {
        return { kind: 'token', tokenId };
      }
      return wrong(
        'name',
        'a token is named as records name it, jti:ISSUER#JTI, or by its jti with `issuer` beside it',
      );
    }
    case 'subject': {
      const subject = issuer === undefined ? name : userName(issuer, name);
      return /^user:[^#]+#.+$/.test(subject)
        ? { kind: 'principal', name: subject }
        : wrong('name', 'a subject is named user:ISSUER#SUB, or by its sub with `issuer` beside it');
    }
    case 'tenant':
      if (issuer !== undefined || !isTenantName(name)) return wrong('name', 'a tenant goes by its name alone');
      return name === FABRIC_TENANT
        ? wrong(
            'name',
            `without tenant \`${FABRIC_TENANT}\` nobody could take that back: revoke a subject or a key of it`,
          )
        : { kind: 'tenant', tenant: name };
    case 'key': {
      const key = issuer === undefined ? name : keyNameOf(issuer, name);
      return isDigest(key) || /^kid:[^#]+#.+$/.test(key)
        ? { kind: 'key', thumbprint: key }
        : wrong('name', 'a key goes by its thumbprint (43 characters), or by its kid with `issuer` beside it');
    }
  }
}

function wrong(field: string, detail: string): Refusal {
  return { code: 'EPARAM', field, detail, returnCode: RC.invalidInput };
}

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
