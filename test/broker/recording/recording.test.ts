import { hash } from 'node:crypto';
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostJournalFileSystem, type JournalFileSystem } from '../../../src/broker/journal/index.ts';
import {
  createRecording,
  newRecordingKey,
  type Recording,
  RecordingError,
  type RecordingLink,
  type RecordingParts,
  readRecording,
  recordingPublicKey,
} from '../../../src/broker/recording/index.ts';
import { eventually } from '../../support/eventually.ts';

const SESSION = '0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a';
const START = 1_700_000_000_000;
const pair = newRecordingKey();

let directory = '';
let links: RecordingLink[] = [];
let failures: Error[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recording-'));
  links = [];
  failures = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function begin(publicKey?: string, parts: RecordingParts = {}, chain?: (link: RecordingLink) => Promise<void>) {
  return createRecording(
    {
      directory,
      session: SESSION,
      switch: 'sw0',
      program: 'vendor-tool',
      width: 80,
      height: 24,
      startedAtMs: START,
      principal: 'user:https://issuer.example#ann',
      ...(publicKey === undefined ? {} : { publicKey }),
      chain: async (link) => {
        links.push(link);
        await chain?.(link);
      },
      onFailed: (error) => failures.push(error),
    },
    { linkAfterMs: 5, ...parts },
  );
}

interface Played {
  readonly text: string;
  readonly bytes: Buffer;
  readonly events: readonly { readonly code: string; readonly elapsedMs: number; readonly text: string }[];
  readonly isComplete: boolean;
}

async function played(path: string, key?: string, code = 'o'): Promise<Played> {
  const recording = await readRecording(path, key);
  const events = recording.events();
  const seen: { code: string; elapsedMs: number; text: string; bytes: Uint8Array }[] = [];
  for (;;) {
    const next = await events.next();
    if (next.done === true) {
      const own = seen.filter((event) => event.code === code);
      return {
        text: own.map(({ text }) => text).join(''),
        bytes: Buffer.concat(own.map(({ bytes }) => bytes)),
        events: seen.map(({ bytes: _bytes, ...rest }) => rest),
        isComplete: next.value.isComplete,
      };
    }
    seen.push(next.value);
  }
}

const pathOf = (recording: Recording): string => join(directory, recording.file);

test('a recording is an asciicast that other players read, in a file that only the broker reads', async () => {
  const recording = await begin();
  recording.output(Buffer.from('login: '), START + 1000);
  recording.input(Buffer.from('ann\r'), START + 1500);
  recording.resize(100, 30, START + 2000);
  recording.marker('bob watches', START + 2500);
  await recording.close();
  expect(recording.file).toBe(`${SESSION}.cast`);
  expect((await stat(pathOf(recording))).mode & 0o777).toBe(0o600);
  const [header = '', ...lines] = (await readFile(pathOf(recording), 'utf8')).trimEnd().split('\n');
  expect(JSON.parse(header)).toMatchObject({ version: 2, width: 80, height: 24, timestamp: START / 1000 });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    [1, 'o', 'login: '],
    [1.5, 'i', 'ann\r'],
    [2, 'r', '100x30'],
    [2.5, 'm', 'bob watches'],
    [2.5, 'x', 'end'],
  ]);
});

test('the digest of every link is that of the bytes that stand in the file, and the last covers all of it', async () => {
  const recording = await begin();
  for (let i = 0; i < 5; i++) {
    recording.output(Buffer.from(`line ${i}\r\n`), START + i);
    await eventually(() => links.at(-1)?.elapsedMs).toBe(i);
  }
  const last = await recording.close();
  const bytes = await readFile(pathOf(recording));
  expect(last).toEqual(links.at(-1));
  expect(last).toMatchObject({ final: true, bytes: bytes.length, elapsedMs: 4 });
  expect(links.length).toBeGreaterThan(5);
  expect(links.map(({ link }) => link)).toEqual(links.map((_link, i) => i));
  for (const { bytes: to, digest } of links) expect(digest).toBe(hash('sha256', bytes.subarray(0, to)));
});

test('an idle recording writes no links', async () => {
  const recording = await begin();
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(links).toHaveLength(1);
  await recording.close();
});

const anyChunks = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 6 }).map((text) => Uint8Array.from(Buffer.from(text))),
  ),
  { maxLength: 12 },
);

