import { defineConfig } from 'vitest/config';
import { patience } from './machine.ts';

/** The suite that boots machines: `npm run test:guest`. One at a time: it has as many CPUs as CI. */
export default defineConfig({
  test: {
    include: ['test/guest/**/*.guest.ts'],
    root: new URL('../..', import.meta.url).pathname,
    globalSetup: ['test/guest/global-setup.ts'],
    fileParallelism: false,
    maxWorkers: 1,
    testTimeout: 120_000 * patience,
    hookTimeout: 180_000 * patience,
  },
});
