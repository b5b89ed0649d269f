import { err, ok, type Result } from '../../cci/index.ts';
import { type AlgorithmRow, algorithmRow } from './algorithms.ts';
import { type AuthRefusal, quoted, refuse } from './refusal.ts';
import { type JsonObject, member, parseObject } from './strict-json.ts';

/** Longest token that is looked at, in bytes. */
export const MAX_TOKEN_BYTES = 8192;
const MAX_KID_LENGTH = 256;

/** A JWT taken apart. Nothing in it is verified. */
export interface CompactToken {
  readonly algorithm: AlgorithmRow;
  readonly kid: string | undefined;
  readonly claims: JsonObject;
  /** The part that is signed: header and payload with the dot between them. */
  readonly signingInput: string;
}

/** Header members that name a key, change what is signed, or announce another kind of object. */
const refusedMembers = ['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip', 'epk', 'cty'] as const;

const acceptedTypes: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);

/** The parts of a JWS in compact serialization, read but not understood. */
export interface CompactParts {
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** The part that is signed: header and payload with the dot between them. */
  readonly signingInput: string;
}

/**
 * Takes a JWS in compact serialization (RFC 7515 section 3.1) apart, strictly: three parts in canonical base64url (one
 * spelling for each byte string, so that no second token carries the same signature), JSON objects without repeated
 * members. The error is a sentence for the journal.
 */
export function splitCompact(token: string): Result<CompactParts, string> {
  const parts = token.split('.', 4);
  const [headerPart, claimsPart, signaturePart] = parts;
  if (parts.length !== 3 || headerPart === undefined || claimsPart === undefined || signaturePart === undefined) {
    return err('not three parts');
  }
  const headerBytes = fromCanonicalBase64url(headerPart);
  const claimsBytes = fromCanonicalBase64url(claimsPart);
  if (headerBytes === undefined || claimsBytes === undefined || fromCanonicalBase64url(signaturePart) === undefined) {
    return err('not canonical base64url');
  }
  const header = parseObject(headerBytes);
  if (!header.ok) return err(`header: ${header.error}`);
  const claims = parseObject(claimsBytes);
  if (!claims.ok) return err(`payload: ${claims.error}`);
  const signingInput = token.slice(0, headerPart.length + 1 + claimsPart.length);
  return ok({ header: header.value, claims: claims.value, signingInput });
}

/** Takes a token apart whose header says no more than which algorithm and which key. */
export function parseCompactToken(token: string): Result<CompactToken, AuthRefusal> {
  const parts = splitCompact(token);
  if (!parts.ok) return err(refuse('malformed', parts.error));
  const { header, claims, signingInput } = parts.value;
  const checked = checkHeader(header);
  return checked.ok ? ok({ ...checked.value, claims, signingInput }) : checked;
}

function checkHeader(header: JsonObject): Result<Pick<CompactToken, 'algorithm' | 'kid'>, AuthRefusal> {
  const alg = member(header, 'alg');
  const algorithm = algorithmRow(alg);
  if (algorithm === undefined) return err(refuse('algorithm', `algorithm ${quoted(alg)}`));
  const refused = refusedMembers.find((name) => Object.hasOwn(header, name));
  if (refused !== undefined) return err(refuse('header', `header member \`${refused}\``));
  const typ = member(header, 'typ');
  if (typ !== undefined && !(typeof typ === 'string' && acceptedTypes.has(asciiLowerCase(typ)))) {
    return err(refuse('header', `type ${quoted(typ)}`));
  }
  const kid = member(header, 'kid');
  if (kid === undefined) return ok({ algorithm, kid: undefined });
  if (typeof kid !== 'string' || kid.length === 0 || kid.length > MAX_KID_LENGTH) {
    return err(refuse('header', `key id ${quoted(kid)}`));
  }
  return ok({ algorithm, kid });
}

/** Unlike `toLowerCase`, turns no letter outside ASCII (such as the Kelvin sign) into one of it. */
function asciiLowerCase(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Bytes of unpadded base64url, or undefined unless the text is the one canonical spelling of them. */
function fromCanonicalBase64url(text: string): Uint8Array | undefined {
  // Node's decoder skips what it does not know; encoding again shows whether it had to.
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
