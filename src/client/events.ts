import { BrokerError, CciError, ProtocolError, UnreachableError } from './errors.ts';
import { networkOf } from './network.ts';
import { identityHeaders, tookNonce } from './request-headers.ts';
import { anything, flag, list, number, object, oneOf, optional, type Shaped, text } from './shape.ts';
import { base, bearer, type TransportOptions } from './transport.ts';
import { problemShape } from './wire.ts';

const eventShape = object({
  /** What stands in front of what follows: `after` of the next question. */
  id: text,
  /** `gap`: events were lost between the last one and this; `overflow`: the device lost records before anybody read them. */
  kind: oneOf('record', 'overflow', 'gap'),
  log: optional(text),
  /** `switch`, or the path of a device such as `port:3`. */
  source: optional(text),
  /** Nanoseconds since 1970 on the tenant's own clock, decimal. */
  timestamp: optional(text),
  /** In the tenant's own event log; 0 where it is in none. */
  handle: optional(number),
  /** 128 bytes, hex. */
  record: optional(text),
  type: optional(text),
  uuid: optional(text),
  severity: optional(text),
  /** Decoded data, where the kind of record is known. */
  details: optional(anything),
  lost: optional(number),
});
export type SwitchEvent = Shaped<typeof eventShape>;

export const eventPageShape = object({ events: list(eventShape), next: text, more: flag });
export type EventPage = Shaped<typeof eventPageShape>;

export interface EventOptions {
  /** Id of the last event that was seen, or `now`; without it the oldest that the broker keeps comes first. */
  readonly after?: string;
  /** Ends the reading; it then ends without an error. */
  readonly signal?: AbortSignal;
}

/** Pauses before the stream is asked for again after it broke off. */
const AGAIN_FIRST_MS = 200;
const AGAIN_SLOWEST_MS = 10_000;
/** Nothing came, not even a sign of life, for that long: the connection is dead. */
const SILENCE_MS = 45_000;
/** Characters of one event at most. */
const MAX_EVENT = 1 << 20;

/** One message of the stream; without data it only says where the reader stands. */
interface Message {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string | undefined;
}

/**
 * Events as they come, for ever: a connection that breaks off is opened again behind the last event. Where the token
 * ends and `tokenProvider` has another one, reading goes on with that.
 *
 * @throws BrokerError where the broker refuses, at the beginning or later: the token ended, the grant is gone
 */
export async function* followEvents(
  options: TransportOptions,
  path: string,
  { after, signal }: EventOptions,
): AsyncGenerator<SwitchEvent, void, undefined> {
  const place: Place = { after, token: await bearer(options) };
  let pauseMs = AGAIN_FIRST_MS;
  while (!isAborted(signal)) {
    try {
      for await (const event of readStream(options, path, place, signal)) {
        pauseMs = AGAIN_FIRST_MS;
        yield event;
      }
    } catch (error) {
      if (isAborted(signal)) return;
      const { token } = place;
      place.token = await bearer(options);
      const isRenewed = error instanceof BrokerError && error.code === 'EAUTH' && place.token !== token;
      if (!isRenewed && !isPassing(error) && !(await tookNonce(options, error))) throw error;
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 2, AGAIN_SLOWEST_MS);
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** Where a reader stands, and with what he comes. */
interface Place {
  after: string | undefined;
  token: string;
}

/** Broken connections, full streams and a broker that is restarted pass; refusals do not. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof CciError && (error.code === 'EUNREACHABLE' || error.code === 'EAGAIN' || error.code === 'EIO')
  );
}

async function* readStream(
  options: TransportOptions,
  path: string,
  place: Place,
  signal: AbortSignal | undefined,
): AsyncGenerator<SwitchEvent, void, undefined> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  const signals = [silence.signal, options.signal, signal].filter((one) => one !== undefined);
  try {
    const response = await open(options, path, place, AbortSignal.any(signals));
    for await (const message of messages(response, alive)) {
      if (message.event === 'end') throw ended(message.data ?? '');
      place.after = message.id ?? place.after;
      if (message.data === undefined) continue;
      const event = eventShape.read(parsed(message.data));
      if (event === undefined) throw new ProtocolError('the stream has an event that no broker of this version sends');
      yield event;
    }
  } catch (error) {
    if (error instanceof CciError) throw error;
    throw new UnreachableError(silence.signal.aborted ? 'the stream fell silent' : 'the stream broke off', error);
  } finally {
    clearTimeout(timer);
  }
}

async function open(
  options: TransportOptions,
  path: string,
  { after, token }: Place,
  signal: AbortSignal,
): Promise<Response> {
  const url = new URL(path, base(options.url));
  if (after === 'now') url.searchParams.set('after', after);
  const network = await networkOf(options);
  const response = await network.fetch(url, {
    headers: {
      accept: 'text/event-stream, application/problem+json',
      ...(await identityHeaders(options, token, { method: 'GET', url })),
      ...(after === undefined || after === 'now' ? {} : { 'last-event-id': after }),
    },
    redirect: 'error',
    signal,
  });
  if (response.ok && response.headers.get('content-type')?.startsWith('text/event-stream') === true) return response;
  const problem = response.ok ? undefined : problemShape.read(parsed(await response.text()));
  if (problem === undefined) throw new ProtocolError(`HTTP status ${response.status} without a stream of events`);
  throw new BrokerError(problem);
}

/** Server-sent events of a body, as far as a broker sends them. */
async function* messages(response: Response, alive: () => void): AsyncGenerator<Message, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    alive();
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > MAX_EVENT) throw new ProtocolError('an event of the stream is too large');
    for (let at = rest.indexOf('\n\n'); at >= 0; at = rest.indexOf('\n\n')) {
      const message = messageOf(rest.slice(0, at));
      rest = rest.slice(at + 2);
      if (message !== undefined) yield message;
    }
  }
}

/** Undefined for signs of life and for what only sets the pause. */
function messageOf(block: string): Message | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name, value);
  }
  const [id, data] = [fields.get('id'), fields.get('data')];
  return id === undefined && data === undefined ? undefined : { event: fields.get('event') ?? 'message', id, data };
}

/** The last words of a stream. */
function ended(data: string): CciError {
  const problem = problemShape.read(parsed(data));
  return problem === undefined
    ? new ProtocolError('the stream ended in words that no broker of this version says')
    : new BrokerError(problem);
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}
