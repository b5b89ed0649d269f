import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COUNTERS, instrument } from './instrument.ts';

/** Room for the counters of everything below `src`, twice over. */
const ROOM = 1 << 16;

const root = resolve(import.meta.dirname, '../..');

/** What is measured in this thread. */
export interface Measured {
  /** One counter for each block; it goes round at 256. */
  readonly counters: Uint8Array;
  /** Counters in use; grows as modules are loaded. */
  readonly blocks: number;
  /** Literals of the measured sources. */
  readonly words: ReadonlySet<string>;
  readonly numbers: ReadonlySet<number>;
}

/**
 * From here on modules below `folders` are loaded with counters. To be called before any of them is imported.
 *
 * @param folders relative to the root of the project, such as `src/cci` or `src/cli/safe-text.ts`
 */
export function measure(folders: readonly string[]): Measured {
  const counters = new Uint8Array(ROOM);
  Object.defineProperty(globalThis, COUNTERS, { value: counters });
  const wanted = folders.map((folder) => resolve(root, folder));
  const words = new Set<string>();
  const numbers = new Set<number>();
  let blocks = 0;
  registerHooks({
    load(url, context, nextLoad) {
      const path = url.startsWith('file:') ? fileURLToPath(url) : '';
      if (!path.endsWith('.ts') || !wanted.some((folder) => path === folder || path.startsWith(`${folder}/`))) {
        return nextLoad(url, context);
      }
      const module = instrument(stripTypeScriptTypes(readFileSync(path, 'utf8')), blocks);
      blocks += module.blocks;
      if (blocks > ROOM) throw new RangeError(`more than ${ROOM} blocks below ${folders.join(', ')}`);
      for (const word of module.words) words.add(word);
      for (const number of module.numbers) numbers.add(number);
      return { format: 'module', source: module.text, shortCircuit: true };
    },
  });
  return {
    counters,
    get blocks() {
      return blocks;
    },
    words,
    numbers,
  };
}
