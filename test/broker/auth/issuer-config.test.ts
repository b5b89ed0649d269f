import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AuthConfigError, createAuthenticator, type IssuerConfig } from '../../../src/broker/auth/index.ts';
import { bench, ISSUER, issuerOf, jwksFile, makeKey, TestClock, temporaryDirectory, token } from './forge.ts';

const key = makeKey('EdDSA', 'k1');
const rsa = makeKey('RS256', 'r1');

async function problems(config: readonly unknown[], production = false): Promise<readonly string[]> {
  const options = { clock: new TestClock(), knownTenants: new Set<string>(), production };
  try {
    await createAuthenticator(config as readonly IssuerConfig[], options);
  } catch (error) {
    if (error instanceof AuthConfigError) return error.problems;
    throw error;
  }
  return [];
}

function changed(changes: Record<string, unknown>): unknown {
  return { ...issuerOf([key]), ...changes };
}

function file(text: string): string {
  const path = join(temporaryDirectory(), 'jwks.json');
  writeFileSync(path, text);
  return path;
}

const noFile = { jwks_file: undefined };
const secret = key.privateKey.export({ format: 'jwk' });
const { n } = rsa.jwk;

describe('the broker does not start', () => {
  it.each<[string, unknown[], RegExp]>([
    ['without an issuer', [], /at least one issuer/],
    ['without `issuer`', [changed({ issuer: undefined })], /`issuer` is required/],
    ['with an empty `issuer`', [changed({ issuer: '' })], /`issuer` is required/],
    ['without `audience`', [changed({ audience: undefined })], /`audience` is required/],
    ['with an empty `audience`', [changed({ audience: '' })], /`audience` is required/],
    ['with no audience in the list', [changed({ audience: [] })], /`audience` is required/],
    ['with an empty audience in the list', [changed({ audience: ['a', ''] })], /`audience` is required/],
    ['without `algorithms`', [changed({ algorithms: undefined })], /`algorithms` is required/],
    ['with no algorithm in the list', [changed({ algorithms: [] })], /`algorithms` is required/],
    ['with HS256', [changed({ algorithms: ['EdDSA', 'HS256'] })], /`HS256` is not accepted/],
    ['with none', [changed({ algorithms: ['none'] })], /`none` is not accepted/],
    [
      'with an issuer given twice',
      [changed({}), changed({})],
      /issuers\[1\]: issuer `https:\/\/idp.example` is given twice/,
    ],
    ["with the development issuer's name", [changed({ issuer: 'https://cci-broker.local/dev' })], /reserved/],
    ['without keys', [changed(noFile)], /`jwks_file` or `jwks_url` is required/],
    ['with two places for keys', [changed({ jwks_url: 'https://x/' })], /not both/],
    ['with keys over plain http', [changed({ ...noFile, jwks_url: 'http://idp.example/jwks' })], /must be https/],
    ['with keys over http from a name', [changed({ ...noFile, jwks_url: 'http://localhost/jwks' })], /must be https/],
    [
      'with keys over http on loopback, unless it is said that this is wanted',
      [changed({ ...noFile, jwks_url: 'http://127.0.0.1:1/jwks' })],
      /must be https.*jwks_insecure_loopback/,
    ],
    [
      'with keys over http from elsewhere, said or not',
      [changed({ ...noFile, jwks_url: 'http://10.0.0.1/jwks', jwks_insecure_loopback: true })],
      /must be https/,
    ],
    ['with authorities for no URL', [changed({ jwks_ca_file: 'ca.pem' })], /mean nothing without `jwks_url`/],
    ['with a claim inside a registered one', [changed({ tenant_claim: ['cnf', 'jkt'] })], /cnf\.jkt.* can not serve/],
    ['with a scope that there is not', [changed({ scope_names: { all: 'cci:everything' } })], /there is no scope/],
    ['with a tenant that is no name', [changed({ tenant_names: { Acme: 'Acme Inc' } })], /not a tenant's name/],
    ['with keys out of a file URL', [changed({ ...noFile, jwks_url: 'file:///etc/jwks' })], /must be https/],
    ['with credentials in the URL', [changed({ ...noFile, jwks_url: 'https://a:b@x/' })], /credentials/],
    ['with no URL', [changed({ ...noFile, jwks_url: 'x' })], /not a URL/],
    [
      'with an outage limit below the refresh',
      [changed({ ...noFile, jwks_url: 'https://x/', jwks_outage_ms: 1000 })],
      /shorter/,
    ],
    ['with a missing file', [changed({ jwks_file: '/nonexistent/jwks.json' })], /ENOENT/],
    ['with a file that is not JSON', [changed({ jwks_file: file('{') })], /not JSON/],
    ['with a file without keys', [changed({ jwks_file: file('{"keys":[]}') })], /holds no key/],
    ['with a file of one bare key', [changed({ jwks_file: file(JSON.stringify(key.jwk)) })], /no list `keys`/],
    ['with a file whose list is there twice', [changed({ jwks_file: file('{"keys":[],"keys":[]}') })], /given twice/],
    ['with keys of another algorithm only', [changed({ jwks_file: jwksFile([rsa.jwk]) })], /holds no key/],
    ['with a private key in the file', [changed({ jwks_file: jwksFile([{ ...secret, kid: 'k1' }]) })], /private key/],
    [
      'with a private key beside a public one',
      [changed({ jwks_file: jwksFile([key.jwk, { ...secret, kid: 'p' }]) })],
      /key 1: a private key/,
    ],
    [
      'with a symmetric key in the file',
      [changed({ jwks_file: jwksFile([key.jwk, { kty: 'oct', k: 'AAAA' }]) })],
      /key 1: a symmetric key/,
    ],
    [
      'with a key id twice',
      [changed({ jwks_file: jwksFile([key.jwk, { ...makeKey('EdDSA', 'k1').jwk }]) })],
      /there twice/,
    ],
    [
      'with two keys without id',
      [changed({ jwks_file: jwksFile([key, makeKey('EdDSA', 'x')].map(({ jwk }) => ({ ...jwk, kid: undefined }))) })],
      /each needs a `kid`/,
    ],
    [
      'with a damaged key',
      [changed({ jwks_file: jwksFile([{ kty: 'OKP', crv: 'Ed25519', x: 'AA' }]) })],
      /not a valid/,
    ],
    [
      'with an RSA key of 1024 bits',
      [
        changed({
          algorithms: ['RS256'],
          jwks_file: jwksFile([{ kty: 'RSA', n: String(n).slice(0, 171), e: 'AQAB' }]),
        }),
      ],
      /2048 bits/,
    ],
    [
      'with an RSA key padded to 2048 bits',
      [
        changed({
          algorithms: ['RS256'],
          jwks_file: jwksFile([{ kty: 'RSA', n: `${'A'.repeat(172)}${String(n).slice(0, 171)}`, e: 'AQAB' }]),
        }),
      ],
      /2048 bits/,
    ],
    [
      'with an even RSA exponent',
      [changed({ algorithms: ['RS256'], jwks_file: jwksFile([{ kty: 'RSA', n, e: 'BA' }]) })],
      /unsafe exponent/,
    ],
    [
      'with an RSA exponent of 1',
      [changed({ algorithms: ['RS256'], jwks_file: jwksFile([{ kty: 'RSA', n, e: 'AQ' }]) })],
      /unsafe exponent/,
    ],
    ['with the subject as tenant claim', [changed({ tenant_claim: 'sub' })], /can not serve/],
    ['with one claim for two things', [changed({ scope_claim: 'groups' })], /different claims/],
    ['with a tenant that is none', [changed({ tenants: ['Acme'] })], /not a tenant's name/],
    ['with no tenant in the list', [changed({ tenants: [] })], /`tenants` is empty/],
    ['with a tolerance of an hour', [changed({ clock_tolerance_ms: 3_600_000 })], /clock_tolerance_ms/],
    [
      'with a development issuer of another name',
      [{ kind: 'development', issuer: ISSUER }],
      /`issuer` of the development issuer/,
    ],
    ['with a development issuer with keys of others', [{ kind: 'development', jwks_file: 'x' }], /its own key/],
    ['with a development issuer without a directory', [{ kind: 'development' }], /needs a `directory`/],
    ['with two development issuers', [{ kind: 'development' }, { kind: 'development' }], /given twice/],
  ])('%s', async (_what, config, expected) => {
    expect((await problems(config)).join('\n')).toMatch(expected);
  });

  it('in production with a development issuer', async () => {
    expect((await problems([{ kind: 'development', directory: temporaryDirectory() }], true)).join()).toMatch(
      /production/,
    );
  });

  it('and says everything that is wrong at once', async () => {
    const found = await problems([{}, changed({ algorithms: ['HS512'], tenant_claim: 'iss' })]);
    expect(found.filter((problem) => problem.startsWith('issuers[0]'))).toHaveLength(4);
    expect(found.filter((problem) => problem.startsWith('issuers[1]'))).toHaveLength(2);
  });
});

describe('the broker starts', () => {
  it('with a key that is for encryption, or of another kind, beside the right one', async () => {
    const keys = [
      { ...rsa.jwk, use: 'enc' },
      { kty: 'OKP', crv: 'X25519', x: 'AA', kid: 'x' },
      { ...key.jwk, use: 'sig', alg: 'Ed25519' },
    ];
    const { authenticator } = await bench([{ ...issuerOf([key]), jwks_file: jwksFile(keys) }]);
    expect(authenticator.stats).toMatchObject({ hits: 0, verified: 0, refused: 0, cached: 0 });
  });

  it('with an RSA key for each algorithm of its type, and none for the others', async () => {
    const config = issuerOf([rsa], { algorithms: ['RS256', 'PS256', 'ES256'] });
    const { authenticator } = await bench([config]);
    expect((await authenticator.authenticate(token({ ...rsa, alg: 'PS256' }))).ok).toBe(true);
    expect((await authenticator.authenticate(token(rsa))).ok).toBe(true);
  });
});
