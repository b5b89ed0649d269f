import { createPublicKey, verify } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { turns } from '../../support/turns.ts';
import { check, intent, openInMemory, PATH, signer } from './fixture.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const kinds = (text: string): string[] => check(text).map(({ kind }) => kind);

test('records are signed within a second of the first of them, and nothing is while none arrive', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer });
  await journal.append('decision', intent('r-1'), { durable: true });
  vi.advanceTimersByTime(500);
  await journal.append('decision', intent('r-2'), { durable: true });
  vi.advanceTimersByTime(399);
  await turns(10);
  expect(kinds(fileSystem.text(PATH))).toEqual(['decision', 'decision']);
  vi.advanceTimersByTime(1);
  await turns(10);
  expect(kinds(fileSystem.text(PATH))).toEqual(['decision', 'decision', 'checkpoint']);
  vi.advanceTimersByTime(60_000);
  await turns(10);
  expect(kinds(fileSystem.text(PATH))).toHaveLength(3);
  await journal.append('decision', intent('r-3'), { durable: true });
  await journal.close();
  expect(kinds(fileSystem.text(PATH)).slice(3)).toEqual(['decision', 'checkpoint']);
});

test('under load they are signed after so many, so that a start has few to read', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer, checkpointRecords: 5 });
  for (let i = 0; i < 11; i++) await journal.append('decision', intent(`r-${i}`), { durable: true });
  const found = kinds(fileSystem.text(PATH)).flatMap((kind, index) => (kind === 'checkpoint' ? [index + 1] : []));
  expect(found).toEqual([6, 12]);
});

test('what a crash left unsigned is signed after the next start', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer });
  await journal.append('decision', intent('r-1'), { durable: true });
  fileSystem.pullThePlug(1);
  await openInMemory(fileSystem, { signer });
  vi.advanceTimersByTime(900);
  await turns(10);
  expect(kinds(fileSystem.text(PATH))).toEqual(['decision', 'checkpoint']);
});

test('a failed journal is signed when it has recovered, with what recovering wrote', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer });
  fileSystem.fault = ({ name }) => (name === 'append' ? 'EIO' : undefined);
  await expect(journal.append('intent', intent('r-1'), { durable: true })).rejects.toThrow();
  vi.advanceTimersByTime(5000);
  await turns(10);
  fileSystem.fault = () => undefined;
  await journal.reopen();
  vi.advanceTimersByTime(900);
  await turns(10);
  expect(kinds(fileSystem.text(PATH))).toEqual(['intent', 'recovery', 'outcome', 'checkpoint']);
});

test('anybody with the public key can check a checkpoint by its bytes, as docs/journal.md says', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer });
  await journal.append('intent', intent('r-1'), { durable: true });
  await journal.close();
  const [first = '', line = ''] = fileSystem.text(PATH).split('\n');
  const signed = Buffer.from(line.slice(0, line.lastIndexOf(',"signature":')));
  const { signature, ...checkpoint } = JSON.parse(line);
  const key = createPublicKey(signer.publicKey);
  expect(verify(null, signed, key, Buffer.from(signature, 'base64url'))).toBe(true);
  expect(verify(null, Buffer.from(`${signed} `), key, Buffer.from(signature, 'base64url'))).toBe(false);
  expect(checkpoint).toMatchObject({
    kind: 'checkpoint',
    journal: JSON.parse(first).hash,
    segment: 'journal-000001.jsonl',
    key: signer.keyId,
    open: [{ sequence: 1, requestId: 'r-1', switch: 'sw0', principal: 'user:local#alice', tenant: 'acme' }],
    switches: ['sw0'],
    prev: JSON.parse(first).hash,
  });
});

test('nobody but the journal itself writes checkpoints', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer });
  await expect(journal.append('checkpoint' as 'stop', { reason: 'mine' }, { durable: true })).rejects.toMatchObject({
    code: 'invalid',
  });
  await expect(
    journal.append('stop', { reason: 'mine', signature: 'x' } as { reason: string }, { durable: true }),
  ).rejects.toMatchObject({ code: 'invalid' });
  expect(fileSystem.text(PATH)).toBe('');
});

test('a journal without records has nothing to sign', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer });
  await journal.close();
  expect(fileSystem.text(PATH)).toBe('');
});
