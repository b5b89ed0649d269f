import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two workers: the suites start real brokers and child processes, and CI has two cores.
    maxWorkers: 2,
    // For a machine that has other things to do: what takes a second here has taken ten there.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    coverage: {
      provider: 'v8',
      include: ['src/cci/**', 'src/policy/**', 'src/taint/**'],
      reporter: ['text-summary', 'text'],
      // Each exception is explained beside it in the source.
      thresholds: { lines: 100, branches: 100 },
    },
  },
});
