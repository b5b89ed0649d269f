import type { Target } from '../../../fuzz/engine/target.ts';

/** Forgets a promise that rejects where the input is longer than the first byte says. */
export const target: Target = {
  name: 'planted-rejection',
  oracle: 'no rejection goes unheard',
  covers: ['test/fuzz/planted/rejection.ts'],
  kind: 'bytes',
  maxLength: 8,
  seeds: () => [Uint8Array.of(7)],
  open: () => ({
    run(input) {
      if (input.length > (input[0] ?? 0)) void Promise.reject(new Error('nobody waits for this'));
    },
  }),
};
