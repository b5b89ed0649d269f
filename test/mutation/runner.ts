import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import vm from 'node:vm';

/**
 * A test runner for Stryker that judges a mutant in tens of milliseconds: sources and tests are one script (`bundle.ts`),
 * compiled once and evaluated anew for each mutant in the same process, instead of a new worker that imports everything.
 * A mutant that never comes back is Stryker's to end: it counts what is hit, and kills the process when time is over.
 */
Object.assign(globalThis, {
  __vitest_worker__: {
    environment: { name: 'node' },
    config: { expect: {}, fakeTimers: {} },
    metaEnv: {},
    durations: {},
  },
});
const { Collected } = await import('./collect.ts');
const { bundleOf, PACKAGES } = await import('./bundle.ts');
const { vi } = await import('vitest');
type Ran = import('./collect.ts').Ran;
type Course = import('./collect.ts').Course;

interface Instrumentation {
  activeMutant?: string;
  currentTestId?: string;
  hitCount?: number;
  hitLimit?: number;
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> };
}

interface MutantRun {
  readonly activeMutant: { readonly id: string };
  readonly testFilter?: readonly string[];
  readonly hitLimit?: number;
}

/** What the first run has told, for the next process when this one is ended; in the copy of the tree that Stryker works in. */
const KNOWN = 'mutation-known.json';

interface Known {
  /** The quickest first. */
  readonly files: readonly string[];
  /** Tests that are asked only when all others have let a mutant pass. */
  readonly slow: readonly string[];
}

const SLOW_MS = 100;

/** The numbers are Stryker's. */
const status = { success: 0, failed: 1, skipped: 2 } as const;

class BundleRunner {
  readonly #packages = new Map<string, object>();
  #files: readonly string[] = [];
  #slow: ReadonlySet<string> = new Set();
  #script = new vm.Script('');
  #vitest: object = {};
  readonly #ns: Instrumentation = {};

  capabilities(): object {
    return { reloadEnvironment: true };
  }

  async init(): Promise<void> {
    // What a mutant of long ago still does must not end the judge of this one.
    process.on('uncaughtException', () => undefined);
    process.on('unhandledRejection', () => undefined);
    const given = (process.env.MUTATION_TESTS ?? '').split(',').filter((file) => file !== '');
    const known: Known = existsSync(KNOWN)
      ? (JSON.parse(readFileSync(KNOWN, 'utf8')) as Known)
      : { files: [], slow: [] };
    this.#files = [
      ...known.files.filter((file) => given.includes(file)),
      ...given.filter((file) => !known.files.includes(file)),
    ];
    this.#slow = new Set(known.slow);
    const code = await bundleOf(process.cwd(), this.#files, this.#packages);
    this.#script = new vm.Script(`(async () => {${code}\n})()`, {
      filename: 'bundle.js',
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    Object.assign(globalThis, {
      [PACKAGES]: (name: string) => (name === 'vitest' ? this.#vitest : this.#packages.get(name)),
      __stryker__: this.#ns,
    });
  }

  /** Each file in a world of its own, so that what is remembered between tests counts for each file that reaches it. */
  async dryRun(): Promise<object> {
    const everything = { selected: undefined, stopAtFailure: false };
    const counted: Ran[] = [];
    this.#ns.mutantCoverage = { static: {}, perTest: {} };
    for (const file of this.#files) await this.#judge([file], everything, counted);
    Object.assign(globalThis, { __mutation_quiet: true });
    // Once more without counting what is reached: how long a mutant may take is told from these times.
    const tests: Ran[] = [];
    this.#ns.activeMutant = 'none';
    await this.#judge(this.#files, everything, tests);
    const order = new Map(this.#files.map((file) => [file, 0]));
    for (const { id, ms } of tests) order.set(fileOf(id), (order.get(fileOf(id)) ?? 0) + ms);
    this.#files = this.#files.toSorted((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
    this.#slow = new Set(tests.filter(({ ms }) => ms > SLOW_MS).map(({ id }) => id));
    const known: Known = { files: this.#files, slow: [...this.#slow] };
    writeFileSync(KNOWN, JSON.stringify(known));
    return { status: 'complete', tests: tests.map(resultOf), mutantCoverage: this.#ns.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit }: MutantRun): Promise<object> {
    Object.assign(globalThis, { __mutation_quiet: true });
    const selected = testFilter === undefined ? undefined : new Set(testFilter);
    const files = this.#files.filter(
      (file) => selected === undefined || [...selected].some((id) => fileOf(id) === file),
    );
    Object.assign(this.#ns, { activeMutant: activeMutant.id, hitCount: 0, hitLimit });
    const tests: Ran[] = [];
    await this.#judge(files, { selected, without: this.#slow, stopAtFailure: true }, tests);
    const slow = new Set([...this.#slow].filter((id) => selected?.has(id) !== false));
    if (slow.size > 0 && !tests.some(({ failure }) => failure !== undefined)) {
      const slowFiles = files.filter((file) => [...slow].some((id) => fileOf(id) === file));
      await this.#judge(slowFiles, { selected: slow, stopAtFailure: true }, tests);
    }
    this.#ns.activeMutant = 'none';
    const { hitCount = 0 } = this.#ns;
    if (hitLimit !== undefined && hitCount > hitLimit)
      return { status: 'timeout', reason: `hit ${hitCount} times, the limit is ${hitLimit}` };
    const failed = tests.find(({ failure }) => failure !== undefined);
    return failed === undefined
      ? { status: 'survived', nrOfTests: tests.length }
      : { status: 'killed', nrOfTests: tests.length, killedBy: [failed.id], failureMessage: failed.failure };
  }

  async dispose(): Promise<void> {}

  async #judge(files: readonly string[], what: Omit<Course, 'started'>, tests: Ran[]): Promise<void> {
    const { selected, stopAtFailure } = what;
    const started = (id: string | undefined): void => {
      if (id === undefined) delete this.#ns.currentTestId;
      else this.#ns.currentTestId = id;
    };
    let loaders: { readonly [file: string]: () => Promise<unknown> } = {};
    try {
      const collected = new Collected();
      this.#vitest = collected.api();
      for (const file of files) {
        collected.begin(file);
        try {
          if (file === files[0]) {
            await this.#script.runInThisContext();
            loaders = Reflect.get(globalThis, '__mutation_files') as typeof loaders;
          }
          await loaders[file]?.();
          await collected.define();
        } catch (error) {
          if (!stopAtFailure) throw error;
          // A file that cannot be loaded fails with all its tests.
          const id = [...(selected ?? [])].find((test) => fileOf(test) === file) ?? file;
          tests.push({ id, name: id, ms: 0, failure: String(error) });
          return;
        }
        if (!(await collected.run({ ...what, started }, (ran) => tests.push(ran))) && stopAtFailure) return;
      }
    } finally {
      started(undefined);
      vi.useRealTimers();
      vi.restoreAllMocks();
    }
  }
}

function fileOf(id: string): string {
  return id.split('#', 1)[0] ?? id;
}

function resultOf({ id, name, ms, failure, isSkipped }: Ran): object {
  const base = { id, name, timeSpentMs: ms, fileName: fileOf(id) };
  if (isSkipped) return { ...base, status: status.skipped };
  return failure === undefined
    ? { ...base, status: status.success }
    : { ...base, status: status.failed, failureMessage: failure };
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'bundle', factory: () => new BundleRunner() }];
