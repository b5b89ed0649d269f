import { createHmac, generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Authenticator, RefusalCode } from '../../../src/broker/auth/index.ts';
import { bench, claims, encode, forge, ISSUER, issuerOf, makeKey, NOW, rawSign, token } from './forge.ts';

const ed = makeKey('EdDSA', 'ed-1');
const ec = makeKey('ES256', 'ec-1');
const rsa = makeKey('RS256', 'rsa-1');
const stranger = makeKey('EdDSA', 'ed-1');
const other = makeKey('EdDSA', 'other-1');

const OTHER_ISSUER = 'https://other.example';

let authenticator: Authenticator;

beforeAll(async () => {
  const first = issuerOf([ed, ec, rsa]);
  const second = issuerOf([other], { issuer: OTHER_ISSUER, tenants: ['globex', 'fabric'] });
  ({ authenticator } = await bench([first, second]));
});

function hs256(secret: string | Buffer, header: Record<string, unknown> = {}): string {
  const input = `${encode({ alg: 'HS256', typ: 'JWT', ...header })}.${encode(claims())}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** The same ECDSA signature with `s` turned into `n - s`, which is valid as well. */
function otherEcdsaSignature(valid: string): string {
  const [header, payload, signature = ''] = valid.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  bytes.write((n - s).toString(16).padStart(64, '0'), 32, 'hex');
  return `${header}.${payload}.${bytes.toString('base64url')}`;
}

const good = token(ed);
const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');
const pem = rsa.publicKey.export({ format: 'pem', type: 'spki' });
const attacker = generateKeyPairSync('ed25519');
const attackerJwk = attacker.publicKey.export({ format: 'jwk' });
const attackerKey = { ...stranger, ...attacker };

type Case = readonly [what: string, token: string, code: RefusalCode];

const algorithmCases: readonly Case[] = [
  ['alg none without signature', `${encode({ alg: 'none' })}.${encode(claims())}.`, 'algorithm'],
  ['alg None', `${encode({ alg: 'None' })}.${encode(claims())}.`, 'algorithm'],
  [
    'alg none with a good signature left on it',
    `${encode({ alg: 'none' })}.${goodPayload}.${goodSignature}`,
    'algorithm',
  ],
  ['HS256 with the public RSA key in PEM as secret', hs256(pem.toString(), { kid: 'rsa-1' }), 'algorithm'],
  ['HS256 with the public RSA key in JWK as secret', hs256(JSON.stringify(rsa.jwk), { kid: 'rsa-1' }), 'algorithm'],
  ['HS256 with the raw Ed25519 key as secret', hs256(Buffer.from(String(ed.jwk.x), 'base64url')), 'algorithm'],
  ['HS256 with an empty secret', hs256(''), 'algorithm'],
  ['no alg', forge(ed, { kid: 'ed-1' }, claims()), 'algorithm'],
  ['alg as array', token(ed, {}, { alg: ['EdDSA'] }), 'algorithm'],
  ['alg in lower case', token(ed, {}, { alg: 'eddsa' }), 'algorithm'],
  ['encryption algorithm', token(ed, {}, { alg: 'RSA-OAEP' }), 'algorithm'],
  ['ES256K', token(ec, {}, { alg: 'ES256K' }), 'algorithm'],
  ['alg of another key of this issuer', token(ed, {}, { alg: 'ES256' }), 'rejected'],
  ['alg that this issuer does not use, same key type', token(ec, {}, { alg: 'ES384' }), 'rejected'],
  ['PS256 with the RSA key of an issuer that uses RS256', token(rsa, {}, { alg: 'PS256' }), 'rejected'],
];

const signatureCases: readonly Case[] = [
  ['key of nobody under a known kid', token(stranger), 'rejected'],
  ["another issuer's key", token(other), 'rejected'],
  ["another issuer's key under this issuer's kid", token(other, {}, { kid: 'ed-1' }), 'rejected'],
  ["this issuer's key for another issuer", token(ed, { iss: OTHER_ISSUER }), 'rejected'],
  ['unknown kid', token(ed, {}, { kid: 'ed-2' }), 'rejected'],
  ['kid with a path', token(ed, {}, { kid: '../../../../dev/null' }), 'rejected'],
  ['kid with SQL', token(ed, {}, { kid: "x' UNION SELECT 'k" }), 'rejected'],
  ['kid of a prototype member', token(ed, {}, { kid: '__proto__' }), 'rejected'],
  ['kid as number', token(ed, {}, { kid: 1 }), 'malformed'],
  ['kid as array', token(ed, {}, { kid: ['ed-1'] }), 'malformed'],
  ['empty kid', token(ed, {}, { kid: '' }), 'malformed'],
  ['kid of 300 characters', token(ed, {}, { kid: 'k'.repeat(300) }), 'malformed'],
  ['embedded jwk', forge(attackerKey, { alg: 'EdDSA', jwk: attackerJwk }, claims()), 'malformed'],
  [
    'embedded jwk and known kid',
    forge(attackerKey, { alg: 'EdDSA', kid: 'ed-1', jwk: attackerJwk }, claims()),
    'malformed',
  ],
  ['jku', token(ed, {}, { jku: 'http://127.0.0.1:1/keys' }), 'malformed'],
  ['x5u', token(ed, {}, { x5u: 'http://127.0.0.1:1/cert' }), 'malformed'],
  ['x5c', token(ed, {}, { x5c: ['MIIB'] }), 'malformed'],
  ['crit', token(ed, {}, { crit: ['exp'] }), 'malformed'],
  ['empty crit', token(ed, {}, { crit: [] }), 'malformed'],
  ['unencoded payload', token(ed, {}, { b64: false }), 'malformed'],
  ['compressed payload', token(ed, {}, { zip: 'DEF' }), 'malformed'],
  ['nested token', token(ed, {}, { cty: 'JWT' }), 'malformed'],
  ['no signature', `${goodHeader}.${goodPayload}.`, 'rejected'],
  ['signature cut short', `${goodHeader}.${goodPayload}.${goodSignature.slice(0, 80)}`, 'rejected'],
  ['signature of another token', `${goodHeader}.${encode(claims({ tenant: 'globex' }))}.${goodSignature}`, 'rejected'],
  [
    'signature over the payload alone',
    `${goodHeader}.${goodPayload}.${rawSign(ed, goodPayload).toString('base64url')}`,
    'rejected',
  ],
  ['ECDSA signature of zeros', `${encode({ alg: 'ES256', kid: 'ec-1' })}.${goodPayload}.${'A'.repeat(86)}`, 'rejected'],
];

const shapeCases: readonly Case[] = [
  ['nothing', '', 'missing'],
  ['over-long', `${good}${'A'.repeat(8192)}`, 'too-large'],
  ['over-long though well signed', token(ed, { padding: 'x'.repeat(8192) }), 'too-large'],
  ['the scheme left on it', `Bearer ${good}`, 'malformed'],
  ['white space before', ` ${good}`, 'malformed'],
  ['white space after', `${good} `, 'malformed'],
  ['line feed after', `${good}\n`, 'malformed'],
  ['white space within', `${goodHeader}. ${goodPayload}.${goodSignature}`, 'malformed'],
  ['NUL after', `${good}\0`, 'malformed'],
  ['padding', `${good}==`, 'malformed'],
  ['two tokens', `${good},${good}`, 'malformed'],
  ['two parts', `${goodHeader}.${goodPayload}`, 'malformed'],
  ['four parts', `${good}.`, 'malformed'],
  ['five parts of an encrypted token', `${good}.AA.AA`, 'malformed'],
  ['dots', '.'.repeat(8000), 'malformed'],
  ['plain base64 alphabet', `${goodHeader}.${goodPayload}.${'+/'.repeat(43)}`, 'malformed'],
  ['unused bits set in the last character', `${good.slice(0, -1)}B`, 'malformed'],
  ['full-width dots', good.replaceAll('.', '．'), 'malformed'],
  ['header not JSON', `${encode('{alg')}.${goodPayload}.${goodSignature}`, 'malformed'],
  ['header an array', forge(ed, [], claims()), 'malformed'],
  ['payload a string', forge(ed, { alg: 'EdDSA', kid: 'ed-1' }, '"x"'), 'malformed'],
  ['payload null', forge(ed, { alg: 'EdDSA', kid: 'ed-1' }, 'null'), 'malformed'],
  ['byte order mark', forge(ed, { alg: 'EdDSA', kid: 'ed-1' }, `\ufeff${JSON.stringify(claims())}`), 'malformed'],
  ['alg twice', forge(ed, '{"alg":"none","alg":"EdDSA","kid":"ed-1"}', claims()), 'malformed'],
  [
    'tenant twice',
    forge(ed, { alg: 'EdDSA', kid: 'ed-1' }, `${JSON.stringify(claims()).slice(0, -1)},"tenant":"globex"}`),
    'malformed',
  ],
  [
    'tenant twice, once escaped',
    forge(ed, { alg: 'EdDSA', kid: 'ed-1' }, `${JSON.stringify(claims()).slice(0, -1)},"\\u0074enant":"globex"}`),
    'malformed',
  ],
  [
    'nested beyond reason',
    forge(
      ed,
      { alg: 'EdDSA', kid: 'ed-1' },
      `${JSON.stringify(claims()).slice(0, -1)},"x":${'['.repeat(2000)}${']'.repeat(2000)}}`,
    ),
    'malformed',
  ],
  ['DPoP proof in place of a token', token(ed, {}, { typ: 'dpop+jwt' }), 'malformed'],
  ['logout token', token(ed, {}, { typ: 'logout+jwt' }), 'malformed'],
  ['typ as array', token(ed, {}, { typ: ['JWT'] }), 'malformed'],
  ['typ with a dotless i', token(ed, {}, { typ: 'applıcation/jwt' }), 'malformed'],
];

const claimCases: readonly Case[] = [
  ['wrong audience', token(ed, { aud: 'other' }), 'audience'],
  ['audience in capitals', token(ed, { aud: 'CCI-BROKER' }), 'audience'],
  ['audience as prefix', token(ed, { aud: 'cci-broker-test' }), 'audience'],
  ['several audiences, none ours', token(ed, { aud: ['a', 'b'] }), 'audience'],
  ['no audience', token(ed, { aud: undefined }), 'claims'],
  ['empty list of audiences', token(ed, { aud: [] }), 'claims'],
  ['audience within an array of arrays', token(ed, { aud: [['cci-broker']] }), 'claims'],
  ['audience as object', token(ed, { aud: { 'cci-broker': true } }), 'claims'],
  ['no issuer', token(ed, { iss: undefined }), 'rejected'],
  ['issuer with a trailing slash', token(ed, { iss: `${ISSUER}/` }), 'rejected'],
  ['issuer in capitals', token(ed, { iss: 'HTTPS://IDP.EXAMPLE' }), 'rejected'],
  ['issuer with a look-alike letter', token(ed, { iss: 'https://іdp.example' }), 'rejected'],
  ['issuer as array', token(ed, { iss: [ISSUER] }), 'rejected'],
  ['issuer named like a prototype member', token(ed, { iss: 'constructor' }), 'rejected'],
  ['expired', token(ed, { exp: NOW - 1 }), 'expired'],
  ['expiring this very moment', token(ed, { exp: NOW }), 'expired'],
  ['no expiry', token(ed, { exp: undefined }), 'claims'],
  ['expiry as string', token(ed, { exp: String(NOW + 600) }), 'claims'],
  ['expiry null', token(ed, { exp: null }), 'claims'],
  [
    'infinite expiry',
    forge(ed, { alg: 'EdDSA', kid: 'ed-1' }, JSON.stringify(claims({ exp: 1 })).replace('"exp":1', '"exp":1e999')),
    'claims',
  ],
  ['negative expiry', token(ed, { exp: -1 }), 'claims'],
  ['not yet valid', token(ed, { nbf: NOW + 60 }), 'not-yet-valid'],
  ['issued in the future', token(ed, { iat: NOW + 60 }), 'not-yet-valid'],
  ['valid from after its expiry', token(ed, { nbf: NOW + 700 }), 'claims'],
  ['nbf as string', token(ed, { nbf: '0' }), 'claims'],
  ['iat as object', token(ed, { iat: {} }), 'claims'],
  ['living for a year', token(ed, { exp: NOW + 365 * 86_400 }), 'lifetime'],
  ['living for a year, without iat', token(ed, { iat: undefined, exp: NOW + 365 * 86_400 }), 'lifetime'],
  ['no subject', token(ed, { sub: undefined }), 'claims'],
  ['empty subject', token(ed, { sub: '' }), 'claims'],
  ['subject as number', token(ed, { sub: 1 }), 'claims'],
  ['subject with a line feed', token(ed, { sub: 'alice\nroot' }), 'claims'],
  ['subject with a right-to-left mark', token(ed, { sub: 'ali\u202ece' }), 'claims'],
  ['subject with half a surrogate pair', token(ed, { sub: 'a\ud800' }), 'claims'],
  ['subject of 257 characters', token(ed, { sub: 'x'.repeat(257) }), 'claims'],
  ['no tenant', token(ed, { tenant: undefined }), 'claims'],
  ['tenant as array', token(ed, { tenant: ['acme'] }), 'claims'],
  ['tenant as array of two', token(ed, { tenant: ['acme', 'globex'] }), 'claims'],
  ['tenant as number', token(ed, { tenant: 1 }), 'claims'],
  ['tenant as object', token(ed, { tenant: { name: 'acme' } }), 'claims'],
  ['empty tenant', token(ed, { tenant: '' }), 'claims'],
  ['tenant in capitals', token(ed, { tenant: 'ACME' }), 'claims'],
  ['tenant with a line feed', token(ed, { tenant: 'acme\n' }), 'claims'],
  ['tenant with a space', token(ed, { tenant: ' acme' }), 'claims'],
  ['tenant star', token(ed, { tenant: '*' }), 'claims'],
  ['tenant with a path', token(ed, { tenant: 'acme/../fabric' }), 'claims'],
  ['tenant with full-width letters', token(ed, { tenant: 'ａｃｍｅ' }), 'claims'],
  ['unknown tenant', token(ed, { tenant: 'initech' }), 'rejected'],
  ['tenant named like a prototype member', token(ed, { tenant: 'constructor' }), 'rejected'],
  ['tenant fabric from an issuer that may not speak for it', token(ed, { tenant: 'fabric' }), 'rejected'],
  ['tenant outside the list of its issuer', token(other, { iss: OTHER_ISSUER, tenant: 'acme' }), 'rejected'],
  ['groups as string', token(ed, { groups: 'operators' }), 'claims'],
  ['groups with a number', token(ed, { groups: ['a', 1] }), 'claims'],
  ['groups with an empty name', token(ed, { groups: [''] }), 'claims'],
  ['groups with a control character', token(ed, { groups: ['a\u0000b'] }), 'claims'],
  ['groups as object', token(ed, { groups: { 0: 'a', length: 1 } }), 'claims'],
  ['300 groups', token(ed, { groups: Array.from({ length: 300 }, (_, i) => `g${i}`) }), 'claims'],
  ['scope as array of other things', token(ed, { scope: ['cci:read', 1] }), 'claims'],
  ['scope as array in an array', token(ed, { scope: [['cci:raw']] }), 'claims'],
  ['scope as object', token(ed, { scope: { 'cci:raw': true } }), 'claims'],
  ['scope null', token(ed, { scope: null }), 'claims'],
  ['jti as number', token(ed, { jti: 1 }), 'claims'],
  ['bound to a key of its holder', token(ed, { cnf: { jkt: 'x' } }), 'claims'],
];

const all = [...algorithmCases, ...signatureCases, ...shapeCases, ...claimCases];

describe('a hostile token gets in by no trick', () => {
  it.each(all)('%s', async (_what, hostile, code) => {
    const result = await authenticator.authenticate(hostile);
    expect(result.ok ? result.value : result.error.code).toBe(code);
    if (!result.ok) {
      expect(result.error.sentence).toMatch(/^[a-z].*[^.]$/s);
      expect(result.error.detail.length).toBeLessThan(700);
      expect(`${result.error.sentence}${result.error.detail}`).toMatch(/^[\x20-\x7e]*$/);
      if (hostile !== '') expect(result.error.detail).not.toContain(hostile.slice(0, 60));
    }
  });

  it('and the honest ones still do', async () => {
    for (const key of [ed, ec, rsa]) expect((await authenticator.authenticate(token(key))).ok).toBe(true);
    expect((await authenticator.authenticate(token(other, { iss: OTHER_ISSUER, tenant: 'fabric' }))).ok).toBe(true);
  });

  it('is told the same, whether key, issuer, tenant or subject is what the broker does not know', async () => {
    const rejected = all.filter(([, , code]) => code === 'rejected');
    const sentences = new Set<string>();
    for (const [, hostile] of rejected) {
      const result = await authenticator.authenticate(hostile);
      if (!result.ok) sentences.add(result.error.sentence);
    }
    expect(sentences.size).toBe(1);
  });

  it('learns nothing of the claims of a token that is badly signed', async () => {
    for (const changes of [
      { exp: NOW - 1 },
      { aud: 'x' },
      { nbf: NOW + 99 },
      { tenant: ['acme'] },
      { tenant: 'nobody' },
    ]) {
      const result = await authenticator.authenticate(token(stranger, changes));
      expect(result.ok ? '' : result.error.code).toBe('rejected');
    }
  });

  it('a rewritten ECDSA signature is the same token to a revocation', async () => {
    const valid = token(ec);
    const [one, two] = await Promise.all([valid, otherEcdsaSignature(valid)].map((t) => authenticator.authenticate(t)));
    expect(one?.ok && two?.ok).toBe(true);
    if (one?.ok && two?.ok) expect(two.value.tokenId).toBe(one.value.tokenId);
  });
});
