import { Worker } from 'node:worker_threads';
import { type Decision, type Principal, refOfFacts } from '../policy/index.ts';
import type { Posture } from '../taint/index.ts';
import type { Difference, FromReference, Sample, ToReference } from './crosscheck-messages.ts';
import { NearReference } from './crosscheck-near.ts';
import type { LoadedPolicy } from './policy-holder.ts';

export interface CrosscheckOptions {
  /** Mean time between two samples, milliseconds. */
  readonly intervalMs: number;
  /** Engine and reference differ: an alarm. Told once for each sample. */
  readonly onDifferences: (differences: readonly Difference[]) => void;
  readonly onCompared?: () => void;
  /** The reference does not run: nothing is compared, decisions go on. */
  readonly onFailure: (error: unknown) => void;
  readonly startReference?: () => ReferenceThread;
}

/** The thread that runs the reference, or what stands for it in a test. */
export interface ReferenceThread {
  postMessage(message: ToReference): void;
  on(event: 'message', listener: (message: FromReference) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  unref(): void;
  terminate(): Promise<unknown>;
}

/** Samples that may wait for the reference; more are dropped, so that it never owes anybody an answer. */
const WAITING_MAX = 8;
/** Resources of one decision that are looked at. */
const GRANTS_MAX = 4;
/** Rows of one message to the thread: well under a millisecond to copy. */
const ROWS_PER_MESSAGE = 200;
/** The reference rests this many times as long as it worked: with 110,000 rows one decision takes it a large part of a second. */
const REST = 50;
/** The reference is started anew this often, then left off. */
const FAILURES_MAX = 3;

/**
 * Now and then takes a decision that was just made to the full, unindexed reference, on a thread of its own, and compares
 * verdict and deciding rule. Costs a decision that is not sampled one look at a flag; the thread is started with the first
 * sample.
 */
export class Crosscheck {
  private readonly options: CrosscheckOptions;
  private policy: LoadedPolicy;
  private thread: ReferenceThread | undefined;
  private timer: NodeJS.Timeout | undefined;
  private due = false;
  private ready = '';
  private waiting = 0;
  private failures = 0;
  private closed = false;
  private found = 0;
  private lastTookMs = 0;

  constructor(policy: LoadedPolicy, options: CrosscheckOptions) {
    this.policy = policy;
    this.options = options;
    this.arm();
  }

  /** Decisions in which engine and reference differed since the start. Never goes back: an alarm is not lost by a reload. */
  get differences(): number {
    return this.found;
  }

  /** Of the reference, for people. */
  get state(): 'idle' | 'running' | 'failed' {
    if (this.failures >= FAILURES_MAX) return 'failed';
    return this.thread === undefined ? 'idle' : 'running';
  }

  /** Another policy is in force: what was sampled before says nothing about it. */
  use(policy: LoadedPolicy): void {
    this.policy = policy;
    this.ready = '';
    const { thread } = this;
    if (thread === undefined) return;
    if (thread instanceof NearReference && !isSmall(policy)) {
      // The next sample starts a thread.
      this.thread = undefined;
      this.waiting = 0;
      void thread.terminate();
    } else void this.teach(thread, policy);
  }

  /** To be called with each decision of the engine. Never throws, never waits. */
  observe(principal: Principal, decision: Decision, posture: Posture, requestId?: string): void {
    if (!this.due) return;
    if (decision.grants.length === 0 || decision.basis.snapshot !== this.policy.snapshot.id) return;
    this.due = false;
    this.arm();
    if (this.thread === undefined) {
      // Making a thread takes milliseconds, and somebody waits for this decision.
      setImmediate(() => this.start());
      return;
    }
    if (this.ready !== this.policy.snapshot.id || this.waiting >= WAITING_MAX) return;
    this.waiting += 1;
    this.thread.postMessage({ kind: 'sample', sample: this.sampleOf(principal, decision, posture, requestId) });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.thread?.terminate();
  }

  /** Random, so that no pattern of requests stays unseen. */
  private arm(): void {
    if (this.closed || this.failures >= FAILURES_MAX) return;
    this.timer = setTimeout(
      () => {
        this.due = true;
      },
      Math.max(this.options.intervalMs, this.lastTookMs * REST) * (0.5 + Math.random()),
    );
    this.timer.unref();
  }

