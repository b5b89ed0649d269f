import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two workers: the suites start real brokers and child processes, and CI has two cores.
    maxWorkers: 2,
    testTimeout: 20_000,
    coverage: {
      provider: 'v8',
      include: ['src/cci/**', 'src/policy/**', 'src/taint/**'],
      reporter: ['text-summary', 'text'],
      // Each exception is explained beside it in the source.
      thresholds: { lines: 100, branches: 100 },
    },
  },
});
