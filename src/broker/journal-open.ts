import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { BrokerConfig } from './config/index.ts';
import {
  type CheckpointSigner,
  type Journal,
  type JournalError,
  openJournal,
  openSigningKey,
  systemJournalClock,
} from './journal/index.ts';
import { SinkJournal } from './journal/sinks/index.ts';
import { openSinks } from './journal-sinks.ts';
import type { BrokerMetrics } from './metrics.ts';

/** Where `cci audit` finds the journal of a configuration. */
export function journalDirectory(config: Pick<BrokerConfig, 'stateDirectory'>): string {
  return join(config.stateDirectory, 'journal');
}

/** Where the private key is that signs checkpoints. */
export function signingKeyPath(config: Pick<BrokerConfig, 'stateDirectory' | 'journal'>): string {
  return config.journal.signingKey ?? join(config.stateDirectory, 'journal-signing-key.pem');
}

/** The public half, beside the journal: for who looks at it here. One who verifies a copy has it from elsewhere. */
export function publishedKeyPath(directory: string): string {
  return join(directory, 'journal-key.pem');
}

export interface JournalEvents {
  readonly onError: (error: JournalError) => void;
  readonly onRecovered: () => void;
}

/** Opens the journal as it is configured. A key that was configured must be there, another one is made. @throws JournalError */
export async function openConfiguredJournal(
  config: BrokerConfig,
  log: Logger,
  metrics: BrokerMetrics,
  events: JournalEvents,
): Promise<Journal> {
  const { journal: settings } = config;
  const directory = journalDirectory(config);
  const path = signingKeyPath(config);
  const { signer, made } = await openSigningKey(path, { make: settings.signingKey === undefined });
  if (made) log.info({ path, keyId: signer.keyId }, 'a key was made that signs the journal; `cci audit key` shows it');
  metrics.journalAhead.set(1);
  let open: Journal | undefined;
  const sinks = await openSinks(settings.sinks, log, metrics, (sink, loss) => {
    log.warn({ sink, ...loss }, 'a sink takes the records of the journal again, and has lost some');
    const { count: lost, first, last } = loss;
    // When the journal is closing or cannot be written, the log has it and the metrics have the count.
    open?.append('sink', { sink, lost, first, last }, { durable: false }).catch(() => undefined);
  });
  metrics.sinks = sinks;
  open = await openJournal({
    directory,
    clock: systemJournalClock,
    signer,
    segmentBytes: settings.segmentBytes,
    segmentAgeMs: settings.segmentAgeMs,
    durability: settings.durability,
    witnesses: settings.witnesses,
    listeners: sinks,
    onWitnessError: (witness, error) => {
      metrics.witnessErrors.inc();
      log.error({ witness, err: error }, 'a witness of the journal could not be written');
    },
    onAheadFailed(error) {
      metrics.journalAhead.set(0);
      log.warn({ err: error }, 'the journal goes on without `ahead.journal` for a while: durable writes take longer');
    },
    onAheadRecovered() {
      metrics.journalAhead.set(1);
      log.info('the journal uses `ahead.journal` again');
    },
    ...events,
  });
  const journal = sinks.length === 0 ? open : new SinkJournal(open, sinks);
  const { formerKey } = journal.report;
  if (formerKey !== undefined)
    log.warn({ formerKey, keyId: signer.keyId }, 'the journal is signed with another key now');
  await publish(directory, signer).catch((error: unknown) =>
    log.warn({ err: error }, 'the public key of the journal could not be written beside it'),
  );
  return journal;
}

async function publish(directory: string, { publicKey }: CheckpointSigner): Promise<void> {
  const path = publishedKeyPath(directory);
  await writeFile(path, publicKey, { mode: 0o644 });
  await chmod(path, 0o644);
}
