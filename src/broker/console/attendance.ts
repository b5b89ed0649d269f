import type { ConsoleEndReason, ConsoleSessionView } from '../console-api.ts';
import type { Recording } from '../recording/index.ts';
import type { Party } from './requests.ts';
import { isSamePerson } from './rules.ts';
import { type Seat, Seats } from './seats.ts';
import type { SessionSettings } from './session-settings.ts';

/** Whoever has not read for so long is away. */
const AWAY_MS = 3000;

/** What attendance does to a session. */
export interface Attended {
  readonly isEnding: boolean;
  end(why: ConsoleEndReason): void;
  /** Those at the session hear that something has changed. */
  tell(): void;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** It was paused, or goes on. */
  paused(isPaused: boolean): void;
}

/**
 * Who is at a session: whoever opened it has some time to come back when his connection is lost, and where somebody else
 * has to look on, the session stands still without him.
 */
export class Attendance {
  readonly seats = new Seats();
  readonly #settings: SessionSettings;
  readonly #recording: Pick<Recording, 'marker'>;
  readonly #session: Attended;
  #paused = false;
  #unwatchedMs: number;
  #detachedMs: number | undefined;
  #orders: Promise<unknown> = Promise.resolve();

  constructor(settings: SessionSettings, recording: Pick<Recording, 'marker'>, session: Attended) {
    this.#settings = settings;
    this.#recording = recording;
    this.#session = session;
    this.#unwatchedMs = settings.openedAtMs;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Is there somebody who was never told how it ended? */
  get isUntold(): boolean {
    const now = this.#settings.nowMs();
    return this.seats.all.some((seat) => !seat.told && !seat.left && !isAway(seat, now));
  }

  get state(): ConsoleSessionView['state'] {
    if (this.#paused) return 'paused';
    return this.#detachedMs === undefined ? 'running' : 'detached';
  }

  /** Somebody looks on. @returns undefined where there is no room */
  watch(party: Party): Seat | undefined {
    const seat = this.seats.take(party, false, this.#settings.nowMs());
    if (seat === undefined) return undefined;
    const { name } = party.principal;
    this.#mark(`${name} watches`);
    this.#settings.note('watched', name);
    this.lookAtWatchers();
    this.#session.tell();
    return seat;
  }

  /** The connection of a seat is gone. */
  leave(seat: Seat): void {
    seat.left = true;
    if (!seat.owner) this.gone(seat);
    else this.#lookAtOwner();
    this.#session.tell();
  }

  /** Whoever asks with his seat is there. */
  seen(seat: Seat): void {
    seat.lastSeenMs = this.#settings.nowMs();
    seat.left = false;
    if (!seat.owner || this.#detachedMs === undefined || this.#session.isEnding) return;
    this.#detachedMs = undefined;
    this.#settings.note('resumed');
    this.#mark('the connection was taken up again');
    this.#session.tell();
  }

  /** A watcher is at the session no more. */
  gone(seat: Seat): void {
    this.seats.remove(seat);
    const { name } = seat.party.principal;
    if (!this.#session.isEnding) {
      this.#mark(`${name} watches no more`);
      this.#settings.note('unwatched', name);
    }
    this.lookAtWatchers();
    this.#session.tell();
  }

  /** Time goes by. */
  tick(): void {
    const now = this.#settings.nowMs();
    for (const seat of this.seats.watchers) if (isAway(seat, now)) this.gone(seat);
    this.lookAtWatchers();
    this.#lookAtOwner();
  }

  lookAtWatchers(): void {
    if (this.#settings.watcher === 'none' || this.#session.isEnding) return;
    const { principal } = this.#settings.opener;
    const now = this.#settings.nowMs();
    if (this.seats.watchers.some(({ party }) => !isSamePerson(party.principal, principal))) {
      if (this.#paused) this.#goOn();
    } else if (!this.#paused) this.#pause(now);
    else if (now - this.#unwatchedMs > this.#settings.watcherMs) this.#session.end('no-watcher');
  }

  #lookAtOwner(): void {
    const seat = this.seats.owner;
    if (seat === undefined || this.#session.isEnding) return;
    const now = this.#settings.nowMs();
    if (!seat.left && !isAway(seat, now)) return;
    if (this.#detachedMs === undefined) {
      this.#detachedMs = now;
      this.#settings.note('detached');
      this.#mark('the connection was lost');
      this.#session.tell();
    } else if (now - this.#detachedMs > this.#settings.resumeMs) this.#session.end('not-resumed');
  }

  #pause(now: number): void {
    this.#paused = true;
    this.#unwatchedMs = now;
    this.#mark('paused: nobody looks on who has to');
    this.#settings.note('paused');
    this.#order(() => this.#session.freeze());
    this.#session.paused(true);
  }

  #goOn(): void {
    this.#paused = false;
    this.#mark('goes on');
    this.#settings.note('continued');
    this.#order(() => this.#session.thaw());
    this.#session.paused(false);
  }

  /** One after the other: a stop must not overtake the go-on before it. */
  #order(what: () => Promise<void>): void {
    this.#orders = this.#orders.then(what).catch(() => this.#session.end('failed'));
  }

  #mark(text: string): void {
    this.#recording.marker(text, this.#settings.nowMs());
  }
}

function isAway(seat: Seat, now: number): boolean {
  return seat.reading === 0 && now - seat.lastSeenMs > AWAY_MS;
}