test.each([
  ['plain', undefined],
  ['encrypted', pair],
] as const)('what a program wrote comes back byte for byte, cut anywhere, UTF-8 or not (%s)', async (_name, keys) => {
  await fc.assert(
    fc.asyncProperty(anyChunks, async (chunks) => {
      const recording = await begin(keys?.publicKey);
      try {
        for (const [i, chunk] of chunks.entries()) {
          recording.output(chunk, START + i);
          if (i % 3 === 0) await recording.flush();
        }
        await recording.close();
        const { bytes, isComplete } = await played(pathOf(recording), keys?.privateKey);
        expect(bytes.equals(Buffer.concat(chunks))).toBe(true);
        expect(isComplete).toBe(true);
      } finally {
        await rm(pathOf(recording), { force: true });
      }
    }),
    { numRuns: 25, seed: 8 },
  );
});

test('a character that was cut by a chunk is one character in the recording', async () => {
  const recording = await begin();
  const [first, ...rest] = Buffer.from('ä€😀');
  recording.output(Uint8Array.of(first ?? 0), START);
  await recording.flush();
  for (const byte of rest) recording.output(Uint8Array.of(byte), START);
  await recording.close();
  expect((await played(pathOf(recording))).text).toBe('ä€😀');
});

test('ten megabytes at once are all there, and wait within the limit', async () => {
  const recording = await begin(pair.publicKey);
  const block = Buffer.alloc(256 << 10, 'x');
  for (let i = 0; i < 40; i++) {
    recording.output(block, START + i);
    if (recording.pendingBytes > 1 << 20) await recording.flush();
    expect(recording.pendingBytes).toBeLessThan(2 << 20);
  }
  await recording.close();
  expect((await played(pathOf(recording), pair.privateKey)).bytes.length).toBe(40 * (256 << 10));
});

test('what waits is bounded: a program that writes faster than the disk ends the recording', async () => {
  const recording = await begin(undefined, { fileSystem: slowDisk() });
  for (let i = 0; i < 20; i++) recording.output(Buffer.alloc(1 << 20, 'x'), START);
  expect(failures).toHaveLength(1);
  await expect(recording.close()).rejects.toBeInstanceOf(RecordingError);
});

test('time in a recording never goes back, whatever the clock does', async () => {
  const recording = await begin();
  recording.output(Buffer.from('a'), START + 5000);
  recording.output(Buffer.from('b'), START + 1000);
  recording.output(Buffer.from('c'), START - 1000);
  await recording.close();
  expect((await played(pathOf(recording))).events.map(({ elapsedMs }) => elapsedMs)).toEqual([5000, 5000, 5000]);
});

test('an encrypted recording shows nothing of itself without its private key', async () => {
  const recording = await begin(pair.publicKey);
  recording.output(Buffer.from('the-secret-of-the-switch'), START);
  recording.input(Buffer.from('typed-words'), START);
  await recording.close();
  const file = await readFile(pathOf(recording), 'utf8');
  expect(recording.file).toBe(`${SESSION}.cast.jwe`);
  // Words that are long, for random letters spell every short one now and then.
  for (const word of ['the-secret', 'typed-words', 'vendor-tool', 'issuer.example#ann']) {
    expect(file).not.toContain(word);
    expect(
      file
        .split('\n')
        .flatMap((line) => line.split('.').map((part) => Buffer.from(part, 'base64url').toString()))
        .join(),
    ).not.toContain(word);
  }
  await expect(readRecording(pathOf(recording))).rejects.toThrow('is encrypted');
  await expect(readRecording(pathOf(recording), newRecordingKey().privateKey)).rejects.toThrow('encrypted to key');
});

test.each<[string, (lines: string[], other: string[]) => string[], string]>([
  ['two blocks changed places', ([e = '', a = '', b = '', ...rest]) => [e, b, a, ...rest], 'block 0'],
  ['a block was removed', ([e = '', a = '', _b, ...rest]) => [e, a, ...rest], 'block 1'],
  [
    'a block came from another recording',
    ([e = '', a = '', _b, ...rest], other) => [e, a, other[2] ?? '', ...rest],
    'block 1',
  ],
  [
    'a character was changed',
    ([e = '', a = '', b = '', ...rest]) => [e, a, b.replace(/.$/, (c) => (c === 'A' ? 'g' : 'A')), ...rest],
    'block 1',
  ],
  ['a block was put behind the last one', (lines) => [...lines, lines.at(-1) ?? ''], 'after the last block'],
])('the player of an encrypted recording stops where %s', async (_name, edit, message) => {
  const one = await linesOfRecording('one');
  await rm(join(directory, `${SESSION}.cast.jwe`));
  const other = await linesOfRecording('two');
  const path = join(directory, 'edited.cast.jwe');
  await writeFile(path, `${edit(one, other).join('\n')}\n`);
  await expect(played(path, pair.privateKey)).rejects.toThrow(message);
});

