import { parseProof } from '../../src/broker/auth/proof.ts';
import { comparableUrl } from '../../src/broker/auth/request-url.ts';
import { demand, type Target, textOf } from '../engine/target.ts';
import { insideToken, swapParts, tokenOf } from '../support/jwt.ts';
import { strictlyRead } from '../support/plain-json.ts';

// Not the key of anybody: only its form matters here.
const jwk = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};
const okp = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const claims = {
  jti: 'a',
  htm: 'POST',
  htu: 'https://broker.example.org:8420/v1/x',
  iat: 1_800_000_000,
  ath: 'A'.repeat(43),
  nonce: 'n',
};
const ACCEPTED = ['ES256', 'EdDSA'] as const;

export const target: Target = {
  name: 'dpop-proof',
  oracle:
    'a proof that is taken apart has a public key of its own in the header, and nothing else; comparing URLs is stable',
  covers: ['src/broker/auth'],
  kind: 'text',
  maxLength: 2000,
  dictionary: [
    'dpop+jwt',
    '"d":"AAAA"',
    'okp',
    'Ed25519',
    '%2e%2E',
    '%41',
    '/../',
    'HTTPS://',
    '@',
    '?q',
    '#f',
    ':443',
    '\\',
  ],
  seeds: () => [
    tokenOf({ typ: 'dpop+jwt', alg: 'ES256', jwk }, claims),
    tokenOf(
      { typ: 'dpop+jwt', alg: 'EdDSA', jwk: okp },
      { ...claims, cci: 'B'.repeat(43), htu: 'https://h/%41/%2e%2e/b' },
    ),
    tokenOf({ typ: 'dpop+jwt', alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } }, claims),
  ],
  mutators: [insideToken, insideToken, swapParts],
  open: () => ({
    run(bytes) {
      const jwt = textOf(bytes);
      const parsed = parseProof(jwt, ACCEPTED);
      if (!parsed.ok) {
        demand(parsed.error !== '', 'refused without a reason');
        return;
      }
      const { algorithm, thumbprint, url, id, tokenDigest } = parsed.value;
      demand(
        ACCEPTED.some((name) => name === algorithm),
        algorithm,
      );
      demand(
        /^[\w-]{43}$/.test(thumbprint) && /^[\w-]{43}$/.test(tokenDigest) && id !== '',
        'a proof without its parts',
      );
      const header = strictlyRead(Buffer.from(jwt.split('.')[0] ?? '', 'base64url'), 16)?.value;
      const known = new Set(['typ', 'alg', 'jwk', 'kid']);
      demand(
        typeof header === 'object' && header !== null && Object.keys(header).every((name) => known.has(name)),
        'a header',
      );
      const once = comparableUrl(url);
      const twice = once === undefined ? undefined : comparableUrl(once);
      demand(once === twice, () => `${url} compares otherwise`);
    },
  }),
};
