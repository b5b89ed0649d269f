import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * Mutation testing, one part at a time: `node scripts/mutation.ts taint`. What was found stays in `var/mutation/PART.json`,
 * and a further run looks only at what has changed since. Needs `@stryker-mutator/core` and `@stryker-mutator/vitest-runner`.
 */
interface Part {
  readonly mutate: string;
  /** Tests that judge: those of the part itself. Long property tests stay out, or each mutant would take minutes. */
  readonly tests: readonly string[];
  readonly without?: readonly string[];
}

const policy = (folder: string, ...more: readonly string[]): Part => ({
  mutate: `src/policy/${folder}/**/*.ts`,
  tests: [`test/policy/${folder}/**/*.test.ts`, ...more],
  without: [
    'test/policy/**/*.property.test.ts',
    'test/policy/**/*differential.test.ts',
    'test/policy/load/*fuzz.test.ts',
  ],
});

const decide = 'test/policy/decide/*.test.ts';
const parts: { readonly [name: string]: Part } = {
  taint: { mutate: 'src/taint/**/*.ts', tests: ['test/taint/*.test.ts'], without: ['test/taint/kill.test.ts'] },
  cci: {
    mutate: 'src/cci/*.ts',
    tests: ['test/cci/*.test.ts'],
    without: ['test/cci/random-bytes.test.ts', 'test/cci/commands-doc.test.ts'],
  },
  catalogue: { mutate: 'src/cci/catalogue/*.ts', tests: ['test/cci/{catalogue,codec,examples,reply-owners}.test.ts'] },
  decide: policy('decide', 'test/conformance/*.test.ts'),
  casbin: policy('casbin', decide),
  load: policy('load'),
  fabric: policy('fabric'),
  meaning: policy('meaning'),
  review: policy('review'),
  suite: policy('suite'),
  learn: policy('learn'),
  offline: policy('offline'),
  replay: policy('replay'),
  trace: policy('trace'),
  words: policy('words'),
  pipeline: {
    mutate: 'src/broker/pipeline/*.ts',
    tests: ['test/broker/{pipeline,limits,moments,repeats,operations,cut-off,acknowledge,vendor-commands}.test.ts'],
  },
};

const [name = '', ...flags] = process.argv.slice(2);
const part = parts[name];
if (part === undefined) {
  console.error(`usage: node scripts/mutation.ts ${Object.keys(parts).join('|')} [flags of stryker run]`);
  process.exit(2);
}
const root = resolve(import.meta.dirname, '..');
const tests = globSync([...part.tests], { cwd: root, exclude: [...(part.without ?? [])] }).sort();
mkdirSync(resolve(root, 'var/mutation'), { recursive: true });
const run = spawnSync(
  'npx',
  ['stryker', 'run', '--mutate', part.mutate, '--incrementalFile', `var/mutation/${name}.json`, ...flags],
  { cwd: root, stdio: 'inherit', env: { ...process.env, MUTATION_TESTS: tests.join(',') } },
);
process.exitCode = run.status ?? 1;
