import { readFile } from 'node:fs/promises';
import { err, ok, type Result } from '../../cci/index.ts';
import type { Algorithm } from './algorithms.ts';
import { KeySet, type ReadKeySet, readKeySet, type SelectedKey } from './key-set.ts';

/** Milliseconds since 1970, so that tests can own time. */
export interface Clock {
  now(): number;
}

/** What came of asking for a key. */
export type KeyLookup =
  | { readonly kind: 'found'; readonly selected: SelectedKey; readonly epoch: number }
  | { readonly kind: 'unknown' }
  /** The keys are too old to be trusted, or were never read. */
  | { readonly kind: 'unavailable' };

/** Where an issuer's keys come from. */
export interface KeySource {
  /** Changes whenever a key that was trusted may be trusted no longer: what it verified must be verified again. */
  readonly epoch: number;
  /** False when what was verified earlier must not be relied upon now. May start a refresh behind the caller's back. */
  trusted(nowMs: number): boolean;
  find(kid: string | undefined, algorithm: Algorithm, nowMs: number): Promise<KeyLookup>;
  /** Any key for the algorithm. Nothing may be believed for its sake. */
  any(algorithm: Algorithm): SelectedKey | undefined;
  /** Reads the keys again. On failure the old ones stay and the error is a sentence. */
  reload(): Promise<Result<void, string>>;
}

/** Largest JWK set that is read, in bytes. */
export const MAX_JWKS_BYTES = 256 * 1024;

/** Keys that change only on `reload`. */
export class StaticKeys implements KeySource {
  readonly #read: () => Promise<Result<KeySet, string>>;
  #keys = new KeySet([]);
  #epoch = 0;

  constructor(read: () => Promise<Result<KeySet, string>>) {
    this.#read = read;
  }

  get epoch(): number {
    return this.#epoch;
  }

  trusted(): boolean {
    return true;
  }

  async find(kid: string | undefined, algorithm: Algorithm): Promise<KeyLookup> {
    const selected = this.#keys.select(kid, algorithm);
    return selected === undefined ? { kind: 'unknown' } : { kind: 'found', selected, epoch: this.#epoch };
  }

  any(algorithm: Algorithm): SelectedKey | undefined {
    return this.#keys.any(algorithm);
  }

  async reload(): Promise<Result<void, string>> {
    const read = await this.#read();
    if (!read.ok) return read;
    if (!read.value.keepsAllOf(this.#keys)) this.#epoch++;
    this.#keys = read.value;
    return ok(undefined);
  }
}

/**
 * Reads a JWK set out of a file of the operator's. Anything questionable in it is an error: a private or symmetric key
 * there is a mistake that should not wait for its consequences.
 */
export async function readKeyFile(path: string, accepted: readonly Algorithm[]): Promise<Result<KeySet, string>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    return err(`cannot read \`${path}\`: ${errorCode(error)}`);
  }
  if (bytes.length > MAX_JWKS_BYTES) return err(`\`${path}\` is larger than ${MAX_JWKS_BYTES} bytes`);
  const read = await readKeySet(bytes, accepted);
  if (!read.ok) return err(`\`${path}\`: ${read.error}`);
  return usable(read.value, path);
}

function usable({ keys, problems }: ReadKeySet, path: string): Result<KeySet, string> {
  if (problems.length > 0) return err(`\`${path}\`: ${problems.join('; ')}`);
  if (keys.keys.length === 0) return err(`\`${path}\` holds no key for the configured algorithms`);
  if (keys.keys.length > 1 && keys.keys.some(({ kid }) => kid === undefined)) {
    return err(`\`${path}\`: with more than one key, each needs a \`kid\``);
  }
  return ok(keys);
}

/** The `code` of a system error, or its name. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
