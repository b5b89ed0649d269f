import type { Logger } from 'pino';
import type { BrokerConfig } from './config/index.ts';
import { Crosscheck } from './crosscheck.ts';
import type { Journal } from './journal/index.ts';
import type { BrokerMetrics } from './metrics.ts';
import type { LoadedPolicy, PolicyHolder } from './policy-holder.ts';
import { PolicyWatch } from './policy-watch.ts';

/** Mean time between two decisions that are taken to the reference. */
const CROSSCHECK_INTERVAL_MS = 2000;

export interface GuardedPolicy {
  readonly config: BrokerConfig;
  readonly policy: PolicyHolder;
  readonly journal: Journal;
  readonly metrics: BrokerMetrics;
  readonly log: Logger;
  readonly crosscheckIntervalMs?: number;
}

/** Starts the reference beside the engine, where the configuration wants it: a difference is an alarm. */
export function startCrosscheck(first: LoadedPolicy, guarded: GuardedPolicy): Crosscheck | undefined {
  const { config, policy, journal, metrics, log } = guarded;
  if (config.crosscheck === 'off') return undefined;
  const crosscheck = new Crosscheck(first, {
    intervalMs: guarded.crosscheckIntervalMs ?? CROSSCHECK_INTERVAL_MS,
    onCompared: () => metrics.crosschecked.inc(),
    onDifferences: (differences) => {
      metrics.crosscheckDifferences.inc();
      log.error({ differences }, 'ALARM: the policy engine and its reference do not agree');
      const [difference] = differences;
      journal
        .append(
          'policy',
          {
            by: 'crosscheck',
            change: 'crosscheck-differs',
            snapshot: difference?.snapshot ?? policy.current.id,
            reason: 'the policy engine and its unindexed reference do not agree on a decision',
            details: { differences: JSON.parse(JSON.stringify(differences)) },
          },
          { durable: true },
        )
        .catch((error: unknown) => log.error({ err: error }, 'the difference could not be recorded'));
    },
    onFailure: (error) =>
      log.error({ err: error }, 'the policy reference does not run: decisions are not cross-checked'),
  });
  policy.onChange = (loaded) => crosscheck.use(loaded);
  return crosscheck;
}

/** What is to be done about changed files, once the broker can do it. */
export interface WatchedPolicy {
  begin(policy: PolicyHolder, reload: () => Promise<readonly string[]>): void;
  stop(): Promise<void>;
}

/**
 * Loads the policy again when its files change, where the configuration wants it. To be called before the first load, so
 * that no change falls between the two.
 */
export async function watchPolicy(config: BrokerConfig, log: Logger): Promise<WatchedPolicy | undefined> {
  if (config.policyReload === 'manual') return undefined;
  const { promise: begun, resolve } = Promise.withResolvers<(() => Promise<readonly string[]>) | undefined>();
  let holder: PolicyHolder | undefined;
  const options = {
    inForce: () => `${holder?.current.id} ${holder?.shadow?.id}`,
    // The content is new each time, so each refusal is told once.
    onChange: async () => {
      const problems = await (await begun)?.();
      if (problems === undefined) return;
      if (problems.length === 0) log.info('the policy files have changed: what they say is in force');
      else log.error({ problems }, 'the policy files have changed and were refused: the old policy stays in force');
    },
    onError: (error: unknown) => log.error({ err: error }, 'the policy files could not be looked at'),
  };
  const watches = [await PolicyWatch.start({ ...options, directory: config.policyDirectory, files: [config.fabric] })];
  if (config.shadow !== undefined) {
    watches.push(await PolicyWatch.start({ ...options, directory: config.shadow.directory, files: [] }));
  }
  return {
    begin(policy, reload) {
      holder = policy;
      resolve(reload);
    },
    async stop() {
      resolve(undefined);
      await Promise.all(watches.map((watch) => watch.stop()));
    },
  };
}
