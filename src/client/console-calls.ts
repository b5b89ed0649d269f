import { flag, list, number, object, oneOf, optional, type Shape, type Shaped, text } from './shape.ts';
import { call, type TransportOptions } from './transport.ts';

const requestShape = object({
  id: text,
  switch: text,
  program: text,
  reason: text,
  durationMs: number,
  principal: text,
  tenant: text,
  state: oneOf('waiting', 'ready', 'opened', 'denied', 'expired'),
  digest: text,
  expiresAtMs: number,
  decidedBy: optional(text),
});

const sessionShape = object({
  id: text,
  switch: text,
  program: text,
  reason: text,
  principal: text,
  tenant: text,
  approvedBy: optional(text),
  state: oneOf('running', 'paused', 'detached'),
  columns: number,
  rows: number,
  openedAtMs: number,
  endsAtMs: number,
  watchers: list(text),
});

const listingShape = object({
  unavailable: optional(text),
  programs: list(object({ name: text, title: text, approval: flag })),
  requests: list(requestShape),
  sessions: list(sessionShape),
});

/** A request to open a console. Times are milliseconds since 1970. */
export type ConsoleRequest = Shaped<typeof requestShape>;
/** A console that is open. */
export type ConsoleSummary = Shaped<typeof sessionShape>;
/** Programs that the caller may open, and the requests and sessions that concern him. */
export type ConsoleListing = Shaped<typeof listingShape>;

/** The calls about consoles of one switch, all but the console itself. @param path beginning of their paths */
export function consoleCalls(options: TransportOptions, path: string) {
  const post = <T>(word: string, body: object, shape: Shape<T>): Promise<T> =>
    call(options, { method: 'POST', path: `${path}/console/${word}`, body }, shape);
  return {
    list: (): Promise<ConsoleListing> => call(options, { method: 'GET', path: `${path}/consoles` }, listingShape),
    approve: (request: string, digest: string): Promise<ConsoleRequest> =>
      post('approve', { request, digest }, requestShape),
    deny: (request: string, reason: string): Promise<ConsoleRequest> => post('deny', { request, reason }, requestShape),
    kill: (session: string, reason: string): Promise<ConsoleSummary> => post('kill', { session, reason }, sessionShape),
  };
}
