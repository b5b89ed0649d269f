import type { Target } from '../../../fuzz/engine/target.ts';

/** Believes a length of 24 bits that the input announces. */
export const target: Target = {
  name: 'planted-memory',
  oracle: 'no length is believed before it is checked',
  covers: ['test/fuzz/planted/memory.ts'],
  kind: 'bytes',
  maxLength: 8,
  hangMs: 60_000,
  growthBytes: 100 << 20,
  seeds: () => [Uint8Array.of(1, 1, 0, 0)],
  open: () => ({
    run([kind = 0, a = 0, b = 0, c = 0]) {
      const length = a + b * 2 ** 8 + c * 2 ** 16;
      if (kind !== 1) return;
      const list: object[] = [];
      for (let i = 0; i < length; i++) list.push({ i, with: { more: [i] } });
      if (list.length !== length) throw new Error('unreachable');
    },
  }),
};
