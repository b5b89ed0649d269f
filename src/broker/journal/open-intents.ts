import type { JournalRecord, RecordBodies, RecordKind } from './records.ts';

/** An intent whose outcome is not recorded yet. */
export interface OpenIntent {
  readonly sequence: number;
  readonly requestId: string;
  readonly switch?: string;
  readonly principal?: string;
  readonly tenant?: string;
}

/** The part of a record that tells whether it opens or closes an intent. */
export type IntentNote =
  | { readonly kind: 'intent'; readonly intent: OpenIntent }
  | { readonly kind: 'outcome'; readonly requestId: string; readonly sequence: number | undefined };

/** What a record says about intents; undefined for all other kinds. */
export function intentNote(kind: RecordKind, sequence: number, body: RecordBodies[RecordKind]): IntentNote | undefined {
  if ((kind !== 'intent' && kind !== 'outcome') || !('requestId' in body) || body.requestId === undefined) {
    return undefined;
  }
  const { requestId } = body;
  if (kind === 'outcome') {
    return { kind, requestId, sequence: 'intent' in body && typeof body.intent === 'number' ? body.intent : undefined };
  }
  const intent: OpenIntent = {
    sequence,
    requestId,
    ...('switch' in body && body.switch !== undefined ? { switch: body.switch } : {}),
    ...('principal' in body && body.principal !== undefined ? { principal: body.principal } : {}),
    ...('tenant' in body && body.tenant !== undefined ? { tenant: body.tenant } : {}),
  };
  return { kind, intent };
}

/** Intents of a journal that have no outcome. As many as commands are in flight, so small. */
export class OpenIntents {
  readonly #byRequest = new Map<string, OpenIntent[]>();

  /** Takes a record into account, in the order of the journal. */
  note(record: JournalRecord): void {
    const note = intentNote(record.kind, record.seq, record);
    if (note !== undefined) this.apply(note);
  }

  apply(note: IntentNote): void {
    if (note.kind === 'intent') {
      const { intent } = note;
      this.#byRequest.set(intent.requestId, [...(this.#byRequest.get(intent.requestId) ?? []), intent]);
      return;
    }
    // Without a sequence, the outcome speaks for every intent of its request.
    const rest = (this.#byRequest.get(note.requestId) ?? []).filter(
      (intent) => note.sequence !== undefined && intent.sequence !== note.sequence,
    );
    if (rest.length === 0) this.#byRequest.delete(note.requestId);
    else this.#byRequest.set(note.requestId, rest);
  }

  /** Takes intents over that a checkpoint tells of. */
  static of(open: readonly OpenIntent[]): OpenIntents {
    const intents = new OpenIntents();
    for (const intent of open) intents.apply({ kind: 'intent', intent });
    return intents;
  }

  copy(): OpenIntents {
    return OpenIntents.of(this.list());
  }

  /** In the order of the journal. */
  list(): readonly OpenIntent[] {
    return [...this.#byRequest.values()].flat().sort((left, right) => left.sequence - right.sequence);
  }
}
