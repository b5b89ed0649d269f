import type { Target } from '../../../fuzz/engine/target.ts';

/** Does not end where the second byte is the first one's complement, and the first is odd. */
export const target: Target = {
  name: 'planted-hang',
  oracle: 'every execution ends',
  covers: ['test/fuzz/planted/hang.ts'],
  kind: 'bytes',
  maxLength: 8,
  hangMs: 150,
  seeds: () => [Uint8Array.of(0, 0)],
  open: () => ({
    run([a = 0, b = 0]) {
      if (a % 2 === 1) {
        while (a + b === 255) {
          // for ever
        }
      }
    },
  }),
};
