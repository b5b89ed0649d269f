import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRecording, newRecordingKey } from '../../../src/broker/recording/index.ts';
import { momentText, parseMoment } from '../../../src/cli/console/moments.ts';
import { PlainText } from '../../../src/cli/console/plain-text.ts';
import { cli } from '../../support/command-line.ts';

const SESSION = '0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a';
const pair = newRecordingKey();
let state = '';

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'play-'));
  await mkdir(join(state, 'recordings'));
});
afterEach(() => rm(state, { recursive: true, force: true }));

async function record(publicKey?: string): Promise<string> {
  const recording = await createRecording({
    directory: join(state, 'recordings'),
    session: SESSION,
    switch: 'sw0',
    program: 'vendor-tool',
    width: 80,
    height: 24,
    startedAtMs: 0,
    principal: 'user:local#ann',
    ...(publicKey === undefined ? {} : { publicKey }),
    chain: async () => undefined,
    onFailed: () => undefined,
  });
  recording.output(Buffer.from('$ '), 0);
  recording.input(Buffer.from('show links\r'), 1000);
  recording.output(Buffer.from('show links\r\n'), 1010);
  recording.output(Buffer.from('\u001b[1mport 7\u001b[m: \u001b]0;owned\u0007\u001b[31mNOT '), 2000);
  recording.output(Buffer.from('TRAINED\u001b[m\r\n'), 65_000);
  recording.marker('bob watches', 66_000);
  recording.output(Buffer.from('port 8: \u202eup\r\n'), 70_000);
  await recording.close();
  return join(state, 'recordings', recording.file);
}

const play = (...words: readonly string[]) => cli(['console', 'play', ...words, '--state-directory', state]);

test('a search tells moments, over pieces and colours, whatever the case', async () => {
  await record();
  const { code, out } = await play(SESSION, '--search', 'not trained');
  expect(code).toBe(0);
  expect(out).toBe('   0:02.0   port 7: NOT TRAINED\n');
  expect(await play(SESSION, '--search', 'nowhere')).toMatchObject({ code: 1, out: '' });
});

test('the text of a recording is lines with moments; nothing in it moves the cursor', async () => {
  const file = await record();
  const { out, err } = await play(file, '--text');
  expect(out.split('\n').slice(1)).toEqual([
    '   0:01.0 < show links',
    '   0:00.0   $ show links',
    '   0:02.0   port 7: NOT TRAINED',
    '   1:06.0 # bob watches',
    '   1:10.0   port 8: \\u{202e}up',
    '',
  ]);
  expect(out).not.toContain('\u001b');
  expect(err).not.toContain('has no end');
});

test('only what lies between two moments', async () => {
  await record();
  expect((await play(SESSION, '--text', '--from', '1:05', '--to', '1:08')).out).toMatch(
    /NOT TRAINED\n.*bob watches\n$/,
  );
});

test('events as JSON, byte for byte', async () => {
  await record();
  const { out } = await play(SESSION, '--json');
  const [header, ...events] = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(header).toMatchObject({ width: 80, encrypted: false });
  expect(Buffer.from(events[3].bytes, 'base64').toString()).toContain('\u001b]0;owned\u0007');
});

test('the id may be shortened, as long as it means one', async () => {
  await record();
  expect(await play('0198', '--search', 'trained')).toMatchObject({ code: 0 });
  await writeFile(join(state, 'recordings', `0198${SESSION.slice(4, -1)}b.cast`), '');
  expect(await play('0198', '--text')).toMatchObject({ code: 1, err: expect.stringContaining('begins the ids of 2') });
  expect(await play('ffff', '--text')).toMatchObject({
    code: 1,
    err: expect.stringContaining('no file and no recording'),
  });
});

test('an encrypted one plays with the private key, and says so without', async () => {
  await record(pair.publicKey);
  const key = join(state, 'private.pem');
  await writeFile(key, pair.privateKey);
  expect(await play(SESSION, '--search', 'trained', '--key', key)).toMatchObject({ code: 0 });
  expect(await play(SESSION, '--text')).toMatchObject({ code: 1, err: expect.stringContaining('is encrypted') });
  expect(await play(SESSION, '--text', '--key', join(state, 'none'))).toMatchObject({ code: 1 });
});

test('a recording that was cut says that it has no end', async () => {
  const file = await record();
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.slice(0, -30));
  expect((await play(file, '--text')).err).toContain('has no end');
});

test('a new pair: the private key only for its owner, and never over a file that is there', async () => {
  const file = join(state, 'new.pem');
  const made = await cli(['console', 'key', '--out', file]);
  expect(made).toMatchObject({ code: 0, out: expect.stringContaining('BEGIN PUBLIC KEY') });
  const { stat } = await import('node:fs/promises');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await cli(['console', 'key', '--out', file])).toMatchObject({
    code: 1,
    err: expect.stringContaining('EEXIST'),
  });
  expect(await cli(['console', 'key'])).toMatchObject({ code: 2 });
});

describe('what cannot be played is refused', () => {
  test.each([
    ['a speed of nothing', ['--speed', '0'], 'is no speed'],
    ['a moment that is none', ['--from', 'later'], 'is no moment'],
    ['a search for nothing', ['--search', ''], 'nothing to search for'],
  ])('%s', async (_name, words, message) => {
    const file = await record();
    expect(await play(file, ...words)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  });
});

test.each([
  ['75', 75_000],
  ['75.5', 75_500],
  ['1:15', 75_000],
  ['1:02:03', 3_723_000],
  ['90s', 90_000],
])('the moment %s', (text, ms) => expect(parseMoment(text)).toBe(ms));

test('a recording whose date is none plays all the same', async () => {
  const file = join(state, 'far.cast');
  await writeFile(file, '{"version":2,"width":80,"height":24,"timestamp":1e300}\n[0,"o","seen\\r\\n"]\n');
  expect(await play(file, '--text')).toMatchObject({ code: 0, out: expect.stringContaining('seen') });
});

test('moments for people', () => {
  expect([0, 75_500, 3_723_449].map(momentText)).toEqual(['0:00.0', '1:15.5', '1:02:03.4']);
});

describe('lines of what was drawn', () => {
  test.each<[string, string, string[]]>([
    ['typing errors are mended', 'lx\b \bs\r\n', ['ls']],
    ['pieces of a full screen are lines', '\u001b[2J\u001b[1;1Hone\u001b[5;3Htwo', ['one', 'two']],
    ['colours are no breaks', 'a\u001b[31mb\u001b[mc\n', ['abc']],
    ['tabs are blanks, line drawing is left', 'a\tb\u001b(0q\u001b(B\n', ['a bq']],
  ])('%s', (_name, text, lines) => {
    const plain = new PlainText();
    const found = [...plain.take(Buffer.from(text), 0), ...plain.end()];
    expect(found.map((line) => line.text)).toEqual(lines);
  });

  test('a megabyte of backspaces is read in the time of a megabyte', () => {
    const plain = new PlainText();
    plain.take(Buffer.from(`${'a'.repeat(500_000)}${'b\b'.repeat(500_000)}`), 1);
    plain.take(Buffer.from('cd\b\b\b'), 2);
    expect(plain.take(Buffer.from('e\n'), 3).at(-1)?.text).toBe('e');
  });

  test('a line without an end does not fill the memory', () => {
    const plain = new PlainText();
    let lines = 0;
    for (let i = 0; i < 10; i++) lines += plain.take(Buffer.alloc(40_000, 'x'), i).length;
    expect(lines).toBeGreaterThan(3);
  });
});
