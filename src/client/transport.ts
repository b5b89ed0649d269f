import type { DpopOptions } from './dpop.ts';
import { BrokerError, CciError, ProtocolError, UnreachableError } from './errors.ts';
import { networkOf, tlsProblem } from './network.ts';
import { identityHeaders, tookNonce } from './request-headers.ts';
import type { Shape } from './shape.ts';
import { problemShape } from './wire.ts';

export interface TransportOptions {
  readonly url: string;
  readonly token?: string;
  /** Asked before each request; wins over `token`. */
  readonly tokenProvider?: () => string | Promise<string>;
  /** How long to wait for one answer, 60 s if not given. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Who signs the broker's certificate (PEM, one or several); those that Node brings along if not given. */
  readonly ca?: string;
  /** Certificate that this client proves to be its own, and what stands behind it (PEM). Needs `key`. */
  readonly certificate?: string;
  /** Private key of `certificate` (PEM, no passphrase). */
  readonly key?: string;
  /** Shows the token as bound to a key, with a proof for each request (RFC 9449). */
  readonly dpop?: DpopOptions;
}

/** Bytes of an answer that are read at most. */
const MAX_ANSWER = 16 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 60_000;

export async function bearer(options: TransportOptions): Promise<string> {
  return (await options.tokenProvider?.()) ?? options.token ?? '';
}

/**
 * One request, one answer.
 * @throws BrokerError for a problem document, UnreachableError without an answer, ProtocolError for any other answer
 */
export async function call<T>(options: TransportOptions, request: Call, shape: Shape<T>): Promise<T> {
  const token = await bearer(options);
  try {
    return await callOnce(options, token, request, shape);
  } catch (error) {
    if (await tookNonce(options, error)) return callOnce(options, token, request, shape);
    // Refused before anything was done; the provider may have the next token by now.
    if (!(error instanceof BrokerError) || error.code !== 'EAUTH' || options.tokenProvider === undefined) throw error;
    const next = await bearer(options);
    if (next === token) throw error;
    return callOnce(options, next, request, shape);
  }
}

/** One request of the HTTP interface. */
export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
  /** Besides the one of the options. */
  readonly signal?: AbortSignal | undefined;
}

async function callOnce<T>(options: TransportOptions, token: string, request: Call, shape: Shape<T>): Promise<T> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  let response: Response;
  let text: string;
  try {
    const url = new URL(request.path, base(options.url));
    const network = await networkOf(options);
    response = await network.fetch(url, {
      method: request.method,
      headers: {
        accept: 'application/json, application/problem+json',
        ...(await identityHeaders(options, token, { method: request.method, url, wish: request })),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      // A redirect would carry the token to whoever it names.
      redirect: 'error',
      signal: AbortSignal.any([timeout, options.signal, request.signal].filter((one) => one !== undefined)),
    });
    text = await boundedText(response);
  } catch (error) {
    if (error instanceof CciError) throw error;
    const isCancelled = options.signal?.aborted === true || request.signal?.aborted === true;
    if (isCancelled) throw new UnreachableError('the request was cancelled', error);
    throw new UnreachableError(
      whyUnreachable(error, options),
      error,
      tlsProblem(error) === undefined ? undefined : 'tls',
    );
  }
  return readAnswer(response, text, shape);
}

function readAnswer<T>(response: Response, text: string, shape: Shape<T>): T {
  const json = parsed(text);
  if (response.ok) {
    const value = shape.read(json);
    if (value === undefined) throw new ProtocolError('the answer is not what a broker of this version sends');
    return value;
  }
  const problem = problemShape.read(json);
  if (problem === undefined) {
    throw new ProtocolError(`HTTP status ${response.status} without a problem document: is this a Switch CCI broker?`);
  }
  throw new BrokerError(problem);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new ProtocolError(`the answer is larger than ${MAX_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The base with a slash at its end, so that a broker behind a path prefix is reached. */
export function base(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

function whyUnreachable(error: unknown, options: TransportOptions): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'no answer in time';
  const problem = tlsProblem(error);
  if (problem !== undefined) return `no connection to ${options.url}: ${problem}`;
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return `nothing listens at ${options.url}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host of ${options.url} is not known`;
  return `no connection to ${options.url}${code === '' ? '' : ` (${code})`}`;
}
