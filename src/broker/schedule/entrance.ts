import type { Lane } from './flow.ts';
import { Scheduler } from './scheduler.ts';

/** Requests that are being worked on between two looks at the clock. */
const AT_ONCE = 2;
/** Requests that may wait to be looked at: many times what a listener has connections for. */
const WAITING_MAX = 16_384;
const WAITING_PER_TENANT = 4096;

/**
 * Where requests get this process's time, from when their caller is known until they wait for a device: by tenant, in the
 * same shares as the device itself. Without it, a hundred connections with a request each would all be served before the
 * next one is even read.
 */
export function createEntrance(weightOf: (tenant: string) => number): Scheduler {
  return new Scheduler({
    of: 'time',
    slots: () => AT_ONCE,
    queueMax: WAITING_MAX,
    queuePerTenant: WAITING_PER_TENANT,
    weightOf,
  });
}

export function laneOf(isOperator: boolean): Lane {
  return isOperator ? 'operators' : 'tenants';
}
