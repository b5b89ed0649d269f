import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RawLine, readFully, readLines, readLinesBackwards } from '../../../src/broker/journal/line-reader.ts';
import { DIRECTORY, PATH } from './fixture.ts';
import { MemoryFileSystem } from './memory-file-system.ts';

async function fileOf(text: string) {
  const fileSystem = new MemoryFileSystem();
  fileSystem.addDirectory(DIRECTORY);
  fileSystem.replace(PATH, Buffer.from(text));
  return fileSystem.open(PATH, 'read');
}

const texts = fc
  .array(fc.constantFrom('a', 'bc', '\n', 'ä', 'xxxxxxxxxx'), { maxLength: 30 })
  .map((parts) => parts.join(''));

test('lines read in pieces of any size are the lines of the text, in both directions', async () => {
  await fc.assert(
    fc.asyncProperty(texts, fc.integer({ min: 1, max: 20 }), async (text, chunkBytes) => {
      const file = await fileOf(text);
      const lines = text.split('\n');
      const rest = lines.pop();
      const forwards: { text: string; terminated: boolean; offset: number }[] = [];
      for await (const batch of readLines(file, { chunkBytes })) {
        for (const line of batch) {
          expect(line.length).toBe(line.bytes.length);
          forwards.push({ text: Buffer.from(line.bytes).toString(), terminated: line.terminated, offset: line.offset });
        }
      }
      expect(forwards.filter((line) => line.terminated).map((line) => line.text)).toEqual(lines);
      expect(forwards.filter((line) => !line.terminated).map((line) => line.text)).toEqual(rest === '' ? [] : [rest]);
      for (const line of forwards)
        expect(Buffer.from(text).subarray(line.offset).toString().startsWith(line.text)).toBe(true);
      const backwards: string[] = [];
      const size = Buffer.byteLength(text);
      for await (const line of readLinesBackwards(file, size, chunkBytes)) {
        const content = Buffer.from(line.bytes).toString();
        expect(Buffer.from(text).subarray(0, line.end).toString().endsWith(`${content}\n`)).toBe(true);
        backwards.push(content);
      }
      expect(backwards.reverse()).toEqual(lines);
    }),
  );
});

test('a line over the limit is passed on without its bytes, and the next one is read as it is', async () => {
  const file = await fileOf(`short\n${'x'.repeat(100)}\nnext\n${'y'.repeat(50)}`);
  for (const chunkBytes of [1, 7, 16, 1000]) {
    const lines: RawLine[] = [];
    for await (const batch of readLines(file, { chunkBytes, maxLineBytes: 16 })) lines.push(...batch);
    expect(lines.map((line) => `${line.offset} ${line.length} ${line.bytes.length} ${line.terminated}`)).toEqual([
      '0 5 5 true',
      '6 100 0 true',
      '107 4 4 true',
      '112 50 0 false',
    ]);
  }
});

test('reading can begin and end at any line', async () => {
  const file = await fileOf('one\ntwo\nthree\nfour\n');
  const lines: string[] = [];
  for await (const batch of readLines(file, { from: 4, to: 14 }))
    for (const line of batch) lines.push(line.bytes.toString());
  expect(lines).toEqual(['two', 'three']);
});

test('a file that ends too early is an error, not zeros', async () => {
  await expect(readFully(await fileOf('abc'), Buffer.alloc(4), 0)).rejects.toThrow('ends at byte 3');
});
