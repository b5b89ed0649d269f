import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkpointKey, newSigningKey, openSigningKey, signerOf } from '../../../src/broker/journal/index.ts';
import { temporaryDirectory } from './fixture.ts';

test('a key is made once, for its owner only, and is the same at the next start', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'key.pem');
  const first = await openSigningKey(path, { make: true });
  const second = await openSigningKey(path, { make: true });
  expect([first.made, second.made]).toEqual([true, false]);
  expect(second.signer.keyId).toBe(first.signer.keyId);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['key.pem']);
});

test('of two that make it at once, both get the same', async () => {
  const path = join(temporaryDirectory(), 'key.pem');
  const both = await Promise.allSettled([1, 2].map(() => openSigningKey(path, { make: true })));
  const ids = new Set(both.flatMap((one) => (one.status === 'fulfilled' ? [one.value.signer.keyId] : [])));
  expect(ids.size).toBe(1);
});

test('what it signs its public half checks, and no other', () => {
  const signer = signerOf(newSigningKey());
  const text = Buffer.from('a checkpoint');
  const signature = signer.sign(text);
  expect(signature).toHaveLength(64);
  const key = checkpointKey(signer.publicKey);
  expect(key.keyId).toBe(signer.keyId);
  expect(key.keyId).toMatch(/^[0-9a-f]{32}$/);
  expect(key.verify(text, signature)).toBe(true);
  expect(key.verify(Buffer.from('a checkpoint!'), signature)).toBe(false);
  expect(key.verify(text, signature.subarray(1))).toBe(false);
  expect(checkpointKey(signerOf(newSigningKey()).publicKey).verify(text, signature)).toBe(false);
});

test.each<[string, string, number, string]>([
  ['one that others can read', newSigningKey(), 0o640, 'insecure'],
  ['rubbish', 'rubbish', 0o600, 'invalid'],
  ['nothing', '', 0o600, 'invalid'],
  [
    'a key of another kind',
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    0o600,
    'invalid',
  ],
])('a key file that is %s is refused, and never written over', async (_, text, mode, code) => {
  const path = join(temporaryDirectory(), 'key.pem');
  writeFileSync(path, text);
  chmodSync(path, mode);
  await expect(openSigningKey(path, { make: true })).rejects.toMatchObject({
    code,
    message: expect.stringContaining(path),
  });
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('a configured key must be there', async () => {
  const path = join(temporaryDirectory(), 'key.pem');
  await expect(openSigningKey(path, { make: false })).rejects.toMatchObject({ code: 'io' });
  await expect(openSigningKey(join(path, 'deeper'), { make: true })).rejects.toMatchObject({ code: 'io' });
  expect(() => checkpointKey(newSigningKey())).not.toThrow();
});
