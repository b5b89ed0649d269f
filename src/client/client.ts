import type { Params, Reply, TypedSlug } from '../cci/index.ts';
import type { ConsoleHandlers, ConsoleSession, ConsoleWish } from './console.ts';
import type { ConsoleListing, ConsoleRequest, ConsoleSummary } from './console-calls.ts';
import { DeviceError } from './errors.ts';
import { type EventOptions, type EventPage, eventPageShape, followEvents, type SwitchEvent } from './events.ts';
import type { Session, SessionOptions } from './session.ts';
import type { MessageStream } from './stream.ts';
import { call, type TransportOptions } from './transport.ts';
import {
  type CommandAnswer,
  commandAnswerShape,
  type Decision,
  decisionShape,
  type LockdownLevel,
  type OfferedCommand,
  type Operation,
  offeredShape,
  operationShape,
  operationsShape,
  type Posture,
  postureShape,
  type Reload,
  type Revocation,
  type RevocationWish,
  reloadShape,
  revocationsShape,
  type SwitchSummary,
  switchesShape,
  type Taint,
  type Topology,
  taintShape,
  topologyShape,
  type WhoAmI,
  whoAmIShape,
} from './wire.ts';

export interface ClientOptions extends TransportOptions {
  /** Switch that commands go to, `sw0` if not given. */
  readonly switch?: string;
}

/** How a command wants to wait for its turn. */
export interface SubmitOptions {
  /** Milliseconds within which the broker has to send it to the device; else it refuses it (EAGAIN). */
  readonly deadlineMs?: number;
  /** Stops the waiting; what was not sent to the device yet is then not sent any more. */
  readonly signal?: AbortSignal;
}

export interface CommandOptions extends SubmitOptions {
  /** Where the command goes: `port:3`, `port:3/ld:1`, `port:3/ldpool`. */
  readonly via?: string;
}

/** A command as the HTTP interface takes it. */
export type CommandBody =
  | { readonly command: string; readonly params?: unknown; readonly via?: string }
  | { readonly raw: { readonly opcode: number; readonly payload: string }; readonly via?: string };

/** The answer to a typed command. */
export interface TypedAnswer<S extends TypedSlug> {
  readonly requestId: string;
  readonly returnCode: number;
  readonly returnCodeName: string;
  /** The decoded reply; undefined while the command runs on in the background. */
  readonly result: Reply<S> | undefined;
  /** Id of the operation, when the command runs on in the background. */
  readonly operation: string | undefined;
  readonly answer: CommandAnswer;
}

/**
 * A connection-less client of one broker. Every method throws a `CciError` when it fails.
 *
 * @example
 * const client = createClient({ url: 'http://127.0.0.1:8420', token });
 * const { result } = await client.run('get-physical-port-state', { port_id_list: [2] });
 */
export interface Client {
  /**
   * Runs a command by its slug. Parameters and result are typed by the catalogue.
   * @throws ParameterError before anything is sent, DeviceError for an error code of the device
   */
  run<S extends TypedSlug>(slug: S, params: Params<S>, options?: CommandOptions): Promise<TypedAnswer<S>>;
  /** Sends an opcode with a payload down the raw path. @throws DeviceError for an error code of the device */
  raw(
    opcode: number,
    payload: Uint8Array,
    options?: CommandOptions,
  ): Promise<{ answer: CommandAnswer; payload: Uint8Array }>;
  /** Decides a command without running it. */
  can<S extends TypedSlug>(slug: S, params: Params<S>, options?: CommandOptions): Promise<Decision>;
  /** Any command with parameters as JSON. An error code of the device is an answer, not an error. */
  submit(body: CommandBody, options?: SubmitOptions): Promise<CommandAnswer>;
  decide(body: CommandBody): Promise<Decision>;
  whoami(): Promise<WhoAmI>;
  switches(): Promise<readonly SwitchSummary[]>;
  /** What the caller is offered on the switch. */
  commands(): Promise<readonly OfferedCommand[]>;
  operations(): Promise<readonly Operation[]>;
  operation(id: string): Promise<Operation>;
  posture(): Promise<readonly Posture[]>;
  raiseLockdown(level: LockdownLevel, reason: string): Promise<readonly Posture[]>;
  taint(): Promise<readonly Taint[]>;
  /** Says that a bit was looked at; it stays. `scope` is the path that it was raised on. */
  acknowledgeTaint(letter: string, scope: string, reason: string): Promise<readonly Taint[]>;
  /** Ports and bindings as the broker knows them, and what moved without it. */
  topology(): Promise<Topology>;
  /** Takes the fabric as it is. @param picture what was looked at; refused where it is another one by now */
  acceptTopology(reason: string, picture?: string): Promise<Topology>;
  reloadPolicy(): Promise<Reload>;
  /** Revocations in force, for operators. */
  revocations(): Promise<readonly Revocation[]>;
  /** Revokes tokens at once, or lifts a revocation; those in force after it. */
  revoke(wish: RevocationWish): Promise<readonly Revocation[]>;
  /** Events that concern the caller and that the broker keeps, oldest first: one page. */
  listEvents(options?: { readonly after?: string; readonly limit?: number }): Promise<EventPage>;
  /**
   * Events as they come; a connection that breaks off is opened again behind the last one. Ends when `signal` aborts.
   * @throws BrokerError where the broker refuses, also later
   */
  events(options?: EventOptions): AsyncIterableIterator<SwitchEvent>;
  /** Opens the stream of CCI messages. */
  stream(): Promise<MessageStream>;
  /** Opens a session: a stream that is made again when it breaks off, with typed commands on it. */
  session(options?: SessionOptions): Promise<Session>;
  /** Programs that may be opened in a console, requests that wait, consoles that are open: as far as the caller may know. */
  consoles(): Promise<ConsoleListing>;
  /** Opens a console: a program of the broker's machine in a terminal that is recorded. */
  openConsole(wish: ConsoleWish, handlers: ConsoleHandlers): Promise<ConsoleSession>;
  /** Looks on at a console of somebody else. */
  watchConsole(id: string, handlers: ConsoleHandlers): Promise<ConsoleSession>;
  /** Ends a console that the caller may watch. */
  killConsole(id: string, reason: string): Promise<ConsoleSummary>;
  /** Says yes to the request of somebody else. @param digest what stood in the request that was looked at */
  approveConsole(id: string, digest: string): Promise<ConsoleRequest>;
  denyConsole(id: string, reason: string): Promise<ConsoleRequest>;
}