test('a recording whose end was cut off does not pass for a whole one', async () => {
  const lines = await linesOfRecording('one');
  const path = join(directory, 'cut.cast.jwe');
  await writeFile(path, `${lines.slice(0, -1).join('\n')}\n`);
  expect((await played(path, pair.privateKey)).isComplete).toBe(false);
  await writeFile(path, lines.join('\n').slice(0, -9));
  expect((await played(path, pair.privateKey)).isComplete).toBe(false);
});

async function linesOfRecording(text: string): Promise<string[]> {
  const recording = await begin(pair.publicKey);
  for (let i = 0; i < 3; i++) {
    recording.output(Buffer.from(`${text} ${i}`), START + i);
    await recording.flush();
  }
  await recording.close();
  return (await readFile(pathOf(recording), 'utf8')).trimEnd().split('\n');
}

test.each<[string, () => Promise<Recording>]>([
  ['the directory is not there', () => begin(undefined, { fileSystem: failing('open') })],
  ['the disk is full at the header', () => begin(undefined, { fileSystem: failing('append') })],
  ['the header can not be synced', () => begin(undefined, { fileSystem: failing('datasync') })],
  ['the journal does not take the first link', () => begin(undefined, {}, () => Promise.reject(new Error('full')))],
])('no program is started when %s', async (_name, start) => {
  await expect(start()).rejects.toBeInstanceOf(RecordingError);
  // The exception tells it; a session that never was has nobody to be told again.
  expect(failures).toEqual([]);
});

test('a second recording does not overwrite the first one of its name', async () => {
  await (await begin()).close();
  await expect(begin()).rejects.toThrow('can not be made');
});

test.each<[string, 'append' | 'datasync']>([
  ['the disk is full', 'append'],
  ['the disk can not sync', 'datasync'],
])('the session is told once, and nothing more is written, when %s', async (_name, call) => {
  let isBroken = false;
  const recording = await begin(undefined, { fileSystem: failing(call, () => isBroken) });
  isBroken = true;
  recording.output(Buffer.from('lost?'), START);
  await eventually(() => failures).toHaveLength(1);
  isBroken = false;
  recording.output(Buffer.from('more'), START);
  await expect(recording.flush()).rejects.toBeInstanceOf(RecordingError);
  await expect(recording.close()).rejects.toBeInstanceOf(RecordingError);
  expect(await readFile(pathOf(recording), 'utf8')).not.toContain('more');
  expect(failures).toHaveLength(1);
});

test('a full disk costs what did not fit, and nothing before it: that gets a last link', async () => {
  let isFull = false;
  const recording = await begin(undefined, { linkAfterMs: 60_000, fileSystem: failing('append', () => isFull) });
  recording.output(Buffer.from('kept'), START + 1000);
  await recording.flush();
  isFull = true;
  recording.output(Buffer.from('lost'), START + 2000);
  await expect(recording.close()).rejects.toThrow('ENOSPC');
  const file = await readFile(pathOf(recording));
  expect(links.at(-1)).toMatchObject({ bytes: file.length, digest: hash('sha256', file), elapsedMs: 1000 });
  expect(links.at(-1)).not.toHaveProperty('final');
  expect(file.toString()).toContain('kept');
});

test('the session is told when the journal takes no more links', async () => {
  let isFull = false;
  const recording = await begin(undefined, {}, () =>
    isFull ? Promise.reject(new Error('journal full')) : Promise.resolve(),
  );
  isFull = true;
  recording.output(Buffer.from('x'), START);
  await eventually(() => failures.map(({ message }) => message)).toEqual([expect.stringContaining('journal full')]);
});

test('short writes of the disk are gone on with', async () => {
  const fileSystem: JournalFileSystem = {
    ...hostJournalFileSystem,
    async open(path, mode) {
      const file = await hostJournalFileSystem.open(path, mode);
      return { ...file, append: (bytes) => file.append(bytes.subarray(0, 7)) };
    },
  };
  const recording = await begin(undefined, { fileSystem });
  recording.output(Buffer.from('a sentence that is longer than seven bytes'), START);
  const last = await recording.close();
  expect(last.digest).toBe(hash('sha256', await readFile(pathOf(recording))));
});

test.each([
  ['a private key', pair.privateKey, 'private'],
  ['no key', 'hello', 'not PEM'],
  [
    'an RSA key',
    '-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==\n-----END PUBLIC KEY-----\n',
    'rsa',
  ],
])('%s is refused as the key of recordings', (_name, pem, message) => {
  expect(() => recordingPublicKey(pem)).toThrow(message);
});

