import { hash } from 'node:crypto';
import { err, ok, type Result } from '../../cci/index.ts';
import {
  groupName,
  isTenantName,
  type Principal,
  type TokenScope,
  tenantGroup,
  tokenScopes,
  userName,
} from '../../policy/index.ts';
import type { CompactToken } from './compact-token.ts';
import { type Confirmation, readConfirmation } from './confirmation.ts';
import { type IssuerRules, speaksFor } from './issuer-config.ts';
import { type AuthRefusal, quoted, refuse, refuseClaim } from './refusal.ts';
import { asShownName } from './shown-name.ts';
import { type JsonObject, member, memberAt } from './strict-json.ts';

const MAX_GROUPS = 256;
const MAX_AUDIENCES = 32;
const MAX_SCOPES = 256;
const MAX_SECONDS = 8_640_000_000_000;

/** A caller as a token describes him, and for how long that may be believed. */
export interface Claimed {
  readonly principal: Principal;
  /** The token counts from here on, clock tolerance included. */
  readonly notBeforeMs: number;
  readonly issuedAtMs: number | undefined;
  /** Whom the token is bound to. */
  readonly confirmation: Confirmation;
  /** The tenant is not one that may be spoken for: to be refused when everything else has been looked at as well. */
  readonly tenantRefusal?: AuthRefusal;
}

type Checked<T> = Result<T, AuthRefusal>;

/**
 * Turns the claims of a token whose signature is good into a principal. `rules` are those of the issuer that the key
 * belongs to, `keyThumbprint` is the key's.
 */
export function readClaims(
  token: CompactToken,
  rules: IssuerRules,
  knownTenants: { has(tenant: string): boolean },
  keyThumbprint: string,
  nowMs: number,
): Checked<Claimed> {
  const { claims } = token;
  const confirmation = readConfirmation(claims, rules.require);
  if (!confirmation.ok) return confirmation;
  const audience = checkAudience(claims, rules);
  if (!audience.ok) return audience;
  const times = readTimes(claims, rules, nowMs);
  if (!times.ok) return times;
  const subject = readName(member(claims, 'sub'), 'sub');
  if (!subject.ok) return subject;
  const tenant = readTenant(claims, rules);
  if (!tenant.ok) return tenant;
  const tenantRefusal = tenantProblem(tenant.value, rules, knownTenants);
  const groups = readGroups(memberAt(claims, rules.groupsClaim), rules.groupsClaim.join('.'));
  if (!groups.ok) return groups;
  const scopes = readScopes(memberAt(claims, rules.scopeClaim), rules);
  if (!scopes.ok) return scopes;
  const tokenId = readTokenId(token, rules.issuer);
  if (!tokenId.ok) return tokenId;
  const name = userName(rules.issuer, subject.value);
  const names = [name, ...groups.value.map((group) => groupName(rules.issuer, group)), tenantGroup(tenant.value)];
  const { expiresAtMs, notBeforeMs, issuedAtMs } = times.value;
  const principal: Principal = Object.freeze({
    name,
    names: Object.freeze(names),
    tenant: tenant.value,
    scopes: Object.freeze(scopes.value),
    issuer: rules.issuer,
    subject: subject.value,
    tokenId: tokenId.value,
    expiresAtMs,
    keyThumbprint,
    ...boundOf(confirmation.value),
  });
  const found = { principal, notBeforeMs, issuedAtMs, confirmation: confirmation.value };
  return ok(tenantRefusal === undefined ? found : { ...found, tenantRefusal });
}

function boundOf({ jkt, x5t }: Confirmation): Pick<Principal, 'bound'> {
  if (jkt === undefined && x5t === undefined) return {};
  const bound = { ...(jkt === undefined ? {} : { dpop: jkt }), ...(x5t === undefined ? {} : { certificate: x5t }) };
  return { bound: Object.freeze(bound) };
}

function checkAudience(claims: JsonObject, rules: IssuerRules): Checked<void> {
  const aud = member(claims, 'aud');
  const list: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (list.length === 0 || list.length > MAX_AUDIENCES || !list.every((one) => typeof one === 'string')) {
    return err(refuseClaim('aud', 'must be a string or a list of strings'));
  }
  if (rules.audiences.some((audience) => list.includes(audience))) return ok(undefined);
  return err(refuse('audience', `audience ${list.map(quoted).slice(0, 4).join(', ')}`));
}

interface Times {
  readonly expiresAtMs: number;
  readonly notBeforeMs: number;
  readonly issuedAtMs: number | undefined;
}

/**
 * INVARIANT: a token is never accepted at or after its `exp`. The clock tolerance is for tokens that come from a clock
 * ahead of ours; a clock behind ours costs a token its last seconds, and its holder fetches the next one.
 */
