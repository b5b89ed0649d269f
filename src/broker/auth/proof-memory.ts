import { hash } from 'node:crypto';

export interface ProofMemoryOptions {
  /** How long a proof can be shown after its `iat`: the accepted age and the clock tolerance together. */
  readonly windowMs: number;
  /** Proofs that are remembered at most; of one tenant as many as there is room left for others. */
  readonly capacity: number;
}

/** A proof that was shown, as it is remembered. */
export interface ShownProof {
  /** 16 bytes of SHA-256 over key and `jti`, base64url. */
  readonly name: string;
  /** Whose room it takes: SHA-256 over the tenant, base64url. A tenant has as many keys as he likes. */
  readonly holder: string;
  readonly issuedAtMs: number;
}

export type Remembered = 'new' | 'replayed' | 'too-old' | 'full';

/** Proofs that end within the same few seconds are forgotten together. */
const BUCKET_MS = 5000;

interface Bucket {
  readonly names: Set<string>;
  readonly ofHolders: Map<string, number>;
}

/**
 * The proofs that could still be shown again. Bounded: a tenant may take as much room as he leaves. One who fills it by himself
 * gets half, of two each gets a third, and so on: those who come later always find some. Where there is none, nothing is
 * accepted.
 *
 * INVARIANT: what was forgotten is too old for good. A clock that goes back brings no proof back.
 */
export class ProofMemory {
  readonly #options: ProofMemoryOptions;
  readonly #buckets = new Map<number, Bucket>();
  readonly #ofHolders = new Map<string, number>();
  #size = 0;
  /** Proofs made until then are not accepted: they may have been forgotten. */
  #forgottenMs = Number.NEGATIVE_INFINITY;

  constructor(options: ProofMemoryOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  /** Nothing that was made until then is accepted. */
  distrustUntil(ms: number): void {
    this.#forgottenMs = Math.max(this.#forgottenMs, ms);
  }

  /** Remembers a proof, unless it was there. Asked last: only whoever may use a token can fill the memory. */
  remember(proof: ShownProof, nowMs: number): Remembered {
    this.#forget(nowMs);
    const { name, holder, issuedAtMs } = proof;
    if (!(issuedAtMs > this.#forgottenMs)) return 'too-old';
    const at = Math.floor(issuedAtMs / BUCKET_MS);
    const bucket: Bucket = this.#buckets.get(at) ?? { names: new Set(), ofHolders: new Map() };
    if (bucket.names.has(name)) return 'replayed';
    const own = this.#ofHolders.get(holder) ?? 0;
    if (own >= this.#options.capacity - this.#size) return 'full';
    this.#buckets.set(at, bucket);
    bucket.names.add(name);
    bucket.ofHolders.set(holder, (bucket.ofHolders.get(holder) ?? 0) + 1);
    this.#ofHolders.set(holder, own + 1);
    this.#size++;
    return 'new';
  }

  #forget(nowMs: number): void {
    const endMs = nowMs - this.#options.windowMs;
    // As many buckets as the window has, whatever the number of proofs.
    for (const [at, bucket] of this.#buckets) {
      const lastMs = (at + 1) * BUCKET_MS - 1;
      if (!(lastMs < endMs)) continue;
      this.#buckets.delete(at);
      this.#size -= bucket.names.size;
      this.distrustUntil(lastMs);
      for (const [holder, count] of bucket.ofHolders) {
        const left = (this.#ofHolders.get(holder) ?? 0) - count;
        if (left > 0) this.#ofHolders.set(holder, left);
        else this.#ofHolders.delete(holder);
      }
    }
  }
}

/** A proof's name in the memory: ids of two keys never meet. */
export function proofName(thumbprint: string, id: string): string {
  return hash('sha256', `${thumbprint}.${id}`, 'buffer').subarray(0, 16).toString('base64url');
}
