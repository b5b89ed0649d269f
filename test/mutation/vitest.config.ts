import { defineConfig } from 'vitest/config';

/** The tests that judge mutants: `scripts/mutation.ts` names them, because each mutant runs all that reach it. */
export default defineConfig({
  test: {
    include: (process.env.MUTATION_TESTS ?? '').split(',').filter((glob) => glob !== ''),
    root: new URL('../..', import.meta.url).pathname,
    maxWorkers: 1,
    testTimeout: 20_000,
  },
});
