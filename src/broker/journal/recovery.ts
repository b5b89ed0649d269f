import type { Chain } from './chain.ts';
import type { JournalError } from './errors.ts';
import type { OpenIntent } from './open-intents.ts';
import type { PendingLine } from './pending.ts';
import type { RecordBodies } from './records.ts';
import type { Reattached } from './segment.ts';

/** What recovering has done so far, over all its attempts, until a record of it is on disk. */
export class Recovery {
  #cut: Reattached['cut'];
  #rewritten = 0;
  readonly #refused: PendingLine[] = [];

  /** Something was cut off the end of the file. */
  cut(cut: Reattached['cut']): void {
    this.#cut ??= cut;
  }

  /** These were accepted before the failure and are on disk now. */
  rewritten(lines: readonly PendingLine[]): void {
    this.#rewritten += lines.length;
    this.#refused.push(...lines.filter((line) => line.refused));
  }

  /** Records that tell of it, chained after those that still `wait`. */
  tell(failure: JournalError, waiting: readonly PendingLine[], chain: Chain, nowMs: number): PendingLine[] {
    const refused = [...this.#refused, ...waiting.filter((line) => line.refused)];
    const recovery = chain.record(
      'recovery',
      {
        reason: `the journal could not be written: ${failure.message}`,
        ...(this.#cut === undefined ? {} : { tornBytes: this.#cut.bytes, keptAs: this.#cut.keptAs }),
        rewritten: this.#rewritten + waiting.length,
        refused: refused.map((line) => line.sequence),
      },
      nowMs,
    );
    const reason = 'the intent could not be made durable, so nothing was sent';
    const outcomes = refused.flatMap(({ note }) =>
      note?.kind === 'intent' ? [chain.record('outcome', outcomeOf(note.intent, 'not-sent', reason), nowMs)] : [],
    );
    // Signed at once: it may have been a long time.
    const checkpoint = chain.checkpoint(nowMs);
    return [recovery, ...outcomes, ...(checkpoint === undefined ? [] : [checkpoint])];
  }

  /** The records are on disk. */
  told(): void {
    this.#cut = undefined;
    this.#rewritten = 0;
    this.#refused.length = 0;
  }
}

/** The outcome that the journal itself records for an intent. */
export function outcomeOf(
  intent: OpenIntent,
  outcome: 'not-sent' | 'unknown',
  reason: string,
): RecordBodies['outcome'] {
  const { sequence, ...caller } = intent;
  return {
    ...caller,
    intent: sequence,
    outcome,
    reason,
    ...(outcome === 'unknown' ? { flags: ['unknown-outcome'] as const } : {}),
  };
}
