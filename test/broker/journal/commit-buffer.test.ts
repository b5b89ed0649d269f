import { expect, test } from 'vitest';
import { LineSlabs, type Slab } from '../../../src/broker/journal/line-slabs.ts';
import { CommitBuffer, type PendingLine } from '../../../src/broker/journal/pending.ts';

/** A line in the slab that has room for it, or in one of its own. */
function line(text: string, slabs = new LineSlabs()): PendingLine {
  const slab: Slab = slabs.room(Buffer.byteLength(text));
  const start = slab.end;
  slab.end += slab.bytes.write(text, start);
  slab.lines += 1;
  return {
    kind: 'decision',
    sequence: 1,
    segment: 1,
    line: slab.bytes.subarray(start, slab.end),
    slab,
    bytes: slab.end - start,
    note: undefined,
    waiter: undefined,
    refused: false,
  };
}

const commits: readonly (readonly [string, readonly string[]])[] = [
  ['nothing', []],
  ['one line', ['{"a":1}\n']],
  ['lines with letters of several bytes', ['{"a":"ä"}\n', '{"a":"日本"}\n', '{"a":"🦊"}\n']],
  ['more than the first buffer holds', ['x'.repeat(40_000), 'y'.repeat(40_000)]],
  ['more than a slab holds', ['x'.repeat(200_000), 'y'.repeat(200_000), 'z'.repeat(200_000)]],
  ['more than is kept', ['x'.repeat(3_000_000), 'y'.repeat(3_000_000)]],
];

test.each(commits)('the bytes of a commit are those of its lines, wherever they lie: %s', (_what, texts) => {
  const buffer = new CommitBuffer();
  // What was there before must not shine through.
  buffer.of([line('z'.repeat(60_000)), line('z')]);
  const slabs = new LineSlabs();
  const expected = Buffer.from(texts.join(''));
  expect(buffer.of(texts.map((text) => line(text))).equals(expected)).toBe(true);
  expect(buffer.of(texts.map((text) => line(text, slabs))).equals(expected)).toBe(true);
});

test('lines that lie side by side are written from where they lie', () => {
  const slabs = new LineSlabs();
  const lines = ['one\n', 'two\n', 'three\n'].map((text) => line(text, slabs));
  const bytes = new CommitBuffer().of(lines.slice(1));
  expect(bytes.toString()).toBe('two\nthree\n');
  expect(bytes.buffer).toBe(lines[0]?.slab.bytes.buffer);
});

test('a line that was given up and lies between two others is not written', () => {
  const slabs = new LineSlabs();
  const lines = ['one\n', 'given up\n', 'two\n'].map((text) => line(text, slabs));
  expect(new CommitBuffer().of([lines[0], lines[2]] as PendingLine[]).toString()).toBe('one\ntwo\n');
});

test('the same memory serves commits of a usual size, and a huge one is not kept', () => {
  const buffer = new CommitBuffer();
  const apart = (text: string) => [line(text), line('.')];
  const { buffer: memory } = buffer.of(apart('x'.repeat(200_000)));
  expect(buffer.of(apart('y')).buffer).toBe(memory);
  expect(buffer.of(apart('x'.repeat(5_000_000))).buffer).not.toBe(memory);
  expect(buffer.of(apart('y')).buffer).toBe(memory);
});
