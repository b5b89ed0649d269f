import type { Target } from '../../../fuzz/engine/target.ts';

/** Has nothing to find, and enough branches for two runs to differ in if anything but the seed decided. */
export const target: Target = {
  name: 'planted-sound',
  oracle: 'nothing',
  covers: ['test/fuzz/planted/sound.ts'],
  kind: 'bytes',
  maxLength: 32,
  seeds: () => [Uint8Array.of(0)],
  open: () => ({
    run(input) {
      let state = 0;
      for (const byte of input) {
        if (byte === state) state += 3;
        else if (byte > 200) state = byte & 7;
        else if (byte % 5 === 0) state = Math.max(0, state - 1);
      }
    },
  }),
};
