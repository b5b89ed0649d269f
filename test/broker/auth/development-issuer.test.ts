import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createAuthenticator,
  DevelopmentIssuerError,
  issueDevelopmentToken,
  openDevelopmentIssuer,
} from '../../../src/broker/auth/index.ts';
import { NOW_MS, TestClock, temporaryDirectory } from './forge.ts';

const fresh = (): string => join(temporaryDirectory(), 'issuer');

async function brokerOf(directory: string, tenants = ['*', 'fabric']) {
  const clock = new TestClock();
  const knownTenants = new Set(['acme', 'fabric']);
  const authenticator = await createAuthenticator([{ kind: 'development', directory, tenants }], {
    clock,
    knownTenants,
  });
  return { authenticator, clock };
}

describe('the development issuer', () => {
  it('makes a key that only its owner can read, once, and hands out none of it', async () => {
    const directory = fresh();
    const first = await openDevelopmentIssuer({ directory });
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(first.keyFile).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(first)).not.toContain(JSON.parse(readFileSync(first.keyFile, 'utf8')).d);
    expect(await openDevelopmentIssuer({ directory })).toEqual(first);
    expect(readdirSync(directory)).toHaveLength(1);
  });

  it('makes one key when many start at once', async () => {
    const directory = fresh();
    const opened = await Promise.all(Array.from({ length: 12 }, () => openDevelopmentIssuer({ directory })));
    expect(new Set(opened.map(({ jwks }) => JSON.stringify(jwks))).size).toBe(1);
    expect(readdirSync(directory)).toHaveLength(1);
  });

  it('signs tokens that the broker accepts until they expire, whoever made the key', async () => {
    const directory = fresh();
    const request = {
      directory,
      tenant: 'acme',
      subject: 'alice',
      groups: ['ops'],
      scopes: ['cci:config'],
      nowMs: NOW_MS,
    };
    const { token, tokenId, expiresAtMs } = await issueDevelopmentToken(request);
    expect(expiresAtMs).toBe(NOW_MS + 3_600_000);
    const { authenticator, clock } = await brokerOf(directory);
    const result = await authenticator.authenticate(token);
    expect(result.ok && result.value).toMatchObject({
      tenant: 'acme',
      tokenId: `jti:https://cci-broker.local/dev#${tokenId}`,
      scopes: ['cci:config'],
      names: ['user:https://cci-broker.local/dev#alice', 'group:https://cci-broker.local/dev#ops', 'group:tenant/acme'],
    });
    clock.nowMs = expiresAtMs;
    const late = await authenticator.authenticate(token);
    expect(late.ok || late.error.code).toBe('expired');
  });

  it('lives for a day at most and speaks for fabric only where allowed', async () => {
    const directory = fresh();
    const day = await issueDevelopmentToken({
      directory,
      tenant: 'fabric',
      subject: 's',
      ttlMs: 86_400_000,
      nowMs: NOW_MS,
    });
    expect((await (await brokerOf(directory)).authenticator.authenticate(day.token)).ok).toBe(true);
    expect((await (await brokerOf(directory, ['*'])).authenticator.authenticate(day.token)).ok).toBe(false);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['two days', { ttlMs: 172_800_000 }, /24 hours/],
    ['no time', { ttlMs: 0 }, /1 second/],
    ['a time that is no number', { ttlMs: Number.NaN }, /1 second/],
    ['a tenant that can not be', { tenant: 'Acme' }, /not a tenant's name/],
    ['no subject', { subject: '' }, /1 to 256/],
    ['a subject with an escape sequence', { subject: '\u001b[2J' }, /control/],
    ['a mistyped scope', { scopes: ['cci:reed'] }, /no scope `cci:reed`/],
    [
      'more groups than fit',
      { groups: Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(200, 'x')) },
      /longer than 8192/,
    ],
  ])('does not sign a token for %s', async (_what, changes, message) => {
    const request = issueDevelopmentToken({ directory: fresh(), tenant: 'acme', subject: 's', ...changes });
    await expect(request).rejects.toThrow(message);
  });
});

describe('the development issuer refuses', () => {
  async function refusal(prepare: (directory: string, keyFile: string) => void): Promise<string> {
    const directory = fresh();
    const { keyFile } = await openDevelopmentIssuer({ directory });
    prepare(directory, keyFile);
    const error = await openDevelopmentIssuer({ directory }).catch((caught: unknown) => caught);
    if (!(error instanceof DevelopmentIssuerError)) throw new Error('not refused');
    return error.message;
  }

  it.each([0o640, 0o604, 0o660, 0o601])('a key file of mode %o', async (mode) => {
    expect(await refusal((_, keyFile) => chmodSync(keyFile, mode))).toMatch(/can be read by others/);
  });

  it.each([0o770, 0o707, 0o702])('a directory of mode %o', async (mode) => {
    expect(await refusal((directory) => chmodSync(directory, mode))).toMatch(/can be written by others/);
  });

  it.each([
    '',
    '{',
    '{}',
    '[]',
    '{"kty":"oct","k":"AA"}',
    '{"kty":"OKP","crv":"Ed25519","x":"AA","d":"AA"}',
    'x'.repeat(5000),
  ])('a damaged key file: %s', async (text) => {
    expect(await refusal((_, keyFile) => writeFileSync(keyFile, text))).toMatch(/damaged|not a key/);
  });

  it('a key file that is a link, or a directory', async () => {
    const directory = fresh();
    const { keyFile } = await openDevelopmentIssuer({ directory: fresh() });
    mkdirSync(directory, { mode: 0o700 });
    symlinkSync(keyFile, join(directory, 'development-issuer.jwk'));
    await expect(openDevelopmentIssuer({ directory })).rejects.toThrow(/is a link/);
    const another = fresh();
    mkdirSync(join(another, 'development-issuer.jwk'), { recursive: true, mode: 0o700 });
    await expect(openDevelopmentIssuer({ directory: another })).rejects.toThrow(/is not a file/);
  });

  it.skipIf(process.geteuid?.() !== 0)('a key or a directory of another user (seen as root only)', async () => {
    expect(await refusal((_, keyFile) => chownSync(keyFile, 12_345, 12_345))).toMatch(/belongs to user 12345/);
    expect(await refusal((directory) => chownSync(directory, 12_345, 12_345))).toMatch(/belongs to user 12345/);
  });
});
