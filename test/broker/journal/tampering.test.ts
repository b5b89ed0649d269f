import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import {
  type CheckpointSigner,
  type JournalVerdict,
  newSigningKey,
  type ProblemKind,
  signerOf,
  verifyJournal,
} from '../../../src/broker/journal/index.ts';
import { DIRECTORY, intent, openInMemory, openOn, SMALL, segmentNames, signer, temporaryDirectory } from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

/** Lines of each segment, by its name. */
type Copy = ReadonlyMap<string, readonly string[]>;

/** A closed journal of several segments. */
async function written(ids: string, count: number, key: CheckpointSigner): Promise<Copy> {
  const fileSystem = new MemoryFileSystem();
  const journal = await openOn(fileSystem, { ...SMALL, checkpointRecords: 4, signer: key });
  for (let i = 0; i < count; i++) await journal.append('intent', intent(`${ids}-${i}`), { durable: true });
  await journal.close();
  return new Map(
    segmentNames(fileSystem).map((name) => [name, fileSystem.text(join(DIRECTORY, name)).trimEnd().split('\n')]),
  );
}

async function verdictOf(
  copy: Copy,
  keys: readonly string[] = [signer.publicKey],
  witnesses: readonly string[] = [],
): Promise<JournalVerdict> {
  const fileSystem = new MemoryFileSystem();
  fileSystem.addDirectory(DIRECTORY);
  for (const [name, lines] of copy) {
    fileSystem.replace(join(DIRECTORY, name), Buffer.from(lines.map((line) => `${line}\n`).join('')));
  }
  return verifyJournal(DIRECTORY, { fileSystem, keys, witnesses });
}

const at = <T>(list: readonly T[], index: number): T => list[index] ?? expect.fail('no such line');
const name = (number: number): string => `journal-00000${number}.jsonl`;

function edited(copy: Copy, number: number, edit: (lines: string[]) => string[]): Copy {
  const lines = copy.get(name(number));
  return lines === undefined ? copy : new Map(copy).set(name(number), edit([...lines]));
}

/** What somebody makes of a journal who knows the format and has a key, but not ours: the whole chain is done again. */
function rechained(copy: Copy, with_: CheckpointSigner | undefined): Copy {
  let prev = '0'.repeat(64);
  return new Map(
    [...copy].map(([file, lines]) => [
      file,
      lines.map((line) => {
        const { hash: _, signature, prev: __, ...rest } = JSON.parse(line);
        const key = signature !== undefined && with_ !== undefined ? { key: with_.keyId } : {};
        const content = `${JSON.stringify({ ...rest, ...key }).slice(0, -1)},"prev":"${prev}"`;
        const signed =
          signature === undefined
            ? content
            : `${content},"signature":"${with_ === undefined ? signature : Buffer.from(with_.sign(Buffer.from(content))).toString('base64url')}"`;
        prev = createHash('sha256').update(signed).digest('hex');
        return `${signed},"hash":"${prev}"}`;
      }),
    ]),
  );
}

/** Without checkpoints, as if the broker had never signed. */
function stripped(copy: Copy): Copy {
  let seq = 0;
  const plain = new Map(
    [...copy].map(([file, lines]) => [
      file,
      lines
        .filter((line) => !line.includes('"kind":"checkpoint"'))
        .map((line) => line.replace(/"seq":\d+/, () => `"seq":${++seq}`)),
    ]),
  );
  return rechained(plain, undefined);
}

let good: Copy;
let foreign: Copy;
let sameKey: Copy;
const mallory = signerOf(newSigningKey());
beforeAll(async () => {
  good = await written('good', 25, signer);
  foreign = await written('good', 25, mallory);
  sameKey = await written('same', 25, signer);
});

const evil = (line: string): string => line.replace('acme', 'evil');

function recomputed(line: string): string {
  const hashed = evil(line.slice(0, -75));
  return `${hashed},"hash":"${createHash('sha256').update(hashed).digest('hex')}"}`;
}

const kinds = (verdict: JournalVerdict): Set<ProblemKind> => new Set(verdict.problems.map(({ kind }) => kind));

test('a good journal is signed from its first record to its last', async () => {
  const verdict = await verdictOf(good);
  const last = JSON.parse(at([...good.values()].at(-1) ?? [], -1 + ([...good.values()].at(-1) ?? []).length));
  expect(verdict).toMatchObject({ intact: true, problems: [], signed: { unsigned: 0, last: { sequence: last.seq } } });
  expect(verdict.signed?.authentic).toEqual([{ from: 1, to: last.seq }]);
  expect(verdict.segments.length).toBeGreaterThan(4);
});

