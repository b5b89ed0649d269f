import { hash, randomBytes } from 'node:crypto';

export interface ProofSessionOptions {
  /** Sessions at one time; of one token a sixteenth of it. */
  readonly capacity: number;
}

interface OpenSession {
  readonly tokenDigest: string;
  readonly thumbprint: string;
  readonly expiresAtMs: number;
  usedAtMs: number;
}

/** A session that nobody used for that long is forgotten when room is wanted. */
const IDLE_MS = 15 * 60_000;

/**
 * Streams that began with a proof. A handle stands for the proof in whatever follows on the stream, together with the very
 * token that it was begun with; it is 32 random bytes, and kept as a digest.
 */
export class ProofSessions {
  readonly #capacity: number;
  readonly #perToken: number;
  readonly #sessions = new Map<string, OpenSession>();
  readonly #ofTokens = new Map<string, number>();

  constructor({ capacity }: ProofSessionOptions) {
    this.#capacity = capacity;
    this.#perToken = Math.max(1, Math.floor(capacity / 16));
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The handle; undefined where there is no room. */
  begin(tokenDigest: string, thumbprint: string, expiresAtMs: number, nowMs: number): string | undefined {
    if (this.#sessions.size >= this.#capacity || this.#count(tokenDigest) >= this.#perToken) this.#sweep(nowMs);
    if (this.#sessions.size >= this.#capacity || this.#count(tokenDigest) >= this.#perToken) return undefined;
    const handle = randomBytes(32).toString('base64url');
    this.#sessions.set(nameOf(handle), { tokenDigest, thumbprint, expiresAtMs, usedAtMs: nowMs });
    this.#ofTokens.set(tokenDigest, this.#count(tokenDigest) + 1);
    return handle;
  }

  /** Is this a session of that token, bound to that key? */
  isOf(handle: string, tokenDigest: string, thumbprint: string, nowMs: number): boolean {
    const name = nameOf(handle);
    const session = this.#sessions.get(name);
    if (session === undefined) return false;
    if (!(nowMs < session.expiresAtMs)) {
      this.#drop(name, session);
      return false;
    }
    if (session.tokenDigest !== tokenDigest || session.thumbprint !== thumbprint) return false;
    session.usedAtMs = nowMs;
    return true;
  }

  end(handle: string): void {
    const name = nameOf(handle);
    const session = this.#sessions.get(name);
    if (session !== undefined) this.#drop(name, session);
  }

  #count(tokenDigest: string): number {
    return this.#ofTokens.get(tokenDigest) ?? 0;
  }

  #sweep(nowMs: number): void {
    for (const [name, session] of this.#sessions) {
      if (!(nowMs < session.expiresAtMs) || nowMs - session.usedAtMs > IDLE_MS) this.#drop(name, session);
    }
  }

  #drop(name: string, { tokenDigest }: OpenSession): void {
    this.#sessions.delete(name);
    const left = this.#count(tokenDigest) - 1;
    if (left > 0) this.#ofTokens.set(tokenDigest, left);
    else this.#ofTokens.delete(tokenDigest);
  }
}

function nameOf(handle: string): string {
  return hash('sha256', handle, 'base64url');
}