  private start(): void {
    if (this.closed || this.thread !== undefined) return;
    try {
      const thread = this.options.startReference?.() ?? (isSmall(this.policy) ? new NearReference() : startThread());
      thread.on('message', (message) => this.heard(message));
      thread.on('error', (error) => this.failed(thread, error));
      thread.unref();
      this.thread = thread;
      void this.teach(thread, this.policy);
    } catch (error) {
      this.failed(undefined, error);
    }
  }

  private failed(thread: ReferenceThread | undefined, error: unknown): void {
    if (this.closed || this.thread !== thread) return;
    this.thread = undefined;
    this.ready = '';
    this.waiting = 0;
    this.failures += 1;
    if (this.failures >= FAILURES_MAX) {
      clearTimeout(this.timer);
      this.due = false;
    }
    this.options.onFailure(error);
  }

  private heard(message: FromReference): void {
    if (message.kind === 'ready') {
      this.ready = message.snapshot;
      return;
    }
    this.waiting = Math.max(0, this.waiting - 1);
    this.lastTookMs = message.tookMs;
    if (message.decisions > 0) this.options.onCompared?.();
    if (message.differences.length === 0) return;
    this.found += 1;
    this.options.onDifferences(message.differences);
  }

  /** Hands the rules over in pieces, with a turn for everybody else between any two. */
  private async teach(thread: ReferenceThread, policy: LoadedPolicy): Promise<void> {
    const { snapshot, rules } = policy;
    const isCurrent = (): boolean => this.policy === policy && this.thread === thread && !this.closed;
    const send = async <R>(rows: readonly R[], message: (piece: readonly R[]) => ToReference): Promise<void> => {
      for (let from = 0; from < rows.length && isCurrent(); from += ROWS_PER_MESSAGE) {
        thread.postMessage(message(rows.slice(from, from + ROWS_PER_MESSAGE)));
        await new Promise((done) => setImmediate(done));
      }
    };
    const vendor = snapshot.commands.reviewed.map((row) => row.vendor.definition);
    thread.postMessage({ kind: 'begin', snapshot: snapshot.id, vendor });
    await send(rules.grants, (rows) => ({
      kind: 'grants',
      rows: rows.map(({ row, file, line }) => ({ row, file, line })),
    }));
    await send(rules.links, (rows) => ({
      kind: 'links',
      rows: rows.map(({ name, role, tenant }) => ({ name, role, tenant })),
    }));
    await send(rules.mandatory, (rows) => ({
      kind: 'mandatory',
      rows: rows.map(({ row, file, line }) => ({ row, file, line })),
    }));
    if (isCurrent()) thread.postMessage({ kind: 'end' });
  }

  private sampleOf(principal: Principal, decision: Decision, posture: Posture, requestId: string | undefined): Sample {
    const { fabric, commands, id } = this.policy.snapshot;
    const { facts, grants, reasons } = decision;
    return {
      snapshot: id,
      requestId,
      principal: principal.name,
      names: principal.names,
      tenant: principal.tenant,
      command: refOfFacts(facts, commands),
      grants: grants.slice(0, GRANTS_MAX).map(({ resource, allowed, rule }) => ({
        resource,
        owner: fabric.ownerOf(resource),
        allowed,
        source: rule?.source,
      })),
      facts: {
        level: posture.lockdown.effective,
        underLockdown: posture.underLockdown,
        taint: facts.activeTaint,
        profile: posture.profile,
        reach: facts.reach,
        conditions: facts.conditions,
      },
      deniedBy: reasons.find(({ step }) => step === 'mandatory')?.source,
    };
  }
}

/** Rows that are looked at on the broker's own thread: a few microseconds each. */
const NEAR_ROWS_MAX = 300;

function isSmall({ rules }: LoadedPolicy): boolean {
  return rules.grants.length + rules.links.length + rules.mandatory.length <= NEAR_ROWS_MAX;
}

function startThread(): ReferenceThread {
  // Beside this file, with the ending that this file has.
  const name = import.meta.url.endsWith('.ts') ? './crosscheck-worker.ts' : './crosscheck-worker.js';
  return new Worker(new URL(name, import.meta.url), { stderr: false, stdout: false, env: {} });
}
