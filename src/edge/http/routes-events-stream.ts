import type { CoreApi, Credential, EventPage, FabricEvent, Problem } from '../../broker/core-api.ts';
import { type ProblemDocument, problemDocument, transportProblem } from './problems.ts';

/** Events asked of the core at once: all that ever waits in this process for one slow reader. */
const PAGE = 100;
/** A core that answers at once that there is nothing is not asked again before that. */
const NOTHING_MS = 50;

/** Why a stream of events ended: a refusal of the core, or one of the edge's own. */
export type StreamEnd = ProblemDocument;

/** Where events go: one reader over one connection. */
export interface EventSink {
  /** Where the reader stands before anything came. */
  position(id: string): void;
  event(event: FabricEvent): void;
  /** Says that the connection lives. False where the peer does not. */
  heartbeat(): boolean;
  /** Resolves with true once the reader took what was written, with false where that took longer than `ms`. */
  taken(ms: number): Promise<boolean>;
  /** Last words. Nothing is written after them. */
  end(end: StreamEnd): void;
}

export interface EventStreamSettings {
  readonly credential: Credential;
  readonly switch: string;
  readonly tenant: string;
  /** Pause after which a reader hears that there is nothing. */
  readonly heartbeatMs: number;
  /** How long a reader may take for what was written. */
  readonly stallMs: number;
  readonly onEnd: () => void;
}

/**
 * One reader's events, pulled from the core page by page: a slow reader holds back only himself, and what he misses
 * meanwhile he is told of as a gap. The credential goes with every page.
 */
export class EventStream {
  readonly #core: CoreApi;
  readonly #sink: EventSink;
  readonly #settings: EventStreamSettings;
  #ended = false;

  constructor(core: CoreApi, sink: EventSink, settings: EventStreamSettings) {
    this.#core = core;
    this.#sink = sink;
    this.#settings = settings;
  }

  get tenant(): string {
    return this.#settings.tenant;
  }

  /** Sends a page that was read already, and all that follows. Resolves when the stream has ended; never rejects. */
  async run(first: EventPage): Promise<void> {
    let page = first;
    // Whoever begins at the end and loses his connection before the first event goes on from here.
    if (page.events.length === 0) this.#sink.position(page.next);
    while (!this.#ended) {
      for (const event of page.events) this.#sink.event(event);
      if (!(await this.#sink.taken(this.#settings.stallMs))) return this.end(transportProblem('slowReader'));
      const next = await this.#next(page.next);
      if (this.#ended) return;
      if (!next.ok) return this.end(next.end);
      page = next.page;
      if (page.events.length === 0 && !this.#sink.heartbeat()) return this.end(transportProblem('slowReader'));
    }
  }

  /** The reader went away, or the broker shuts down. */
  end(end: StreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sink.end(end);
    this.#settings.onEnd();
  }

  async #next(
    after: string,
  ): Promise<{ readonly ok: true; readonly page: EventPage } | { readonly ok: false; readonly end: StreamEnd }> {
    const { credential, heartbeatMs } = this.#settings;
    const askedMs = performance.now();
    try {
      const query = { after, limit: PAGE, waitMs: heartbeatMs };
      const answer = await this.#core.events(credential, this.#settings.switch, query);
      if (!answer.ok) return { ok: false, end: endOf(answer.problem) };
      const early = Math.min(NOTHING_MS, heartbeatMs) - (performance.now() - askedMs);
      if (answer.value.events.length === 0 && early > 0) await new Promise((done) => setTimeout(done, early));
      return { ok: true, page: answer.value };
    } catch {
      return { ok: false, end: transportProblem('internal') };
    }
  }
}

/** A refusal of the core as the last words of a stream. */
function endOf(problem: Problem): StreamEnd {
  return problemDocument(problem);
}
