import { expect, vi } from 'vitest';

type Body = () => unknown;

interface Test {
  readonly id: string;
  readonly name: string;
  readonly body: Body;
  readonly isSkipped: boolean;
}

interface Hooks {
  readonly beforeAll: Body[];
  readonly beforeEach: Body[];
  readonly afterEach: Body[];
  readonly afterAll: Body[];
}

interface Suite extends Hooks {
  readonly parent: Suite | undefined;
  readonly name: string;
  readonly body: Body;
  readonly children: (Test | Suite)[];
}

/** What became of one test; `failure` is a text when it failed. */
export interface Ran {
  readonly id: string;
  readonly name: string;
  readonly ms: number;
  readonly failure?: string;
  readonly isSkipped?: boolean;
}

/** `found` is told each test before it starts, and nothing after it has ended. */
export interface Course {
  readonly selected: ReadonlySet<string> | undefined;
  readonly without?: ReadonlySet<string>;
  readonly stopAtFailure: boolean;
  readonly started: (id: string | undefined) => void;
}

type Options = object | number | Body;

/**
 * As much of a test framework as the tests that judge mutants use: `describe`, `test`, `each` and the hooks, collected from a
 * file at a time and run one after the other. `expect` and `vi` are those of vitest.
 */
export class Collected {
  readonly #ids = new Set<string>();
  #file = '';
  #root = suiteOf();
  #current = this.#root;
  #finished: Body[] = [];

  /** What is defined from now on belongs to this file; what was defined before is forgotten. */
  begin(file: string): void {
    this.#file = file;
    this.#root = suiteOf();
    this.#current = this.#root;
  }

  /** What `import ... from 'vitest'` gives a test file. */
  readonly api = (): object => {
    const describe = (name: string, ...more: Options[]): void => {
      this.#current.children.push(suiteOf(this.#current, name, bodyOf(more)));
    };
    const add = (isSkipped: boolean, name: string, more: readonly Options[]): void => {
      const parts = [name];
      for (let suite: Suite | undefined = this.#current; suite?.parent; suite = suite.parent) parts.unshift(suite.name);
      let id = `${this.#file}#${parts.join(' > ')}`;
      while (this.#ids.has(id)) id = `${id} again`;
      this.#ids.add(id);
      this.#current.children.push({ id, name: parts.join(' > '), body: bodyOf(more), isSkipped });
    };
    const test = (name: string, ...more: Options[]): void => add(false, name, more);
    const skip = (name: string, ...more: Options[]): void => add(true, name, more);
    const named = Object.assign(test, {
      each: eachOf(test),
      skip,
      runIf: (condition: unknown) => (condition ? test : skip),
      skipIf: (condition: unknown) => (condition ? skip : test),
    });
    const hook = (kind: keyof Hooks) => (body: Body) => void this.#current[kind].push(body);
    return {
      describe: Object.assign(describe, { each: eachOf(describe) }),
      test: named,
      it: named,
      expect: Object.assign((value: unknown, message?: string) => expect(value, message), expect, { poll }),
      vi,
      beforeAll: hook('beforeAll'),
      beforeEach: hook('beforeEach'),
      afterEach: hook('afterEach'),
      afterAll: hook('afterAll'),
      onTestFinished: (body: Body) => void this.#finished.push(body),
    };
  };

  /** Calls what `describe` was given, outer before inner, each to its end. */
  async define(suite = this.#root): Promise<void> {
    this.#current = suite;
    await suite.body();
    for (const child of suite.children) if ('children' in child) await this.define(child);
  }

  /** Runs the selected tests in their order; true when none failed. */
  async run(course: Course, report: (ran: Ran) => void): Promise<boolean> {
    return this.#runSuite(this.#root, course, report);
  }

  async #runSuite(suite: Suite, course: Course, report: (ran: Ran) => void): Promise<boolean> {
    if (!hasSelected(suite, course.selected)) return true;
    let isGood = true;
    try {
      for (const body of suite.beforeAll) await body();
    } catch (error) {
      for (const test of testsOf(suite)) report({ id: test.id, name: test.name, ms: 0, failure: String(error) });
      isGood = false;
    }
    for (const child of suite.children) {
      if (!isGood && course.stopAtFailure) break;
      isGood =
        ('children' in child
          ? await this.#runSuite(child, course, report)
          : await this.#runTest(child, suite, course, report)) && isGood;
    }
    for (const body of suite.afterAll.toReversed()) await body();
    return isGood;
  }

  async #runTest(test: Test, suite: Suite, course: Course, report: (ran: Ran) => void): Promise<boolean> {
    const { id, name } = test;
    if (course.selected?.has(id) === false || course.without?.has(id)) return true;
    if (test.isSkipped) {
      report({ id, name, ms: 0, isSkipped: true });
      return true;
    }
    const start = performance.now();
    const failures: unknown[] = [];
    const attempt = async (body: Body): Promise<void> => {
      try {
        await body();
      } catch (error) {
        failures.push(error);
      }
    };
    course.started(id);
    const chain: Suite[] = [];
    for (let above: Suite | undefined = suite; above !== undefined; above = above.parent) chain.unshift(above);
    for (const { beforeEach } of chain) for (const body of beforeEach) await attempt(body);
    if (failures.length === 0) await attempt(() => endsWithin(LIMIT_MS, test.body));
    for (const { afterEach } of chain.toReversed()) for (const body of afterEach.toReversed()) await attempt(body);
    for (const body of this.#finished.splice(0).toReversed()) await attempt(body);
    course.started(undefined);
    const ms = performance.now() - start;
    report(failures.length === 0 ? { id, name, ms } : { id, name, ms, failure: String(failures[0]) });
    return failures.length === 0;
  }
}

/** A test that waits for what a mutant has taken away fails, and does not cost the time that a whole run may take. */
const LIMIT_MS = 20_000;

async function endsWithin(ms: number, body: Body): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = realSetTimeout(() => reject(new Error(`did not end within ${ms} ms`)), ms);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    realClearTimeout(timer);
  }
}

