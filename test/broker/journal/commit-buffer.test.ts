import { expect, test } from 'vitest';
import { CommitBuffer, type PendingLine } from '../../../src/broker/journal/pending.ts';

const line = (text: string): PendingLine => ({
  kind: 'decision',
  sequence: 1,
  segment: 1,
  text,
  bytes: Buffer.byteLength(text),
  note: undefined,
  waiter: undefined,
  refused: false,
});

test.each([
  ['nothing', []],
  ['one line', ['{"a":1}\n']],
  ['lines with letters of several bytes', ['{"a":"ä"}\n', '{"a":"日本"}\n', '{"a":"🦊"}\n']],
  ['more than the first buffer holds', ['x'.repeat(40_000), 'y'.repeat(40_000)]],
  ['more than is kept', ['x'.repeat(3_000_000), 'y'.repeat(3_000_000)]],
])('the bytes of a commit are those of its lines: %s', (_what, texts) => {
  const buffer = new CommitBuffer();
  // What was there before must not shine through.
  buffer.of([line('z'.repeat(60_000))]);
  expect(buffer.of(texts.map(line)).equals(Buffer.from(texts.join('')))).toBe(true);
});

test('the same memory serves commits of a usual size, and a huge one is not kept', () => {
  const buffer = new CommitBuffer();
  const { buffer: memory } = buffer.of([line('x'.repeat(200_000))]);
  expect(buffer.of([line('y')]).buffer).toBe(memory);
  expect(buffer.of([line('x'.repeat(5_000_000))]).buffer).not.toBe(memory);
  expect(buffer.of([line('y')]).buffer).toBe(memory);
});
