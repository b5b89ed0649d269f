import { err, ok, type Result } from '../../cci/index.ts';
import type { Algorithm } from './algorithms.ts';
import type { KeyOrigin } from './issuer-config.ts';
import { KeySet, readKeySet, type SelectedKey } from './key-set.ts';
import { type Clock, errorCode, type KeyLookup, type KeySource, MAX_JWKS_BYTES } from './key-source.ts';

/** As much of `fetch` as is used here. */
export type Fetch = (
  url: string,
  init: {
    readonly signal: AbortSignal;
    readonly redirect: 'error';
    readonly headers: { readonly [name: string]: string };
  },
) => Promise<Response>;

export interface RemoteKeysOptions {
  readonly origin: Extract<KeyOrigin, { kind: 'url' }>;
  readonly accepted: readonly Algorithm[];
  readonly clock: Clock;
  readonly fetch: Fetch;
  /** Told about failed fetches and keys that were left out. */
  readonly report: (text: string) => void;
}

/**
 * Keys behind a URL. They are fetched again when they get old (behind the caller's back) and when a token names a key
 * that is not among them (the caller waits), never more often than the cooldown and one at a time. While the issuer
 * can not be reached the known keys go on working until the outage limit; then nothing is trusted.
 */
export class RemoteKeys implements KeySource {
  readonly #options: RemoteKeysOptions;
  #keys = new KeySet([]);
  #epoch = 0;
  #fetchedAtMs: number | undefined;
  #attemptedAtMs: number | undefined;
  #running: Promise<Result<void, string>> | undefined;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  get epoch(): number {
    return this.#epoch;
  }

  trusted(nowMs: number): boolean {
    const { refreshMs, outageMs } = this.#options.origin;
    const ageMs = this.#ageMs(nowMs);
    if (!(ageMs < refreshMs) && this.#mayFetch(nowMs)) void this.#refresh();
    return ageMs < outageMs;
  }

  async find(kid: string | undefined, algorithm: Algorithm, nowMs: number): Promise<KeyLookup> {
    const first = this.#look(kid, algorithm, nowMs);
    if (first.kind === 'found') return first;
    // Whoever needs an answer waits for the fetch that is under way, but only one in a cooldown is started.
    if (this.#running === undefined && !this.#mayFetch(nowMs)) return first;
    await this.#refresh();
    return this.#look(kid, algorithm, this.#options.clock.now());
  }

  any(algorithm: Algorithm): SelectedKey | undefined {
    return this.#keys.any(algorithm);
  }

  reload(): Promise<Result<void, string>> {
    return this.#refresh();
  }

  #look(kid: string | undefined, algorithm: Algorithm, nowMs: number): KeyLookup {
    if (!this.trusted(nowMs)) return { kind: 'unavailable' };
    const selected = this.#keys.select(kid, algorithm);
    return selected === undefined ? { kind: 'unknown' } : { kind: 'found', selected, epoch: this.#epoch };
  }

  /** A clock that went back makes the keys as old as can be, so that they are fetched rather than believed for longer. */
  #ageMs(nowMs: number): number {
    if (this.#fetchedAtMs === undefined || !(nowMs >= this.#fetchedAtMs)) return Number.POSITIVE_INFINITY;
    return nowMs - this.#fetchedAtMs;
  }

  #mayFetch(nowMs: number): boolean {
    if (this.#running !== undefined) return false;
    const { cooldownMs } = this.#options.origin;
    return this.#attemptedAtMs === undefined || !(Math.abs(nowMs - this.#attemptedAtMs) < cooldownMs);
  }

  #refresh(): Promise<Result<void, string>> {
    this.#running ??= this.#fetchKeys()
      .catch((error: unknown) => err(`cannot be read: ${errorCode(error)}`))
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #fetchKeys(): Promise<Result<void, string>> {
    const { origin, accepted, clock, report } = this.#options;
    const startedAtMs = clock.now();
    this.#attemptedAtMs = startedAtMs;
    const bytes = await this.#download();
    const read = bytes.ok ? await readKeySet(bytes.value, accepted) : bytes;
    if (!read.ok) {
      report(`keys of ${origin.url}: ${read.error}`);
      return err(read.error);
    }
    for (const problem of read.value.problems) report(`keys of ${origin.url}: ${problem}`);
    if (!read.value.keys.keepsAllOf(this.#keys)) this.#epoch++;
    this.#keys = read.value.keys;
    this.#fetchedAtMs = startedAtMs;
    return ok(undefined);
  }

  async #download(): Promise<Result<Uint8Array, string>> {
    const { origin, fetch } = this.#options;
    const signal = AbortSignal.timeout(origin.timeoutMs);
    try {
      // A redirect would let the issuer's front end name another source of keys than the operator did.
      const work = fetch(origin.url, { signal, redirect: 'error', headers: { accept: 'application/json' } }).then(
        readBody,
      );
      return await Promise.race([work, aborted(signal)]);
    } catch (error) {
      return err(`cannot be fetched: ${errorCode(error)}`);
    }
  }
}

/** Rejects when the signal fires, for a `fetch` that does not heed it. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function readBody(response: Response): Promise<Result<Uint8Array, string>> {
  if (response.status !== 200) {
    await response.body?.cancel();
    return err(`answered with status ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_JWKS_BYTES) return err(`larger than ${MAX_JWKS_BYTES} bytes`);
    chunks.push(chunk);
  }
  return ok(Buffer.concat(chunks));
}