/** A client of the broker at `url`. */
export function createClient(options: ClientOptions): Client {
  const name = options.switch ?? 'sw0';
  const ofSwitch = (rest: string) => `v1/switches/${encodeURIComponent(name)}/${rest}`;
  const submit = (body: CommandBody, { deadlineMs, signal }: SubmitOptions = {}) =>
    call(
      options,
      {
        method: 'POST',
        path: ofSwitch('commands'),
        body,
        signal,
        ...(deadlineMs === undefined ? {} : { headers: { 'cci-deadline-ms': String(deadlineMs) } }),
      },
      commandAnswerShape,
    );
  const decide = (body: CommandBody) =>
    call(options, { method: 'POST', path: ofSwitch('decisions'), body }, decisionShape);
  // The catalogue is half the start-up time of a program that only asks who it is.
  const typed = () => import('./typed.ts');
  const consoles = async () =>
    (await import('./console-calls.ts')).consoleCalls(options, `v1/switches/${encodeURIComponent(name)}`);
  return {
    async run(slug, params, { via, ...wish } = {}) {
      const { typedBody, typedAnswer } = await typed();
      return typedAnswer(slug, params, await submit(typedBody(slug, params, via), wish));
    },
    async raw(opcode, payload, { via, ...wish } = {}) {
      const { rawBody, payloadOf } = await typed();
      const answer = await submit(rawBody(opcode, payload, via), wish);
      if (answer.returnCode > 1) throw new DeviceError(answer);
      return { answer, payload: payloadOf(answer) };
    },
    async can(slug, params, { via } = {}) {
      const { typedBody } = await typed();
      return decide(typedBody(slug, params, via));
    },
    submit,
    decide,
    whoami: () => call(options, { method: 'GET', path: 'v1/whoami' }, whoAmIShape),
    switches: () => call(options, { method: 'GET', path: 'v1/switches' }, switchesShape),
    commands: () => call(options, { method: 'GET', path: ofSwitch('commands') }, offeredShape),
    operations: () => call(options, { method: 'GET', path: ofSwitch('operations') }, operationsShape),
    operation: (id) =>
      call(options, { method: 'GET', path: ofSwitch(`operations/${encodeURIComponent(id)}`) }, operationShape),
    posture: () => call(options, { method: 'GET', path: 'v1/posture' }, postureShape),
    raiseLockdown: (level, reason) =>
      call(options, { method: 'POST', path: 'v1/posture/lockdown', body: { level, reason } }, postureShape),
    taint: () => call(options, { method: 'GET', path: 'v1/taint' }, taintShape),
    acknowledgeTaint: (letter, scope, reason) =>
      call(options, { method: 'POST', path: 'v1/taint/acknowledge', body: { letter, scope, reason } }, taintShape),
    topology: () => call(options, { method: 'GET', path: ofSwitch('topology') }, topologyShape),
    acceptTopology: (reason, picture) => {
      const body = picture === undefined ? { reason } : { reason, picture };
      return call(options, { method: 'POST', path: ofSwitch('topology/accept'), body }, topologyShape);
    },
    revocations: () => call(options, { method: 'GET', path: 'v1/revocations' }, revocationsShape),
    revoke: (wish) => call(options, { method: 'POST', path: 'v1/revocations', body: wish }, revocationsShape),
    reloadPolicy: () => call(options, { method: 'POST', path: 'v1/policy/reload', body: {} }, reloadShape),
    listEvents: ({ after, limit } = {}) => {
      const query = new URLSearchParams();
      if (after !== undefined) query.set('after', after);
      if (limit !== undefined) query.set('limit', String(limit));
      const path = query.size === 0 ? 'events' : `events?${query}`;
      return call(options, { method: 'GET', path: ofSwitch(path) }, eventPageShape);
    },
    events: (how = {}) => followEvents(options, ofSwitch('events'), how),
    async stream() {
      const { openStream } = await import('./stream.ts');
      return openStream(options, ofSwitch('stream'));
    },
    consoles: async () => (await consoles()).list(),
    async openConsole(wish, handlers) {
      const { openConsole } = await import('./console.ts');
      return openConsole(options, ofSwitch('console'), wish, handlers);
    },
    async watchConsole(id, handlers) {
      const { watchConsole } = await import('./console.ts');
      return watchConsole(options, ofSwitch('console'), id, handlers);
    },
    killConsole: async (id, reason) => (await consoles()).kill(id, reason),
    approveConsole: async (id, digest) => (await consoles()).approve(id, digest),
    denyConsole: async (id, reason) => (await consoles()).deny(id, reason),
    async session(how = {}) {
      const { openSession } = await import('./session.ts');
      return openSession(options, ofSwitch('stream'), how);
    },
  };
}
