import type { Target } from '../../../fuzz/engine/target.ts';

/** Fails on one word of four bytes. Guessing it takes four thousand million tries; finding byte for byte does not. */
export const target: Target = {
  name: 'planted-magic',
  oracle: 'the word is never said',
  covers: ['test/fuzz/planted/magic.ts'],
  kind: 'bytes',
  maxLength: 16,
  seeds: () => [Uint8Array.of(1, 2, 3, 4, 5, 6)],
  open: () => ({
    run([a, b, c, d]) {
      if (a === 0x5b) {
        if (b === 0xc1) {
          if (c === 0x07) {
            if (d === 0xe9) throw new Error('the word was said');
          }
        }
      }
    },
  }),
};
