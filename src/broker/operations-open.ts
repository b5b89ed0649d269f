import { join } from 'node:path';
import type { Logger } from 'pino';
import type { BrokerConfig } from './config/index.ts';
import type { Device } from './device.ts';
import type { Journal } from './journal/index.ts';
import { type Operation, Operations } from './operations.ts';
import { StateFile } from './state-file.ts';

/** The operations of one switch, with what is known of those that ran when the broker ended last. */
export async function openOperations(
  name: string,
  config: BrokerConfig,
  { device, journal, log }: { readonly device: Device; readonly journal: Journal; readonly log: Logger },
  onEnd: (operation: Operation) => Promise<void>,
): Promise<Operations> {
  const operations = new Operations(device, onEnd, {
    file: new StateFile(join(config.stateDirectory, `operations-${name}.json`), 'cci operations', 1),
    unbindWaitMs: config.limits.unbindWaitMs,
    onOverdue: (operation) => tellOverdue(operation, name, journal, log),
    onTrouble: (what, error) => log.warn({ switch: name, err: error }, what),
  });
  await operations.recall();
  return operations;
}

/** It waits on, and whoever started it sees that; to end it or to talk to the host's owner is the operators' choice. */
function tellOverdue(operation: Operation, name: string, journal: Journal, log: Logger): void {
  const { id, tenant, principal, command, startedAtMs } = operation;
  const waitedMs = Date.now() - startedAtMs;
  const text = 'an operation waits for its host longer than `limits.unbind_wait_ms`; it was not ended';
  log.warn({ switch: name, operation: id, tenant, command, waitedMs }, text);
  const body = { switch: name, requestId: id, principal, tenant, command, verdict: 'allow' as const };
  journal
    .append('decision', { ...body, details: { overdue: true, waitedMs, said: text } }, { durable: false })
    .catch((error: unknown) => log.error({ err: error }, 'that could not be recorded'));
}
