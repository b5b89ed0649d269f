import { parseCompactToken } from '../../src/broker/auth/compact-token.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { insideToken, swapParts, tokenOf } from '../support/jwt.ts';
import { strictlyRead } from '../support/plain-json.ts';

/** Members that would make another key, another signing input or another kind of object out of the header. */
const REFUSED = ['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip', 'epk'];
const claims = {
  iss: 'https://idp.example.org',
  sub: 'alice',
  aud: 'cci-broker',
  tenant: 'acme',
  exp: 2e9,
  groups: ['a'],
};

export const target: Target = {
  name: 'compact-token',
  oracle:
    'a token that is taken apart has one spelling, an asymmetric algorithm, no header that names a key, strict JSON',
  covers: ['src/broker/auth/compact-token.ts', 'src/broker/auth/strict-json.ts', 'src/broker/auth/algorithms.ts'],
  kind: 'text',
  maxLength: 1500,
  dictionary: REFUSED.map((name) => `"${name}":`),
  seeds: () => [
    tokenOf({ alg: 'ES256', typ: 'JWT', kid: '1' }, claims),
    tokenOf({ alg: 'EdDSA', typ: 'at+jwt' }, { ...claims, jti: 'x', iat: 1, nbf: 2 }),
    tokenOf({ alg: 'none' }, claims),
    tokenOf({ alg: 'HS256', kid: 7 }, claims),
    bytesOf('a.b.c'),
  ],
  mutators: [insideToken, insideToken, swapParts],
  open: () => ({
    run(bytes) {
      const token = textOf(bytes);
      const parsed = parseCompactToken(token);
      if (!parsed.ok) return;
      const parts = token.split('.');
      demand(parts.length === 3, `${parts.length} parts`);
      for (const part of parts)
        demand(Buffer.from(part, 'base64url').toString('base64url') === part, 'a second spelling');
      demand(parsed.value.signingInput === `${parts[0]}.${parts[1]}`, 'something else was signed');
      const [header, body] = parts.map((part) => strictlyRead(Buffer.from(part, 'base64url'), 16)?.value);
      demand(typeof header === 'object' && header !== null && typeof body === 'object', 'loose JSON');
      const { alg, kid }: { alg?: unknown; kid?: unknown } = header;
      demand(
        typeof alg === 'string' && /^(?:ES|RS|PS)\d{3}$|^(?:EdDSA|Ed25519)$/.test(alg),
        `algorithm ${String(alg)}`,
      );
      for (const name of REFUSED) demand(!Object.hasOwn(header, name), `header member ${name}`);
      demand(kid === parsed.value.kid, 'another key');
      demand(JSON.stringify(parsed.value.claims) === JSON.stringify(body), 'other claims');
    },
  }),
};
