import { randomUUID } from 'node:crypto';
import type { BrokerConfig } from './config/index.ts';
import type { DeviceOptions } from './device.ts';
import type { Journal } from './journal/index.ts';
import type { BrokerMetrics } from './metrics.ts';
import type { Services, SwitchRuntime } from './pipeline/index.ts';
import { Quotas, RefusalTally, type Tally } from './quota/index.ts';
import { BusyPoll, createEntrance } from './schedule/index.ts';

/** Quotas, weights and the count of refusals, as the configuration has them. */
export function openLimits(
  config: BrokerConfig,
  journal: Journal,
  switches: ReadonlyMap<string, SwitchRuntime>,
): Pick<Services, 'quotas' | 'refusals' | 'weightOf' | 'entrance' | 'busyPoll'> {
  const runningOf = (tenant: string) =>
    [...switches.values()].reduce((sum, { operations }) => sum + operations.runningOf(tenant), 0);
  return {
    quotas: new Quotas(config.quotas, runningOf),
    refusals: new RefusalTally({ nowMs: Date.now, write: (tally) => recordTally(journal, tally) }),
    weightOf: weights(config),
    entrance: createEntrance(weights(config)),
    busyPoll: new BusyPoll(config.limits.busyPollUs),
  };
}

/** How commands wait for one switch. */
export function turnOptions(
  config: BrokerConfig,
  metrics: BrokerMetrics,
): Pick<DeviceOptions, 'queueMax' | 'queuePerTenant' | 'waitMs' | 'weightOf' | 'onWaited'> {
  return {
    queueMax: config.limits.queue,
    queuePerTenant: config.limits.queuePerTenant,
    waitMs: config.limits.waitMs,
    weightOf: weights(config),
    onWaited: (lane, waitedMs) => metrics.queueWait.observe({ lane }, waitedMs / 1000),
  };
}

function weights({ weights: named }: BrokerConfig): (tenant: string) => number {
  return (tenant) => named.get(tenant) ?? 1;
}

/** One record for the refusals of a tenant that were counted. */
async function recordTally(journal: Journal, tally: Tally): Promise<void> {
  const { tenant, fromMs, toMs, count, limits, principals } = tally;
  const details = {
    refused: count,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    limits,
    principals,
  };
  const body = { requestId: randomUUID(), tenant, verdict: 'deny' as const, outward: 'EAGAIN', details };
  await journal.append('decision', { ...body, flags: ['denied'] }, { durable: false });
}
