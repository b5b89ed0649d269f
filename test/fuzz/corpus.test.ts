import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MAX_FILE_BYTES, MAX_FILES, readCorpus } from '../../fuzz/engine/corpus.ts';
import { MAX_INPUT } from '../../fuzz/engine/target.ts';
import { loadTarget, targetNames } from '../../fuzz/targets.ts';

// Everything that fuzzing has found or reached so far, executed once more and held against the same oracles.

const corpus = new URL('./corpus/', import.meta.url);

test('there are at least twenty targets, each with a corpus, and no corpus without a target', () => {
  expect(targetNames.length).toBeGreaterThanOrEqual(20);
  expect(existsSync(corpus) ? readdirSync(corpus).sort() : []).toEqual([...targetNames]);
});

describe.each(targetNames)('%s', (name) => {
  test('holds for every input of its corpus', async () => {
    const { target } = await loadTarget(name);
    expect(target.oracle).not.toBe('');
    expect(target.maxLength).toBeLessThanOrEqual(MAX_INPUT);
    const kept = readCorpus(target);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThanOrEqual(MAX_FILES);
    const harness = await target.open();
    try {
      for (const { file, bytes } of kept) {
        expect(bytes.length, file).toBeLessThanOrEqual(MAX_FILE_BYTES);
        try {
          await harness.run(Uint8Array.from(bytes));
        } catch (error) {
          throw new Error(`${name}/${file}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          });
        }
      }
      for (const seed of target.seeds()) await harness.run(seed.slice(0, target.maxLength));
    } finally {
      await harness.close?.();
    }
  }, 60_000);
});
