import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * Mutation testing, one part at a time: `node scripts/mutation.ts taint`. What was found stays in `var/mutation/PART.json`,
 * and a further run looks only at what has changed since. Needs `@stryker-mutator/core`.
 */
interface Part {
  readonly mutate: string;
  /** Tests that judge: those of the part itself. What is random in them is cut short, or a mutant would take minutes. */
  readonly tests: readonly string[];
  readonly without?: readonly string[];
}

const policy = (folder: string, ...more: readonly string[]): Part => ({
  mutate: `src/policy/${folder}/**/*.ts`,
  tests: [`test/policy/${folder}/**/*.test.ts`, ...more],
  without: ['test/policy/**/*.property.test.ts', 'test/policy/load/fuzz.test.ts'],
});

const decide = 'test/policy/decide/*.test.ts';
const parts: { readonly [name: string]: Part } = {
  taint: { mutate: 'src/taint/**/*.ts', tests: ['test/taint/*.test.ts'], without: ['test/taint/kill.test.ts'] },
  cci: {
    mutate: 'src/cci/*.ts,!src/cci/command-table*.ts',
    tests: ['test/cci/*.test.ts'],
    without: ['test/cci/random-bytes.test.ts', 'test/cci/commands-doc.test.ts'],
  },
  // Rows of vendor commands are files of the policy, and their mistakes are listed with its tests.
  'command-table': {
    mutate: 'src/cci/command-table*.ts',
    tests: ['test/cci/command-table.test.ts', 'test/policy/load/commands{,-edges,-fuzz}.test.ts'],
  },
  catalogue: {
    mutate: 'src/cci/catalogue/*.ts',
    tests: [
      'test/cci/{catalogue,catalogue-reference,codec,commands-doc,examples,reply-owners}.test.ts',
      'test/cci/disagreements.test.ts',
    ],
  },
  decide: policy('decide', 'test/conformance/*.test.ts'),
  // Selectors, columns and rule letters are read here and refused there.
  casbin: policy('casbin', decide, 'test/policy/load/{mistakes,shipped,commands}.test.ts'),
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
  names: { mutate: 'src/policy/*.ts', tests: ['test/policy/names.test.ts'] },
  // Those of `test/broker` that start a broker take a thousand times as long.
  pipeline: { mutate: 'src/broker/pipeline/*.ts', tests: ['test/broker/pipeline/*.test.ts'] },
};

/** Of every file blocks of 20 lines, one in so many, always the same ones: what is looked at does not depend on what is found. */
function sampleOf(glob: string, oneIn: number): string {
  const ranges: string[] = [];
  for (const file of globSync(glob, { cwd: root }).sort()) {
    const lines = readFileSync(resolve(root, file), 'utf8').split('\n').length;
    for (let from = 1; from <= lines; from += 20) {
      const [byte = 0] = createHash('sha256').update(`${file}:${from}`).digest();
      if (byte % oneIn === 0) ranges.push(`${file}:${from}-${Math.min(from + 19, lines)}`);
    }
  }
  return ranges.join(',');
}

const root = resolve(import.meta.dirname, '..');
const [name = '', ...flags] = process.argv.slice(2);
const sample = flags[0]?.startsWith('sample=') ? Number(flags.shift()?.slice('sample='.length)) : undefined;
const part = parts[name];
if (part === undefined) {
  console.error(
    `usage: node scripts/mutation.ts ${Object.keys(parts).join('|')} [sample=ONE_IN] [flags of stryker run]`,
  );
  process.exit(2);
}
const tests = globSync([...part.tests], { cwd: root, exclude: [...(part.without ?? [])] }).sort();
mkdirSync(resolve(root, 'var/mutation'), { recursive: true });
const mutate = sample === undefined ? part.mutate : sampleOf(part.mutate, sample);
const env = {
  DIFFERENTIAL_CASES: '1000',
  FUZZ_CASES: '100',
  ...process.env,
  MUTATION_TESTS: tests.join(','),
};
const run = spawnSync(
  'npx',
  ['stryker', 'run', '--mutate', mutate, '--incrementalFile', `var/mutation/${name}.json`, ...flags],
  { cwd: root, stdio: 'inherit', env },
);
process.exitCode = run.status ?? 1;