const cases: [string, () => Copy, ProblemKind, { readonly file: string; readonly line: number } | undefined][] = [
  ['a changed byte', () => edited(good, 3, (l) => l.with(1, evil(at(l, 1)))), 'changed', { file: name(3), line: 2 }],
  [
    'a changed record with a new hash',
    () => edited(good, 3, (l) => l.with(1, recomputed(at(l, 1)))),
    'changed',
    { file: name(3), line: 2 },
  ],
  ['a removed record', () => edited(good, 3, (l) => l.toSpliced(1, 1)), 'removed', { file: name(3), line: 2 }],
  [
    'an inserted record',
    () => edited(good, 3, (l) => l.toSpliced(1, 0, recomputed(at(l, 1)))),
    'inserted',
    { file: name(3), line: 2 },
  ],
  [
    'two reordered records',
    () => edited(good, 3, (l) => l.with(1, at(l, 2)).with(2, at(l, 1))),
    'reordered',
    { file: name(3), line: 3 },
  ],
  [
    'a duplicated record',
    () => edited(good, 3, (l) => l.toSpliced(2, 0, at(l, 1))),
    'duplicated',
    { file: name(3), line: 3 },
  ],
  [
    'half a record at the end of a segment that others follow',
    () => edited(good, 3, (l) => l.with(-1, at(l, l.length - 1).slice(0, 50))),
    'unreadable',
    { file: name(3), line: 5 },
  ],
  [
    'a checkpoint that was signed by nobody, in a chain that was done again',
    () =>
      rechained(
        edited(good, 3, (l) => l.with(1, evil(at(l, 1)))),
        undefined,
      ),
    'forged',
    undefined,
  ],
  [
    'a whole journal done again with another key',
    () =>
      rechained(
        edited(good, 3, (l) => l.with(1, evil(at(l, 1)))),
        mallory,
      ),
    'foreign',
    undefined,
  ],
  ['a journal whose checkpoints were left out', () => stripped(good), 'unsigned', undefined],
  ['the journal of another broker', () => foreign, 'foreign', undefined],
  [
    'two segments that changed places',
    () => new Map(good).set(name(2), good.get(name(3)) ?? []).set(name(3), good.get(name(2)) ?? []),
    'swapped',
    undefined,
  ],
  [
    'a segment of another journal with the same key',
    () => new Map(good).set(name(3), sameKey.get(name(3)) ?? []),
    'foreign',
    undefined,
  ],
  [
    'a segment of the journal of another broker',
    () => new Map(good).set(name(3), foreign.get(name(3)) ?? []),
    'foreign',
    undefined,
  ],
  [
    'a missing segment',
    () => new Map([...good].filter(([file]) => file !== name(3))),
    'removed',
    { file: name(4), line: 1 },
  ],
  [
    'a missing first segment under its name',
    () => new Map([...good].slice(1).map(([, lines], i) => [name(i + 1), lines])),
    'removed',
    { file: name(1), line: 1 },
  ],
];

