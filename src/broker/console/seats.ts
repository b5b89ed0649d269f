import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Party } from './requests.ts';

/** Somebody at a session: who opened it, or who looks on. */
export interface Seat {
  readonly word: string;
  readonly owner: boolean;
  /** With the token that he showed last. */
  party: Party;
  /** Reads under way. */
  reading: number;
  lastSeenMs: number;
  /** He said that his connection is gone. */
  left: boolean;
  /** He has read how it ended. */
  told: boolean;
}

/** Those who may look on at once. */
const WATCHERS_MAX = 16;

/** Who is at a session. A seat's word is 256 bits that nobody can guess. */
export class Seats {
  readonly #seats: Seat[] = [];

  /** @returns undefined where there is no room */
  take(party: Party, owner: boolean, nowMs: number): Seat | undefined {
    if (!owner && this.#seats.length > WATCHERS_MAX) return undefined;
    const word = randomBytes(32).toString('base64url');
    const seat: Seat = { word, owner, party, reading: 0, lastSeenMs: nowMs, left: false, told: false };
    this.#seats.push(seat);
    return seat;
  }

  /** The seat of that word, if it is this person's. */
  find(word: string, name: string): Seat | undefined {
    return this.#seats.find((seat) => isSame(seat.word, word) && seat.party.principal.name === name);
  }

  get all(): readonly Seat[] {
    return this.#seats;
  }

  get owner(): Seat | undefined {
    return this.#seats.find(({ owner }) => owner);
  }

  get watchers(): readonly Seat[] {
    return this.#seats.filter(({ owner }) => !owner);
  }

  remove(seat: Seat): void {
    const at = this.#seats.indexOf(seat);
    if (at >= 0) this.#seats.splice(at, 1);
  }
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
