import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DecisionRecord,
  type Journal,
  openJournal,
  openSigningKey,
  systemJournalClock,
} from '../../src/broker/journal/index.ts';
import { cli } from '../support/command-line.ts';

let directory = '';
let journalDirectory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-audit-'));
  journalDirectory = join(directory, 'journal');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const audit = (...words: string[]) => cli(['audit', ...words, '--journal', journalDirectory]);

/** A decision about a request that a hostile name has come with. */
function decision(id: string, more: Partial<DecisionRecord> = {}): DecisionRecord {
  const principal = 'user:x#\u001b[2Jeve';
  return { requestId: id, principal, command: 'identify', verdict: 'deny', outward: 'EPERM', ...more };
}

const open = async (segmentBytes = 1 << 20): Promise<Journal> => {
  const { signer } = await openSigningKey(join(directory, 'private.pem'), { make: true });
  await writeFile(join(directory, 'public.pem'), signer.publicKey);
  return openJournal({
    directory: journalDirectory,
    clock: systemJournalClock,
    signer,
    segmentBytes,
    witnesses: [join(directory, 'witness')],
  });
};

async function write(count: number, segmentBytes?: number): Promise<void> {
  const journal = await open(segmentBytes);
  for (let i = 0; i < count; i++) await journal.append('decision', decision(`request-${i}`), { durable: true });
  await journal.close();
}

const trusted = () => ['--key', join(directory, 'public.pem')];
const withWitness = () => [...trusted(), '--witness', join(directory, 'witness')];

async function edit(change: (text: string) => string): Promise<void> {
  const file = join(journalDirectory, 'journal-000001.jsonl');
  await writeFile(file, change(await readFile(file, 'utf8')));
}

describe('cci audit tail', () => {
  it('shows the last records, without checkpoints', async () => {
    await write(5);
    const tail = await audit('tail', '--lines', '2');
    expect(tail.code).toBe(0);
    const lines = tail.out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^SEQ +AT +KIND +BY/);
    expect(lines[2]).toMatch(/^ *5 +\S+ +decision +user:x#\\u\{1b\}\[2Jeve +identify +- +deny +EPERM +- +request-4$/);
    expect(await sequences('-n', '3')).toEqual([3, 4, 5]);
    expect(await sequences('--kind', 'checkpoint')).toEqual([6]);
  });

  const sequences = async (...words: string[]): Promise<number[]> =>
    (await audit('tail', '--json', ...words)).out
      .trimEnd()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).seq);

  it('filters, over all segments', async () => {
    const journal = await open(1000);
    const append = (more: Partial<DecisionRecord>) =>
      journal.append('decision', decision('r', more), { durable: true });
    for (let i = 0; i < 6; i++) await append({ tenant: 'acme', class: 'audited' });
    const { sequence: raw } = await append({ tenant: 'globex', class: 'raw', flags: ['unaudited'] });
    const { sequence: alice } = await append({ tenant: 'acme', principal: 'user:x#alice' });
    const { sequence: stop } = await journal.append('stop', { reason: 'x' }, { durable: true });
    await journal.close();
    expect(await sequences('--tenant', 'globex')).toEqual([raw]);
    expect(await sequences('--class', 'raw')).toEqual([raw]);
    expect(await sequences('--flag', 'unaudited')).toEqual([raw]);
    expect(await sequences('--principal', 'user:x#alice')).toEqual([alice]);
    expect(await sequences('--kind', 'stop', '--kind', 'start')).toEqual([stop]);
    expect(await sequences('--tenant', 'acme', '--class', 'audited')).toHaveLength(6);
    expect(await sequences('--since', '1h')).toHaveLength(9);
    expect(await sequences('--until', '1h')).toEqual([]);
    expect(await sequences('--since', '2026-01-01', '--until', '2999-01-01T00:00:00Z')).toHaveLength(9);
  });

  it.each([
    [['--kind', 'weather'], 'is no kind of record'],
    [['--since', 'yesterday'], 'is no moment'],
    [['--until', '2026-13-01'], 'is no moment'],
    [['--class', 'secret'], 'secret'],
    [['--lines', '0'], 'is not a number of lines'],
  ])('%j is refused', async (words, message) => {
    const ran = await audit('tail', ...words);
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toContain(message);
  });

  it('follows over the end of a segment, and loses nothing between what was there and what comes', async () => {
    const journal = await open(1000);
    for (let i = 0; i < 3; i++) await journal.append('decision', decision(`old-${i}`), { durable: true });
    const told = new AbortController();
    const words = ['audit', 'tail', '-n', '2', '--follow', '--json', '--journal', journalDirectory];
    let seen = '';
    const following = cli(words, {
      told: told.signal,
      onOut: (text) => {
        seen += text;
      },
    });
    await expect.poll(() => seen).toContain('old-2');
    for (let i = 0; i < 12; i++) {
      await journal.append('decision', decision(`new-${i}`), { durable: true });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await expect.poll(() => seen).toContain('new-11');
    told.abort();
    await journal.close();
    const { out, code } = await following;
    expect(code).toBe(0);
    const ids = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).requestId);
    expect(ids.slice(ids.indexOf('new-0'))).toEqual(Array.from({ length: 12 }, (_, i) => `new-${i}`));
  });

  it('tells of lines that are no records', async () => {
    await write(2);
    await edit((text) => `garbage\n${text}`);
    expect((await audit('tail')).err).toContain('1 lines are no records');
  });
});

