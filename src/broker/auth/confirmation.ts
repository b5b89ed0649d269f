import { err, ok, type Result } from '../../cci/index.ts';
import type { Binding } from './issuer-schema.ts';
import { type AuthRefusal, refuse, refuseClaim } from './refusal.ts';
import { isObject, type JsonObject, member } from './strict-json.ts';

/** What a token is bound to (`cnf`, RFC 7800). Nothing in it: whoever holds the token may use it. */
export interface Confirmation {
  /** RFC 9449: RFC 7638 thumbprint (SHA-256, base64url) of the holder's key. */
  readonly jkt?: string;
  /** RFC 8705 `x5t#S256`: SHA-256 of the holder's certificate (DER), base64url. */
  readonly x5t?: string;
}

/** SHA-256 as base64url without padding: 32 bytes, so the last digit has two bits that are always zero. */
const DIGEST = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

const known: ReadonlySet<string> = new Set(['jkt', 'x5t#S256']);

export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && DIGEST.test(value);
}

/**
 * Reads `cnf`. A token that is bound in a way that cannot be checked here is refused, rather than taken for one that
 * anybody may use; so is one that is not bound as its issuer's tokens have to be.
 */
export function readConfirmation(claims: JsonObject, required: Binding): Result<Confirmation, AuthRefusal> {
  const cnf = member(claims, 'cnf');
  if (cnf === undefined) return boundEnough({}, required);
  if (!isObject(cnf)) return err(refuseClaim('cnf', 'must be an object'));
  const names = Object.keys(cnf);
  if (names.length === 0 || !names.every((name) => known.has(name))) {
    return err(refuse('sender-constrained', 'claim `cnf` names something else than `jkt` and `x5t#S256`'));
  }
  const jkt = member(cnf, 'jkt');
  const x5t = member(cnf, 'x5t#S256');
  if (jkt !== undefined && !isDigest(jkt)) return err(refuseClaim('cnf.jkt', 'must be a SHA-256 digest in base64url'));
  if (x5t !== undefined && !isDigest(x5t)) {
    return err(refuseClaim('cnf.x5t#S256', 'must be a SHA-256 digest in base64url'));
  }
  return boundEnough({ ...(jkt === undefined ? {} : { jkt }), ...(x5t === undefined ? {} : { x5t }) }, required);
}

function boundEnough(confirmation: Confirmation, required: Binding): Result<Confirmation, AuthRefusal> {
  const { jkt, x5t } = confirmation;
  if (required === 'none') return ok(confirmation);
  if (required === 'mtls') {
    return x5t === undefined
      ? err(refuse('unbound', 'no `cnf.x5t#S256`, which its issuer requires'))
      : ok(confirmation);
  }
  return jkt === undefined ? err(refuse('unbound', 'no `cnf.jkt`, which its issuer requires')) : ok(confirmation);
}