// Taken before a test can put others in their place.
const realSetTimeout = setTimeout;
const realClearTimeout = clearTimeout;

function suiteOf(parent?: Suite, name = '', body: Body = () => undefined): Suite {
  return { parent, name, body, children: [], beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] };
}

function bodyOf(more: readonly Options[]): Body {
  const body = more.find((part) => typeof part === 'function');
  if (body === undefined) throw new Error('a test without a body');
  return body as Body;
}

function* testsOf(suite: Suite): Generator<Test> {
  for (const child of suite.children) {
    if ('children' in child) yield* testsOf(child);
    else yield child;
  }
}

function hasSelected(suite: Suite, selected: ReadonlySet<string> | undefined): boolean {
  if (selected === undefined) return true;
  for (const { id } of testsOf(suite)) if (selected.has(id)) return true;
  return false;
}

type Define = (name: string, ...more: Options[]) => void;

function eachOf(define: Define) {
  return (rows: readonly unknown[]): Define =>
    (name, ...more) => {
      const body = bodyOf(more) as (...row: readonly unknown[]) => unknown;
      for (const [index, row] of rows.entries()) {
        const values: readonly unknown[] = Array.isArray(row) ? row : [row];
        define(titleOf(name, values, index), () => body(...values));
      }
    };
}

/** Fills in `%s` and its like from the row, and `$key` from the row's first value. */
function titleOf(name: string, values: readonly unknown[], index: number): string {
  let used = 0;
  const filled = name.replace(/%[sdifjoO#$%]/g, (mark) => {
    if (mark === '%%') return '%';
    if (mark === '%#' || mark === '%$') return String(index);
    const value = values[used];
    used += 1;
    return typeof value === 'string' ? value : (JSON.stringify(value, bigintAsText) ?? String(value));
  });
  return filled.replace(/\$([A-Za-z_]\w*)/g, (mark, key: string) => {
    const [first] = values;
    if (typeof first !== 'object' || first === null || !(key in first)) return mark;
    return String(Reflect.get(first, key));
  });
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}

interface PollOptions {
  readonly timeout?: number;
  readonly interval?: number;
}

/** `expect.poll` of vitest works within its own tests alone. */
function poll(look: () => unknown, options: PollOptions = {}): object {
  const matcher = (path: readonly string[]): object =>
    new Proxy(() => undefined, {
      get: (_target, key) => matcher([...path, String(key)]),
      apply: (_target, _self, values: readonly unknown[]) =>
        vi.waitFor(
          async () => {
            let step: unknown = expect(await look());
            let self = step;
            for (const key of path) {
              self = step;
              step = Reflect.get(Object(step), key, step);
            }
            return Reflect.apply(step as (...more: unknown[]) => unknown, self, values);
          },
          { timeout: options.timeout ?? 1000, interval: options.interval ?? 20 },
        ),
    });
  return matcher([]);
}