function readTimes(claims: JsonObject, rules: IssuerRules, nowMs: number): Checked<Times> {
  const exp = readTime(claims, 'exp');
  if (!exp.ok) return exp;
  const nbf = readTime(claims, 'nbf');
  if (!nbf.ok) return nbf;
  const iat = readTime(claims, 'iat');
  if (!iat.ok) return iat;
  const issuedAtMs = iat.value;
  let expiresAtMs = exp.value;
  if (expiresAtMs === undefined) return err(refuseClaim('exp', 'is required'));
  if ((nbf.value ?? 0) >= expiresAtMs) return err(refuseClaim('nbf', 'must be before `exp`'));
  if ((issuedAtMs ?? 0) >= expiresAtMs) return err(refuseClaim('iat', 'must be before `exp`'));
  if (!(nowMs < expiresAtMs)) return err(refuse('expired', `expired ${Math.round(nowMs - expiresAtMs)} ms ago`));
  const notBeforeMs = Math.max(nbf.value ?? 0, issuedAtMs ?? 0) - rules.clockToleranceMs;
  if (!(nowMs >= notBeforeMs)) {
    return err(refuse('not-yet-valid', `valid in ${Math.round(notBeforeMs - nowMs)} ms`));
  }
  // Of a token that does not say when it was issued, only what is left of its life can be judged.
  const lifetimeMs = expiresAtMs - Math.min(issuedAtMs ?? nowMs, nowMs);
  if (lifetimeMs > rules.maxLifetimeMs) return err(refuse('lifetime', `lives ${Math.round(lifetimeMs)} ms`));
  if (rules.maxAgeMs !== undefined) {
    if (issuedAtMs === undefined) return err(refuseClaim('iat', 'is required'));
    expiresAtMs = Math.min(expiresAtMs, issuedAtMs + rules.maxAgeMs);
    if (!(nowMs < expiresAtMs)) return err(refuse('lifetime', `issued ${Math.round(nowMs - issuedAtMs)} ms ago`));
  }
  return ok({ expiresAtMs, notBeforeMs, issuedAtMs });
}

/** A NumericDate of RFC 7519, in milliseconds. Fractions are cut off. */
function readTime(claims: JsonObject, name: string): Checked<number | undefined> {
  const value = member(claims, name);
  if (value === undefined) return ok(undefined);
  if (typeof value !== 'number' || !(value >= 0 && value <= MAX_SECONDS)) {
    return err(refuseClaim(name, 'must be a number of seconds since 1970'));
  }
  return ok(Math.floor(value * 1000));
}

function readName(value: unknown, claim: string): Checked<string> {
  const name = asShownName(value);
  return name.ok ? name : err(refuseClaim(claim, name.error));
}

function readTenant(claims: JsonObject, { tenantClaim, tenantNames }: IssuerRules): Checked<string> {
  const claimed = memberAt(claims, tenantClaim);
  const claim = tenantClaim.join('.');
  if (tenantNames !== undefined) {
    if (typeof claimed !== 'string' || claimed === '') return err(refuseClaim(claim, 'must name one tenant'));
    // Which names are listed is not told apart from which tenants there are.
    return ok(tenantNames.get(claimed) ?? UNLISTED);
  }
  if (typeof claimed !== 'string' || !isTenantName(claimed)) {
    return err(refuseClaim(claim, 'must name one tenant, in lower-case letters, digits and hyphens'));
  }
  return ok(claimed);
}

/** Is the name of no tenant: they begin with a letter. */
const UNLISTED = '-';

function tenantProblem(
  tenant: string,
  rules: IssuerRules,
  knownTenants: { has(tenant: string): boolean },
): AuthRefusal | undefined {
  if (tenant === UNLISTED || !knownTenants.has(tenant)) return refuse('unknown-tenant', `tenant ${quoted(tenant)}`);
  return speaksFor(rules, tenant) ? undefined : refuse('foreign-tenant', `tenant ${quoted(tenant)}`);
}

function readGroups(value: unknown, claim: string): Checked<readonly string[]> {
  if (value === undefined) return ok([]);
  if (!Array.isArray(value) || value.length > MAX_GROUPS) {
    return err(refuseClaim(claim, `must be a list of at most ${MAX_GROUPS} strings`));
  }
  const groups = new Set<string>();
  for (const entry of value) {
    const group = readName(entry, claim);
    if (!group.ok) return group;
    groups.add(group.value);
  }
  return ok([...groups]);
}

/** Scopes of other systems are passed over. A claim that names none of ours leaves none: only a missing one means read. */
function readScopes(value: unknown, { scopeClaim, scopeNames }: IssuerRules): Checked<readonly TokenScope[]> {
  if (value === undefined) return ok(['cci:read']);
  const words = typeof value === 'string' ? value.split(' ') : value;
  if (!Array.isArray(words) || words.length > MAX_SCOPES || !words.every((word) => typeof word === 'string')) {
    const claim = scopeClaim.join('.');
    return err(refuseClaim(claim, 'must be one string, scopes separated by spaces, or a list of scopes'));
  }
  const held = new Set(scopeNames === undefined ? words : words.map((word) => scopeNames.get(word)));
  return ok(tokenScopes.filter((scope) => held.has(scope)));
}

/**
 * `jti:ISSUER#JTI`, or `sha256:` and a digest of what is signed. Not of the whole token: an ECDSA signature can be
 * rewritten by anybody into a second valid one, and a revocation must reach that as well.
 */
function readTokenId(token: CompactToken, issuer: string): Checked<string> {
  const jti = member(token.claims, 'jti');
  if (jti === undefined) return ok(`sha256:${hash('sha256', token.signingInput, 'base64url')}`);
  const id = readName(jti, 'jti');
  return id.ok ? ok(userName(issuer, id.value).replace(/^user:/, 'jti:')) : id;
}
