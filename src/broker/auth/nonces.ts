import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a nonce is the one given out; it is accepted for as long again. */
const STEP_MS = 150_000;
const STEP_BYTES = 6;
const MAC_BYTES = 16;

/**
 * Nonces of RFC 9449 section 9 that need no memory: a step of time and a MAC over it. The key lives as long as the
 * process, so that no proof made before a restart is accepted after it.
 */
export class Nonces {
  readonly #key = randomBytes(32);

  /** The nonce for proofs that are made now. */
  current(nowMs: number): string {
    return this.#nonce(step(nowMs));
  }

  /** True for a nonce that was given out by this process in the last 150 to 300 s. */
  accepts(nonce: unknown, nowMs: number): boolean {
    if (typeof nonce !== 'string' || nonce.length > 64 || !Number.isFinite(nowMs)) return false;
    const given = Buffer.from(nonce, 'latin1');
    return [0, 1].some((back) => {
      const expected = Buffer.from(this.#nonce(step(nowMs) - back), 'latin1');
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  }

  #nonce(at: number): string {
    const bytes = Buffer.alloc(STEP_BYTES);
    bytes.writeUIntBE(Math.max(0, at), 0, STEP_BYTES);
    const mac = createHmac('sha256', this.#key).update(bytes).digest().subarray(0, MAC_BYTES);
    return Buffer.concat([bytes, mac]).toString('base64url');
  }
}

function step(nowMs: number): number {
  return Number.isFinite(nowMs) ? Math.floor(nowMs / STEP_MS) : 0;
}
