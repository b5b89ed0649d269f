import { BrokerError } from './errors.ts';
import { networkOf } from './network.ts';
import type { TransportOptions } from './transport.ts';

/** The request that headers are made for. */
export interface RequestTarget {
  readonly method: string;
  /** Where it goes, `http:` or `https:` also for a WebSocket. */
  readonly url: URL;
  /** What is asked for, where something is changed: path without the slash in front, and body. */
  readonly wish?: { readonly path: string; readonly body?: unknown };
  /** A WebSocket: its answer cannot be read, so what the broker wants in a proof has to be known before. */
  readonly isUpgrade?: true;
}

/**
 * The headers that say who is asking: the one place where they are made, for requests, streams and events alike.
 *
 * @param token empty where there is none
 */
export async function identityHeaders(
  options: TransportOptions,
  token: string,
  target: RequestTarget,
): Promise<{ readonly [name: string]: string }> {
  if (token === '') return {};
  if (options.dpop === undefined) return { authorization: `Bearer ${token}` };
  const { commandDigest, proverOf } = await import('./dpop.ts');
  const prover = proverOf(options.dpop);
  const { method, url, wish } = target;
  if (target.isUpgrade) await askForNonce(options, token, url);
  const command = wish === undefined ? undefined : commandDigest(method, wish.path, wish.body);
  return { authorization: `DPoP ${token}`, dpop: prover.prove(token, { method, url, command }) };
}

/** Keeps the nonce of a refusal. True where the request should be made again with it. */
export async function tookNonce(options: TransportOptions, error: unknown): Promise<boolean> {
  if (options.dpop === undefined || !(error instanceof BrokerError)) return false;
  const { dpop } = error.problem;
  if (dpop?.nonce === undefined) return false;
  const { proverOf } = await import('./dpop.ts');
  proverOf(options.dpop).takeNonce(new URL(options.url).origin, dpop.nonce);
  return dpop.error === 'use_dpop_nonce';
}

/**
 * A small request, for the nonce that comes with its refusal: the one at hand may be old, or of before a restart. Whatever
 * else is wrong shows on the stream.
 */
async function askForNonce(options: TransportOptions, token: string, { origin }: URL): Promise<void> {
  const url = new URL('v1/whoami', options.url.endsWith('/') ? options.url : `${options.url}/`);
  try {
    const network = await networkOf(options);
    const headers = await identityHeaders(options, token, { method: 'GET', url });
    const response = await network.fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(NONCE_MS) });
    const nonce = response.headers.get('dpop-nonce');
    await response.body?.cancel();
    if (nonce === null || options.dpop === undefined) return;
    const { proverOf } = await import('./dpop.ts');
    proverOf(options.dpop).takeNonce(origin, nonce);
  } catch {
    return;
  }
}

const NONCE_MS = 10_000;
