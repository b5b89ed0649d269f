import { setImmediate } from 'node:timers/promises';
import { SeededRandom } from '../../test/cci/seeded-random.ts';
import type { Measured } from './coverage-hook.ts';
import { CoverageMap, type Feature } from './coverage-map.ts';
import { exceptionFinding, type Finding } from './finding.ts';
import type { InputBox } from './input-box.ts';
import { coveringSet, shortened } from './minimise.ts';
import { Mutation } from './mutate.ts';
import type { Harness, Target } from './target.ts';

export interface LoopOptions {
  readonly target: Target;
  readonly harness: Harness;
  readonly measured: Measured;
  readonly box: InputBox;
  readonly seed: number;
  readonly corpus: readonly Uint8Array[];
  /** Ends after so many executions, or when that time of `performance.now()` has come, whichever is first. */
  readonly maxRuns: number;
  readonly untilMs: number;
  /** Told at once: the worker may not live to the end. */
  readonly onInput: (bytes: Uint8Array) => void;
  readonly onFinding: (finding: Finding) => void;
}

export interface LoopResult {
  readonly covered: number;
  readonly blocks: number;
  /** Features that the inputs given at the start did not reach. */
  readonly newFeatures: number;
  /** The smallest inputs that together do everything that was seen. */
  readonly minimal: readonly Uint8Array[];
}

interface Entry {
  readonly bytes: Uint8Array;
  readonly features: readonly Feature[];
}

/** Executions that shortening one new input may cost. */
const SHORTENING = 48;
const SHORTENING_A_FINDING = 400;
/** Different findings of one run; a target that breaks at every turn need not fill the disk. */
const MAX_FINDINGS = 20;
/** Executions after which the event loop gets its turn, so that rejections nobody waits for are heard of. */
const TURN = 256;

/** Mutates inputs, executes them, keeps those that do something new. The same options give the same run. */
export class FuzzLoop {
  private readonly options: LoopOptions;
  private readonly map: CoverageMap;
  private readonly random: SeededRandom;
  private readonly mutation: Mutation;
  private readonly entries: Entry[] = [];
  private readonly signatures = new Set<string>();
  private runs = 0;
  private newFeatures = 0;
  private last: Uint8Array = new Uint8Array(0);

  constructor(options: LoopOptions) {
    this.options = options;
    this.map = new CoverageMap(options.measured);
    this.random = new SeededRandom(options.seed);
    this.mutation = new Mutation(options.target, options.measured.words);
  }

  async run(): Promise<LoopResult> {
    const { target, corpus } = this.options;
    for (const input of [...corpus, ...target.seeds()]) await this.given(input.slice(0, target.maxLength));
    if (this.entries.length === 0) await this.given(new Uint8Array(0));
    while (!this.isOver()) {
      const base = this.pick();
      await this.attempt(this.mutation.mutant(base, this.random, this.pick()));
      if (this.runs % TURN === 0) await setImmediate();
    }
    await setImmediate();
    return {
      covered: this.map.covered,
      blocks: this.options.measured.blocks,
      newFeatures: this.newFeatures,
      minimal: coveringSet(this.entries).map(({ bytes }) => bytes),
    };
  }

  /** For what comes up outside of an execution: a rejection nobody waited for. */
  blame(thrown: unknown): void {
    this.report(exceptionFinding(thrown, this.last));
  }

  private isOver(): boolean {
    const { maxRuns, untilMs } = this.options;
    return this.runs >= maxRuns || this.signatures.size >= MAX_FINDINGS || performance.now() >= untilMs;
  }

  /** An input of the corpus: the newest ones half of the time, because what is behind them is not known yet. */
  private pick(): Uint8Array {
    const { entries, random } = this;
    const newest = Math.max(1, entries.length >> 3);
    const index = random.below(2) === 0 ? random.below(entries.length) : entries.length - 1 - random.below(newest);
    return entries[index]?.bytes ?? new Uint8Array(0);
  }

  private async given(input: Uint8Array): Promise<void> {
    const finding = await this.execute(input);
    if (finding !== undefined) return this.shorten(finding);
    const features = this.map.features();
    this.map.note(features);
    this.entries.push({ bytes: input, features });
  }

  private async attempt(input: Uint8Array): Promise<void> {
    const finding = await this.execute(input);
    if (finding !== undefined) {
      if (!this.signatures.has(finding.signature)) await this.shorten(finding);
      return;
    }
    if (!this.map.hasNew()) return;
    const wanted = this.map.features().filter((feature) => this.map.isNew(feature));
    const bytes = await shortened(input, (candidate) => this.still(candidate, wanted), SHORTENING);
    if ((await this.execute(bytes)) !== undefined) return;
    const features = this.map.features();
    this.newFeatures += features.filter((feature) => this.map.isNew(feature)).length;
    // What the first execution did alone, such as filling a cache, is not to be looked for again.
    this.map.note(features);
    this.map.note(wanted);
    this.entries.push({ bytes: bytes.slice(), features });
    this.options.onInput(bytes);
  }

  private async still(candidate: Uint8Array, wanted: readonly Feature[]): Promise<boolean> {
    if ((await this.execute(candidate)) !== undefined) return false;
    const features = new Set(this.map.features());
    return wanted.every((feature) => features.has(feature));
  }

  private async shorten(finding: Finding): Promise<void> {
    const { signature } = finding;
    const isSame = async (candidate: Uint8Array) => (await this.execute(candidate))?.signature === signature;
    const input = await shortened(finding.input, isSame, SHORTENING_A_FINDING);
    this.report({ ...finding, input: input.slice() });
  }

  private report(finding: Finding): void {
    if (this.signatures.has(finding.signature)) return;
    this.signatures.add(finding.signature);
    this.options.onFinding(finding);
  }

  private async execute(input: Uint8Array): Promise<Finding | undefined> {
    const { harness, box } = this.options;
    this.runs++;
    this.last = input;
    box.begin(input);
    this.map.clear();
    try {
      // A copy, so that nothing is left of what an execution does to its input.
      const running = harness.run(input.slice());
      if (running !== undefined) await running;
      return undefined;
    } catch (thrown) {
      return exceptionFinding(thrown, input);
    } finally {
      box.end();
    }
  }
}
