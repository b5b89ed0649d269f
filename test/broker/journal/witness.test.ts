import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newSigningKey, openJournal, signerOf, verifyJournal } from '../../../src/broker/journal/index.ts';
import {
  check,
  DIRECTORY,
  FILE,
  intent,
  openInMemory,
  PATH,
  SMALL,
  segmentNames,
  signer,
  temporaryDirectory,
  testClock,
} from './fixture.ts';

const keys = [signer.publicKey];

/** A journal of several segments with a witness, closed. */
async function witnessed() {
  const witness = join(temporaryDirectory(), 'witness.jsonl');
  const options = { ...SMALL, checkpointRecords: 3, witnesses: [witness] };
  const { journal, fileSystem } = await openInMemory(undefined, options);
  for (let i = 0; i < 20; i++) await journal.append('intent', intent(`r-${i}`), { durable: true });
  await journal.close();
  return { witness, fileSystem, options };
}

test('checkpoints are written to the witness as they are made, the last one at the end', async () => {
  const { witness, fileSystem } = await witnessed();
  expect(statSync(witness).mode & 0o777).toBe(0o600);
  const lines = readFileSync(witness, 'utf8').trimEnd().split('\n');
  const journal = segmentNames(fileSystem).map((name) => fileSystem.text(join(DIRECTORY, name)));
  for (const line of lines) expect(journal.join('')).toContain(`${line}\n`);
  expect(journal.at(-1)?.endsWith(`${lines.at(-1)}\n`)).toBe(true);
  // Older ones may be left out while one is being written: they say less.
  expect(lines.length).toBeGreaterThan(1);
  const verdict = await verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [witness] });
  expect(verdict).toMatchObject({ intact: true, witnesses: [{ witness, found: true }] });
});

test('a truncated tail and a deleted last segment are found against the witness, and by nothing else', async () => {
  for (const harm of ['cut', 'deleted'] as const) {
    const { witness, fileSystem } = await witnessed();
    const name = segmentNames(fileSystem).at(-1) ?? '';
    const path = join(DIRECTORY, name);
    if (harm === 'deleted') fileSystem.remove(path);
    else fileSystem.edit(path, (data) => data.subarray(0, data.lastIndexOf('{"v":1')));
    expect(await verifyJournal(DIRECTORY, { fileSystem, keys })).toMatchObject({ intact: true });
    const verdict = await verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [witness] });
    expect(verdict).toMatchObject({ intact: false, witnesses: [{ found: false }] });
    const last = verdict.last?.sequence ?? 0;
    expect(verdict.problems).toMatchObject([
      {
        kind: 'truncated',
        sequence: last + 1,
        text: expect.stringMatching(/^records \d+ to \d+ are missing at the end/),
      },
    ]);
    if (harm === 'cut') expect(verdict.problems[0]).toMatchObject({ file: name });
  }
});

test('a tail that was written anew after the last checkpoint is found against the witness', async () => {
  const { witness, fileSystem } = await witnessed();
  const path = join(DIRECTORY, segmentNames(fileSystem).at(-1) ?? '');
  fileSystem.edit(path, (data) => data.subarray(0, data.lastIndexOf('{"v":1')));
  const { signer: _, ...forger } = SMALL;
  const { journal } = await openInMemory(fileSystem, forger);
  for (let i = 0; i < 3; i++) await journal.append('stop', { reason: 'forged' }, { durable: true });
  const verdict = await verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [witness] });
  expect(verdict.problems).toMatchObject([
    { kind: 'truncated', text: expect.stringContaining('is not in the journal') },
  ]);
});

test('what any sink has written serves as a witness', async () => {
  const { witness, fileSystem } = await witnessed();
  const lines = readFileSync(witness, 'utf8').trimEnd().split('\n');
  const newest = lines.at(-1) ?? '';
  const directory = temporaryDirectory();
  const forms = {
    syslog: `<110>1 2026-01-01T00:00:00.001Z host cci-broker 7 checkpoint - ${newest}`,
    otlp: JSON.stringify({
      resourceLogs: [{ scopeLogs: [{ logRecords: lines.map((line) => ({ body: { stringValue: line } })) }] }],
    }),
    console: `something else\n${newest} and more`,
    journal: fileSystem.text(join(DIRECTORY, segmentNames(fileSystem).at(-1) ?? '')),
  };
  for (const [form, text] of Object.entries(forms)) {
    const path = join(directory, form);
    writeFileSync(path, `noise\n${text}\n{"v":1,"half`);
    const whole = await verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [path] });
    expect(whole, form).toMatchObject({ intact: true, witnesses: [{ found: true }] });
  }
});

