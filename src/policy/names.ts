/**
 * Names of principals, typed by their prefix. Claims are encoded on the way in, so that no claim can produce another
 * prefix, another issuer or a place to split: `#` stands exactly once in a `user:` or `group:ISSUER#` name and never in
 * `group:tenant/T` or `role:R`.
 */

/** Characters that stand for themselves. No comma: casbin joins the arguments of `g` with commas in its memo. */
const ENCODED = /[^A-Za-z0-9._~/:@+=|-]/gu;
const WELL_FORMED = /^(?:[A-Za-z0-9._~/:@+=|-]|%[0-9A-F]{2}|%u[0-9A-F]{4})+$/;

const ROLE = /^role:[a-z0-9][a-z0-9._-]{0,62}$/;
const TENANT = /^[a-z][a-z0-9-]{0,62}$/;

const utf8 = new TextEncoder();

/** The typed name of a caller: `user:ISSUER#SUB`. Injective over all pairs of strings. */
export function userName(issuer: string, sub: string): string {
  return `user:${encodeClaim(issuer)}#${encodeClaim(sub)}`;
}

/** The typed name of a `groups` claim: `group:ISSUER#NAME`. Injective over all pairs of strings. */
export function groupName(issuer: string, group: string): string {
  return `group:${encodeClaim(issuer)}#${encodeClaim(group)}`;
}

/** The group that every token of a tenant is in: `group:tenant/T`. */
export function tenantGroup(tenant: string): string {
  return `group:tenant/${encodeClaim(tenant)}`;
}

/** Lower-case letters, digits and `-`, at most 63, a letter first. */
export function isTenantName(text: string): boolean {
  return TENANT.test(text);
}

/** `role:` and lower-case letters, digits, `.`, `_`, `-`. */
export function isRoleName(text: string): boolean {
  return ROLE.test(text);
}

/**
 * A name that a verified caller can go by, in the one spelling that the functions above give it. A name that only looks
 * like it (`%41` for `A`) would never match anybody.
 */
export function isCallerName(text: string): boolean {
  return canonicalCallerName(text) === text;
}

/** The spelling that matches for a name written by hand, or undefined where there is none. */
export function canonicalCallerName(text: string): string | undefined {
  const colon = text.indexOf(':');
  const kind = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  if (kind !== 'user' && kind !== 'group') return undefined;
  const parts = rest.split('#');
  if (parts.length === 1) {
    if (kind !== 'group' || !rest.startsWith('tenant/')) return undefined;
    return isTenantName(rest.slice('tenant/'.length)) ? text : undefined;
  }
  if (parts.length !== 2 || parts.includes('')) return undefined;
  return `${kind}:${parts.map(canonicalPart).join('#')}`;
}

/** Percent-encodes by UTF-8 bytes; half a surrogate pair, which JSON can carry, becomes `%uD800` and stays distinct. */
function encodeClaim(text: string): string {
  return text.replace(ENCODED, (character) => {
    const code = character.charCodeAt(0);
    if (character.length === 1 && code >= 0xd800 && code <= 0xdfff) return `%u${code.toString(16).toUpperCase()}`;
    return percent(utf8.encode(character));
  });
}

function percent(octets: Uint8Array): string {
  return Array.from(octets, (octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function canonicalPart(part: string): string {
  if (!WELL_FORMED.test(part)) return encodeClaim(part);
  return encodeClaim(part.replace(/(?:%[0-9A-F]{2})+|%uD[89A-F][0-9A-F]{2}/g, decodeRun));
}

function decodeRun(run: string): string {
  if (run.startsWith('%u')) return String.fromCharCode(Number.parseInt(run.slice(2), 16));
  try {
    return decodeURIComponent(run);
  } catch {
    return run;
  }
}