describe('cci audit show', () => {
  it('tells the story of a refusal', async () => {
    const journal = await open();
    const refusal = decision('r-1', {
      tenant: 'acme',
      tokenId: 't-1',
      source: '127.0.0.1:4711',
      opcode: 1,
      path: 'port:9',
      class: 'allowlisted',
      scope: 0,
      reach: 'query',
      rule: 'R3',
      reasons: [{ step: 'cel', rule: 'R3', errno: 'ENOTTY', text: 'not offered' }],
      grants: [{ resource: '/switches/sw0/ports/9', allowed: false }],
      posture: { version: 2, lockdown: 'integrity', taint: 'R' },
      postureBefore: { version: 1, lockdown: 'none', taint: '-' },
      taints: [{ letter: 'R', scope: '/switches/sw0', reason: 'raw' }],
      flags: ['denied'],
      details: { said: 'not permitted' },
    });
    await journal.append('decision', refusal, { durable: true });
    await journal.close();
    const { out } = await audit('show', 'r-1');
    for (const text of [
      'request r-1\n',
      /asked {4}\S+ by user:x#\\u\{1b\}\[2Jeve of acme, token t-1, from 127.0.0.1:4711\n/,
      'identify (0001h) at port:9: class allowlisted, scope 0, reach query',
      'decided  refused with EPERM by R3',
      'R3 (cel, ENOTTY): not offered',
      'refuses /switches/sw0/ports/9: no row names it',
      'lockdown none, taint - (version 1), then lockdown integrity, taint R (version 2)',
      'taint R on /switches/sw0: raw',
      'not sent (record 1,',
      'told     not permitted',
      'flags    denied',
    ]) {
      if (typeof text === 'string') expect(out).toContain(text);
      else expect(out).toMatch(text);
    }
  });

  it('tells the story of a command that was sent, from its intent to its outcome', async () => {
    const journal = await open();
    const { sequence: intent } = await journal.append(
      'intent',
      decision('r-2', { verdict: 'allow', rule: 'tenants/acme.csv:3', fields: { vcs_id: 0, list: [1, 2] } }),
      { durable: true },
    );
    await journal.append(
      'posture',
      { requestId: 'r-2', switch: 'sw0', change: 'taint', by: 'broker', letter: 'M' },
      { durable: true },
    );
    const codes = { returnCodes: [0x15], durationMs: 3.5, queueMs: 1.25, deviceMs: 2 };
    await journal.append('outcome', { requestId: 'r-2', intent, outcome: 'done', ...codes }, { durable: true });
    await journal.append(
      'outcome',
      { requestId: 'r-2', intent, outcome: 'unknown', reason: 'no answer' },
      { durable: true },
    );
    await journal.close();
    const { out } = await audit('show', 'r-2');
    expect(out).toContain('allowed by tenants/acme.csv:3');
    expect(out).toContain('vcs_id 0, list [1,2]');
    expect(out).toContain('written down before it was sent (record 1,');
    expect(out).toContain('posture: taint, M (record 2,');
    expect(out).toMatch(/done: 0015h \S+ \(record 3,/);
    expect(out).toContain('3.5 ms: 1.25 ms until its turn, 2 ms at the device');
    expect(out).toContain('unknown: it may have been executed');
    expect(out).toContain('no answer');
  });

  it('gives the records themselves, for people and as JSON', async () => {
    await write(3);
    expect((await audit('show', 'request-2', '--records')).out).toContain('requestId  request-2\n');
    expect(JSON.parse((await audit('show', 'request-2', '--json')).out)).toMatchObject([{ requestId: 'request-2' }]);
  });
});

describe('cci audit verify', () => {
  it('with the key and a witness says that nothing is missing', async () => {
    await write(5);
    const verified = await audit('verify', ...withWitness());
    expect(verified.code).toBe(0);
    expect(verified.out).toMatch(
      /^intact: 6 records, one unbroken chain\nsigned and complete up to checkpoint 6 of \S+, [0-9a-f]{64}\nnothing is missing up to checkpoint 6 of \S+, the newest of witness \S+\nlast record 6, /,
    );
    expect(verified.err).toBe('');
  });

  it('without a witness says up to when it is complete, and without a kept key what that is worth', async () => {
    await write(5);
    expect((await audit('verify', ...trusted())).err).toMatch(
      /^whether anything after sequence 6 of 20\S+ was removed can't be told without a --witness\n$/,
    );
    expect((await audit('verify')).err).toContain('no key was given');
    await writeFile(join(journalDirectory, 'journal-key.pem'), await readFile(join(directory, 'public.pem')));
    const beside = await audit('verify');
    expect(beside.out).toContain('signed and complete');
    expect(beside.err).toContain('the key lay beside the journal');
  });

  it('ends with 1 and names file, line and sequence when a record was changed', async () => {
    await write(4);
    await edit((text) => text.replace('request-1', 'request-9'));
    const ran = await audit('verify', ...trusted());
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(
      /^damaged: .+\n {2}journal-000001\.jsonl line 2 \(sequence 2\): changed: record 2 was changed/,
    );
    expect(ran.out).toContain('sequences 3 to 5 are signed and as they were written');
    expect(JSON.parse((await audit('verify', '--json')).out)).toMatchObject({ intact: false, problemCount: 1 });
  });

  it('ends with 1 when a witness has seen more', async () => {
    await write(4);
    await edit((text) => text.slice(0, text.lastIndexOf('{"v":1,"seq":5')));
    expect((await audit('verify', ...trusted())).code).toBe(1);
    const ran = await audit('verify', ...withWitness());
    expect(ran.code).toBe(1);
    expect(ran.out).toContain('truncated: records 5 to 5 are missing at the end');
  });

  it('says where a copy without its beginning begins', async () => {
    await write(20, 2000);
    await rm(join(journalDirectory, 'journal-000001.jsonl'));
    const ran = await audit('verify', ...withWitness());
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/it begins with sequence \d+ in journal-000002\.jsonl: what was before is not here/);
  });

  it('refuses keys and witnesses that are not there', async () => {
    await write(1);
    expect(await audit('verify', '--key', join(directory, 'none'))).toMatchObject({ code: 1, out: '' });
    expect(await audit('verify', '--key', join(directory, 'witness'))).toMatchObject({ code: 1, out: '' });
    expect(await audit('verify', '--witness', join(directory, 'none'))).toMatchObject({ code: 1, out: '' });
  });
});