test.each([
  ['empty', '', 'empty'],
  ['a text', 'hello\n', 'no recording'],
  ['another JSON', '{"version":3}\n', 'no recording'],
  ['a header that never ends', '{"version":2,', 'empty'],
])('a file that is %s is no recording', async (_name, text, message) => {
  const path = join(directory, 'file');
  await writeFile(path, text);
  await expect(readRecording(path)).rejects.toThrow(message);
});

test('a line that is no event is told with the second up to which the rest is good', async () => {
  const path = join(directory, 'file');
  await writeFile(path, '{"version":2,"width":80,"height":24}\n[2.5,"o","x"]\n[nonsense\n');
  await expect(played(path)).rejects.toThrow('second 2.5');
});

/** A disk on which one call fails, always or while `isBroken`. */
function failing(call: 'open' | 'append' | 'datasync', isBroken: () => boolean = () => true): JournalFileSystem {
  const full = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));
  return {
    ...hostJournalFileSystem,
    async open(path, mode) {
      if (call === 'open' && isBroken()) return full();
      const file = await hostJournalFileSystem.open(path, mode);
      return {
        ...file,
        append: (bytes) => (call === 'append' && isBroken() ? full() : file.append(bytes)),
        datasync: () => (call === 'datasync' && isBroken() ? full() : file.datasync()),
      };
    },
  };
}

/** A disk that never ends its second write. */
function slowDisk(): JournalFileSystem {
  return {
    ...hostJournalFileSystem,
    async open(path, mode) {
      const file = await hostJournalFileSystem.open(path, mode);
      let writes = 0;
      return {
        ...file,
        append(bytes) {
          writes += 1;
          return writes === 1
            ? file.append(bytes)
            : new Promise((resolve) => setTimeout(() => resolve(bytes.length), 50));
        },
      };
    },
  };
}

test.each([
  ['no recording', 'hello\n'],
  ['JSON, and no recording', '{}\n'],
  ['encrypted, and there is no key', 'eyJhbGciOiJFQ0RILUVTIn0.a.b.c.d\n'],
  ['empty', ''],
])('a file that is %s is refused and leaves no file open, which would end the process later', async (_what, text) => {
  const path = join(directory, 'x.cast');
  await writeFile(path, text);
  await expect(readRecording(path)).rejects.toThrow(RecordingError);
  expect(await openFiles(path)).toBe(0);
});

test('somebody who stops looking in the middle of a recording leaves no file open', async () => {
  const path = join(directory, 'x.cast');
  await writeFile(path, '{"version":2,"width":80,"height":24}\n[1,"o","a"]\n[2,"o","b"]\n');
  const { events } = await readRecording(path);
  for await (const event of events()) {
    expect(event.text).toBe('a');
    break;
  }
  expect(await openFiles(path)).toBe(0);
});

/** Descriptors of this process that lead to a file. */
async function openFiles(path: string): Promise<number> {
  const links = await readdir('/proc/self/fd');
  const targets = await Promise.all(links.map((link) => readlink(`/proc/self/fd/${link}`).catch(() => '')));
  return targets.filter((target) => target === path).length;
}

test('what the journal does not vouch for in time is not said to be recorded, and so is not shown', async () => {
  const isSlow = { yes: false };
  const journal = Promise.withResolvers<void>();
  const recording = await begin(undefined, {}, async () => {
    if (isSlow.yes) await journal.promise;
  });
  recording.output(Buffer.from('one'), START + 1);
  await recording.flush();
  isSlow.yes = true;
  recording.output(Buffer.from('two'), START + 2);
  await eventually(() => links.length).toBeGreaterThan(1);
  await new Promise((done) => setTimeout(done, 600));
  recording.output(Buffer.from('three'), START + 3);
  const flushed = { yes: false };
  const flush = recording.flush().then(() => {
    flushed.yes = true;
  });
  await new Promise((done) => setTimeout(done, 50));
  expect(flushed.yes).toBe(false);
  journal.resolve();
  await flush;
  await recording.close();
  expect((await played(join(directory, recording.file))).text).toBe('onetwothree');
});

test('after a failure nothing waits: a program that was made to wait can be read to its end', async () => {
  const isFull = { yes: false };
  const recording = await begin(undefined, { fileSystem: failing('append', () => isFull.yes) });
  isFull.yes = true;
  recording.output(Buffer.alloc(300_000), START + 1);
  expect(recording.pendingBytes).toBeGreaterThan(1 << 20);
  await expect(recording.flush()).rejects.toThrow(RecordingError);
  expect(recording.pendingBytes).toBe(0);
  expect(failures).toHaveLength(1);
});