test('a witness whose checkpoints were not signed by the key does not count, and is no witness', async () => {
  const { witness, fileSystem } = await witnessed();
  const mallory = signerOf(newSigningKey());
  const other = await openInMemory(undefined, { ...SMALL, signer: mallory });
  await other.journal.append('stop', { reason: 'x' }, { durable: true });
  await other.journal.close();
  const text = readFileSync(witness, 'utf8');
  const forged = other.fileSystem.text(PATH).replace(/"seq":2/, '"seq":99');
  writeFileSync(witness, `${text}${other.fileSystem.text(PATH)}${forged}`);
  expect(await verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [witness] })).toMatchObject({ intact: true });
  writeFileSync(witness, forged);
  const verdict = await verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [witness] });
  expect(verdict.problems).toMatchObject([
    { kind: 'unwitnessed', text: expect.stringContaining('no checkpoint that counts') },
  ]);
});

test('a witness that is not there is an io error', async () => {
  const { witness, fileSystem } = await witnessed();
  const missing = `${witness}.gone`;
  await expect(verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [missing] })).rejects.toMatchObject({
    code: 'io',
  });
});

test('a broker does not start on a journal that was cut off, deleted or exchanged since the witness wrote', async () => {
  const cut = await witnessed();
  const name = segmentNames(cut.fileSystem).at(-1) ?? '';
  cut.fileSystem.remove(join(DIRECTORY, name));
  await expect(openInMemory(cut.fileSystem, cut.options)).rejects.toMatchObject({
    code: 'truncated',
    message: expect.stringMatching(/^the journal reached to sequence \d+ at 2026-/),
  });
  const gone = await witnessed();
  await expect(openInMemory(undefined, gone.options)).rejects.toMatchObject({ code: 'truncated' });
  const exchanged = await witnessed();
  const other = await openInMemory(undefined, SMALL);
  for (let i = 0; i < 60; i++) await other.journal.append('intent', intent(`other-${i}`), { durable: true });
  await other.journal.close();
  await expect(openInMemory(other.fileSystem, exchanged.options)).rejects.toMatchObject({ code: 'replaced' });
  // What is as the witness says is gone on with, also by a journal that has reached further.
  const fine = await witnessed();
  await (await openInMemory(fine.fileSystem, { ...fine.options, witnesses: [] })).journal.close();
  await (await openInMemory(fine.fileSystem, fine.options)).journal.close();
});

test('a witness without checkpoints says nothing', async () => {
  const { fileSystem, options, witness } = await witnessed();
  writeFileSync(witness, 'noise\n');
  await (await openInMemory(fileSystem, options)).journal.close();
});

test('a witness that cannot be written stops nothing, is told, and is made up for', async () => {
  const directory = join(temporaryDirectory(), 'elsewhere');
  const witness = join(directory, 'witness');
  const errors: string[] = [];
  const { journal, fileSystem } = await openInMemory(undefined, {
    ...SMALL,
    checkpointRecords: 2,
    witnesses: [witness],
    onWitnessError: (path) => errors.push(path),
  });
  await journal.append('decision', intent('r-0'), { durable: true });
  await journal.append('decision', intent('r-1'), { durable: true });
  await expect.poll(() => errors).toEqual([witness]);
  mkdirSync(directory);
  await journal.append('decision', intent('r-2'), { durable: true });
  await journal.close();
  expect(await verifyJournal(DIRECTORY, { fileSystem, keys, witnesses: [witness] })).toMatchObject({ intact: true });
});

test('a witness may be moved away while the broker runs', async () => {
  const directory = temporaryDirectory();
  const witness = join(directory, 'witness');
  const journal = await openJournal({
    directory: join(directory, 'journal'),
    clock: testClock(),
    signer,
    checkpointRecords: 1,
    witnesses: [witness],
  });
  await journal.append('decision', intent('r-0'), { durable: true });
  await expect.poll(() => statSync(witness, { throwIfNoEntry: false })?.size ?? 0).toBeGreaterThan(0);
  rmSync(witness);
  await journal.append('decision', intent('r-1'), { durable: true });
  await journal.close();
  const [newest = ''] = readFileSync(witness, 'utf8').trimEnd().split('\n').slice(-1);
  const text = readFileSync(join(directory, 'journal', FILE), 'utf8');
  expect(check(text).at(-1)?.hash).toBe(JSON.parse(newest).hash);
  appendFileSync(witness, 'noise');
  expect(await verifyJournal(join(directory, 'journal'), { keys, witnesses: [witness] })).toMatchObject({
    intact: true,
  });
});