describe('cci audit key and schema', () => {
  it('prints the public key of the configuration, or the one beside a journal', async () => {
    expect((await audit('key')).err).toContain('there is no signing key yet');
    const state = ['--state-directory', directory];
    expect((await cli(['audit', 'key', ...state])).code).toBe(1);
    const { signer } = await openSigningKey(join(directory, 'journal-signing-key.pem'), { make: true });
    const ran = await cli(['audit', 'key', ...state]);
    expect(ran.out).toBe(signer.publicKey);
    expect(ran.err).toContain(signer.keyId);
    const json = JSON.parse((await cli(['audit', 'key', '--json', ...state])).out);
    expect(json).toEqual({ keyId: signer.keyId, publicKey: signer.publicKey });
    await write(1);
    await writeFile(join(journalDirectory, 'journal-key.pem'), signer.publicKey);
    expect((await audit('key')).out).toBe(signer.publicKey);
  });

  it('prints a JSON Schema that the records of a journal fit', async () => {
    await write(2);
    const fits = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(
      JSON.parse((await cli(['audit', 'schema'])).out),
    );
    const text = await readFile(join(journalDirectory, 'journal-000001.jsonl'), 'utf8');
    for (const line of text.trimEnd().split('\n')) expect(fits(JSON.parse(line))).toBe(true);
  });
});

it('says what is missing where there is no journal or no such request', async () => {
  for (const words of [['tail'], ['verify'], ['show', 'x']]) {
    const ran = await audit(...words);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(/^cci: journal .+\n {2}next: /);
  }
  await write(1);
  expect((await audit('show', 'nobody')).err).toContain('has no request `nobody`');
});
