import type { Appended, AppendOptions, Journal, JournalHealth, NoteOptions, OpenReport } from '../contract.ts';
import { JournalError } from '../errors.ts';
import type { OpenIntent } from '../open-intents.ts';
import type { AppendableKind, NotableKind, RecordBodies } from '../records.ts';
import { outcomeOf } from '../recovery.ts';
import type { Sink } from './sink.ts';

/** A journal whose intents are good only when the sinks that are enforced have them as well. */
export class SinkJournal implements Journal {
  readonly report: OpenReport;
  readonly #journal: Journal;
  readonly #enforced: readonly Sink[];

  constructor(journal: Journal, sinks: readonly Sink[]) {
    this.report = journal.report;
    this.#journal = journal;
    this.#enforced = sinks.filter(({ isEnforced }) => isEnforced);
  }

  append<K extends AppendableKind>(kind: K, body: RecordBodies[K], options: AppendOptions): Promise<Appended> {
    if (kind !== 'intent' || this.#enforced.length === 0) return this.#journal.append(kind, body, options);
    return this.#intent(body as RecordBodies['intent'], options);
  }

  async #intent(body: RecordBodies['intent'], options: AppendOptions): Promise<Appended> {
    // Refused before it is written: else a sink that is away would fill the journal with what came to nothing.
    const behind = this.#enforced.find(({ isBehind }) => isBehind);
    if (behind !== undefined) {
      throw new JournalError('undelivered', `sink \`${behind.name}\` has not caught up with what it missed`);
    }
    const appended = await this.#journal.append('intent', body, options);
    const all = await Promise.allSettled(this.#enforced.map((sink) => sink.delivered(appended.sequence)));
    const failed = all.find((one) => one.status === 'rejected');
    if (failed === undefined) return appended;
    const reason = failed.reason instanceof Error ? failed.reason.message : String(failed.reason);
    const { requestId, switch: name, principal, tenant } = body;
    const intent: OpenIntent = {
      sequence: appended.sequence,
      requestId,
      ...(name === undefined ? {} : { switch: name }),
      ...(principal === undefined ? {} : { principal }),
      ...(tenant === undefined ? {} : { tenant }),
    };
    // When this fails too, the next start gives the intent the outcome unknown: nothing worse is written than is known.
    await this.#journal
      .append('outcome', outcomeOf(intent, 'not-sent', `${reason}, so nothing was sent`), { durable: true })
      .catch(() => undefined);
    throw failed.reason;
  }

  note<K extends NotableKind>(kind: K, body: RecordBodies[K], options: NoteOptions): Promise<void> {
    return this.#journal.note(kind, body, options);
  }

  flush(): Promise<void> {
    return this.#journal.flush();
  }

  health(): JournalHealth {
    return this.#journal.health();
  }

  openIntents(): readonly OpenIntent[] {
    return this.#journal.openIntents();
  }

  reopen(): Promise<void> {
    return this.#journal.reopen();
  }

  close(): Promise<void> {
    return this.#journal.close();
  }
}