test.each(cases)('%s is found, named and placed', async (_, tampered, kind, place) => {
  const verdict = await verdictOf(tampered());
  expect(verdict.intact).toBe(false);
  expect(kinds(verdict)).toContain(kind);
  if (place !== undefined) expect(verdict.problems).toContainEqual(expect.objectContaining({ kind, ...place }));
  expect(verdict.summary).toMatch(/can't be relied on|nothing in it is vouched for/);
  holdsOnlyTruth(verdict, tampered());
});

test('what stands between two harmed places and a checkpoint is still known to be true', async () => {
  const verdict = await verdictOf(edited(good, 3, (l) => l.with(1, evil(at(l, 1)))));
  const { seq } = JSON.parse(at(good.get(name(3)) ?? [], 1));
  const total = [...good.values()].flat().length;
  expect(verdict.signed?.authentic).toHaveLength(2);
  expect(verdict.signed?.authentic[1]).toEqual({ from: seq + 1, to: total });
  expect(verdict.summary).toContain(`1 to ${verdict.signed?.authentic[0]?.to}, ${seq + 1} to ${total} are signed`);
});

test('old segments that were taken away are no problem, and the verdict says where it begins', async () => {
  const verdict = await verdictOf(new Map([...good].slice(2)));
  expect(verdict.intact).toBe(true);
  expect(verdict.first?.sequence).toBe(JSON.parse(at(good.get(name(3)) ?? [], 0)).seq);
  expect(verdict.segments[0]?.file).toBe(name(3));
});

test('a changed first record of a copy that lacks the beginning is found', async () => {
  const part = new Map([...good].slice(2));
  const verdict = await verdictOf(edited(part, 3, (l) => l.with(0, recomputed(at(l, 0)))));
  expect(verdict).toMatchObject({ intact: false });
});

test('without a key only the chain is looked at', async () => {
  expect(await verdictOf(rechained(good, mallory), [])).toMatchObject({ intact: true, problems: [] });
  expect(await verdictOf(rechained(good, mallory), [])).not.toHaveProperty('signed');
});

test('both keys of a journal that changed its key are taken', async () => {
  const { journal, fileSystem } = await openInMemory(undefined, { signer });
  await journal.append('decision', intent('r'), { durable: true });
  await journal.close();
  const next = await openInMemory(fileSystem, { signer: mallory });
  await next.journal.close();
  const both = [signer.publicKey, mallory.publicKey];
  expect(await verifyJournal(DIRECTORY, { fileSystem, keys: both })).toMatchObject({ intact: true });
  const one = await verifyJournal(DIRECTORY, { fileSystem, keys: [mallory.publicKey] });
  expect(one.problems.map(({ kind }) => kind)).toEqual(['foreign']);
});

test('a long tail that nobody signed is not what a broker leaves', async () => {
  let now = Date.UTC(2026, 0, 1);
  const clock = { now: () => now, monotonic: () => now };
  const { journal, fileSystem } = await openInMemory(undefined, { ...SMALL, segmentBytes: 1 << 20, clock });
  const { signer: _, ...keyless } = SMALL;
  await journal.append('decision', intent('r'), { durable: true });
  await journal.close();
  const forger = await openInMemory(fileSystem, { ...keyless, segmentBytes: 1 << 20, clock });
  await forger.journal.append('decision', intent('r'), { durable: true });
  const verify = () => verifyJournal(DIRECTORY, { fileSystem, keys: [signer.publicKey] });
  expect(await verify()).toMatchObject({ intact: true, signed: { unsigned: 1, last: { sequence: 2 } } });
  now += 10_001;
  await forger.journal.append('decision', intent('r'), { durable: true });
  expect((await verify()).problems).toMatchObject([{ kind: 'unsigned' }]);
});

test('a broker that was stopped or dead for a day leaves nothing to doubt, in its first second either', async () => {
  let now = Date.UTC(2026, 0, 1);
  const clock = { now: () => now, monotonic: () => now };
  const options = { ...SMALL, segmentBytes: 1 << 20, clock };
  const { journal, fileSystem } = await openInMemory(undefined, options);
  const verify = () => verifyJournal(DIRECTORY, { fileSystem, keys: [signer.publicKey] });
  await journal.append('intent', intent('r-1'), { durable: true });
  await journal.close();
  now += 86_400_000;
  const next = await openInMemory(fileSystem, options);
  await next.journal.append('intent', intent('r-2'), { durable: true });
  expect(await verify()).toMatchObject({ intact: true });
  // It dies with its last records unsigned; the next one writes what became of them a day later.
  fileSystem.pullThePlug(1);
  now += 86_400_000;
  const last = await openInMemory(fileSystem, options);
  await last.journal.append('intent', intent('r-3'), { durable: true });
  expect(await verify()).toMatchObject({ intact: true, problems: [] });
});

test('a key that is none is refused', async () => {
  await expect(verdictOf(good, ['rubbish'])).rejects.toMatchObject({ code: 'invalid' });
});

/** INVARIANT of the verifier: what it calls authentic is, byte for byte, what the broker wrote. */
function holdsOnlyTruth(verdict: JournalVerdict, copy: Copy): void {
  const truth = new Set([...good.values(), ...sameKey.values()].flat());
  const bySequence = new Map<number, string[]>();
  for (const line of [...copy.values()].flat()) {
    const { seq } = parsed(line);
    if (seq !== undefined) bySequence.set(seq, [...(bySequence.get(seq) ?? []), line]);
  }
  for (const { from, to } of verdict.signed?.authentic ?? []) {
    for (let seq = from; seq <= to; seq++) {
      expect(
        (bySequence.get(seq) ?? []).some((line) => truth.has(line)),
        `sequence ${seq}`,
      ).toBe(true);
    }
  }
}

function parsed(line: string): { readonly seq?: number } {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

type Harm =
  | { readonly do: 'flip'; readonly segment: number; readonly at: number; readonly xor: number }
  | { readonly do: 'remove' | 'duplicate' | 'forge'; readonly segment: number; readonly line: number }
  | { readonly do: 'move'; readonly segment: number; readonly line: number; readonly to: number }
  | { readonly do: 'swap'; readonly segment: number; readonly other: number }
  | { readonly do: 'drop' | 'borrow' | 'steal'; readonly segment: number }
  | { readonly do: 'rechain'; readonly own: boolean }
  | { readonly do: 'strip' };

const segment = fc.integer({ min: 1, max: 8 });
const harm: fc.Arbitrary<Harm> = fc.oneof(
  fc.record({ do: fc.constant('flip' as const), segment, at: fc.nat(1400), xor: fc.integer({ min: 1, max: 255 }) }),
  fc.record({
    do: fc.constantFrom('remove' as const, 'duplicate' as const, 'forge' as const),
    segment,
    line: fc.nat(5),
  }),
  fc.record({ do: fc.constant('move' as const), segment, line: fc.nat(5), to: fc.nat(5) }),
  fc.record({ do: fc.constant('swap' as const), segment, other: segment }),
  fc.record({ do: fc.constantFrom('drop' as const, 'borrow' as const, 'steal' as const), segment }),
  fc.record({ do: fc.constant('rechain' as const), own: fc.boolean() }),
  fc.constant({ do: 'strip' as const }),
);

function harmed(copy: Copy, act: Harm): Copy {
  if (act.do === 'rechain' || act.do === 'strip') {
    if ([...copy.values()].flat().some((line) => parsed(line).seq === undefined)) return copy;
    return act.do === 'strip' ? stripped(copy) : rechained(copy, act.own ? mallory : undefined);
  }
  if (act.do === 'drop') return new Map([...copy].filter(([file]) => file !== name(act.segment)));
  if (act.do === 'swap') {
    const [one, other] = [copy.get(name(act.segment)), copy.get(name(act.other))];
    return one === undefined || other === undefined
      ? copy
      : new Map(copy).set(name(act.segment), other).set(name(act.other), one);
  }
  if (act.do === 'borrow' || act.do === 'steal') {
    const lines = (act.do === 'borrow' ? foreign : sameKey).get(name(act.segment));
    return lines === undefined ? copy : new Map(copy).set(name(act.segment), lines);
  }
  return edited(copy, act.segment, (lines) => {
    if (act.do === 'flip') {
      const data = Buffer.from(lines.join('\n'));
      if (data.length === 0) return lines;
      const place = act.at % data.length;
      data[place] = (data[place] ?? 0) ^ act.xor;
      return data.toString('latin1').split('\n');
    }
    if (!('line' in act)) return lines;
    const line = act.line % Math.max(1, lines.length);
    const text = lines[line];
    if (text === undefined) return lines;
    if (act.do === 'remove') return lines.toSpliced(line, 1);
    if (act.do === 'duplicate') return lines.toSpliced(line, 0, text);
    if (act.do === 'forge') return lines.with(line, recomputed(text));
    return 'to' in act ? lines.toSpliced(line, 1).toSpliced(act.to, 0, text) : lines;
  });
}

test('whatever is done to a journal, in any order, is found with a witness, and nothing false is ever vouched for (300 journals)', {
  timeout: 60_000,
}, async () => {
  const witness = join(temporaryDirectory(), 'witness');
  writeFileSync(witness, `${[...good.values()].flat().at(-1)}\n`);
  const whole = [...good].map(([file, lines]) => `${file}\n${lines.join('\n')}`);
  await fc.assert(
    fc.asyncProperty(fc.array(harm, { minLength: 1, maxLength: 4 }), async (acts) => {
      const copy = acts.reduce(harmed, good);
      if (copy.size === 0) return;
      holdsOnlyTruth(await verdictOf(copy), copy);
      const verdict = await verdictOf(copy, undefined, [witness]);
      holdsOnlyTruth(verdict, copy);
      // Whole old segments may have been taken away by the operator; the verdict says where it begins.
      const now = [...copy].map(([file, lines]) => `${file}\n${lines.join('\n')}`);
      expect(verdict.intact).toBe(now.length > 0 && now.join('\n') === whole.slice(-now.length).join('\n'));
    }),
    { numRuns: 300 },
  );
});
