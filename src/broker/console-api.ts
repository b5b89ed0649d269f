import type { CoreResult, Credential } from './core-api.ts';

/**
 * Console sessions across the door between edge and core: plain data, pulled like events, never pushed. The order of
 * things: `consoleRequest`, where a second person is required `consoleApprove` by him, `consoleOpen`, then `consoleRead`
 * and `consoleWrite` until a page says that the session has ended.
 *
 * Seats: whoever opens or watches a session gets an unguessable word, and shows it with every call. The token is checked
 * with every call as well: a seat is worth nothing to anybody else.
 */

/** What somebody wants to open and why. No path, argument or environment is taken from him. */
export interface ConsoleAsking {
  /** Name of a configured program. */
  readonly program: string;
  /** For the journal, the second person and whoever reads both later; 8 to 500 characters, no control characters. */
  readonly reason: string;
  /** How long it may stay open; as long as the program's limit if not given, and never longer. */
  readonly durationMs?: number;
}

/** A request to open a console, until it is opened, denied or too old. */
export interface ConsoleRequestView {
  readonly id: string;
  readonly switch: string;
  readonly program: string;
  readonly reason: string;
  readonly durationMs: number;
  readonly principal: string;
  readonly tenant: string;
  /**
   * `ready`: may be opened now, by whoever asked. `waiting`: for the second person. The others are final; they are told for
   * a while.
   */
  readonly state: 'waiting' | 'ready' | 'opened' | 'denied' | 'expired';
  /** SHA-256 of everything that a second person confirms, 64 hex digits: he says it back. */
  readonly digest: string;
  /** Milliseconds since 1970. Until then it has to be confirmed and opened. */
  readonly expiresAtMs: number;
  /** Who confirmed or denied it. */
  readonly decidedBy?: string;
}

export interface ConsoleSessionView {
  readonly id: string;
  readonly switch: string;
  readonly program: string;
  readonly reason: string;
  readonly principal: string;
  readonly tenant: string;
  /** Who confirmed it, where that was required. */
  readonly approvedBy?: string;
  /** `paused`: the watcher that is required is away; nothing is typed and nothing runs. `detached`: the connection is. */
  readonly state: 'running' | 'paused' | 'detached';
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly openedAtMs: number;
  readonly endsAtMs: number;
  /** How long a connection may be lost before it ends. */
  readonly resumeMs: number;
  readonly watchers: readonly string[];
}

/** What a caller may see of a switch's consoles. */
export interface ConsoleListing {
  /** Why no console can be opened on this machine or with this configuration; absent where one can. */
  readonly unavailable?: string;
  /** Programs that the caller may open, by name. */
  readonly programs: readonly { readonly name: string; readonly title: string; readonly approval: boolean }[];
  /** His own, and those that he may confirm. */
  readonly requests: readonly ConsoleRequestView[];
  /** His own, and those that he may watch and end. */
  readonly sessions: readonly ConsoleSessionView[];
}

export interface ConsoleOpened {
  readonly session: ConsoleSessionView;
  /** Shown with each call; with it a lost connection is taken up again. Whoever has it needs the same person's token too. */
  readonly seat: string;
  /** Offset of the first byte that can be read. */
  readonly offset: number;
  /** The terminal is recorded; a banner has to say so. */
  readonly recorded: true;
}

export interface ConsoleSeat {
  readonly session: string;
  readonly seat: string;
}

/** What to read: whatever the program wrote behind `after`. */
export interface ConsoleQuery extends ConsoleSeat {
  /** Offset behind the last byte that was read. Offsets count the bytes of the program from 0. */
  readonly after: number;
  /**
   * Up to where the bytes have arrived for good. What is not acknowledged is kept, and while more than 256 KiB are kept the
   * program has to wait. Only the one who opened the session acknowledges.
   */
  readonly acknowledged?: number;
  /** Number of the last change of state that was read; 0 in the beginning. */
  readonly change?: number;
  /** How long to wait where there is nothing yet, at most 30000; 0 if not given. */
  readonly waitMs?: number;
}

export interface ConsolePage {
  /** Offset of the first byte: `after`, or more where a watcher was too slow and missed some. */
  readonly offset: number;
  /** At most 64 KiB. */
  readonly output: Uint8Array;
  /** Number of the last change of state below; `change` of the next question. */
  readonly change: number;
  /** How many bytes of input were taken so far: whoever comes back goes on from here. */
  readonly inputOffset: number;
  /** As it is now. */
  readonly state: ConsoleSessionView['state'] | 'ended';
  readonly columns: number;
  readonly rows: number;
  readonly watchers: number;
  /** Present once it has ended and all output was read. */
  readonly ended?: ConsoleEnd;
}

export interface ConsoleEnd {
  readonly why: ConsoleEndReason;
  /** One sentence for people. */
  readonly detail: string;
  readonly exitCode?: number;
  /** Name of the signal that ended the program. */
  readonly signal?: string;
}

export type ConsoleEndReason =
  /** the program ended by itself */
  | 'exited'
  /** whoever opened it closed it */
  | 'closed'
  /** somebody else ended it */
  | 'killed'
  | 'time-limit'
  | 'idle-limit'
  | 'output-limit'
  /** the connection did not come back in time */
  | 'not-resumed'
  /** the watcher that is required did not come back in time */
  | 'no-watcher'
  /** the token ran out or was revoked */
  | 'token-ended'
  /** lockdown, taint, policy or the raw gate do not allow it any more */
  | 'not-permitted'
  /** what happens could not be recorded */
  | 'not-recorded'
  | 'broker-stopped'
  /** the terminal or the program could not be run */
  | 'failed';

export interface ConsoleInput extends ConsoleSeat {
  /** Bytes of input before these; what was taken already is not taken again. */
  readonly offset: number;
  /** 1 to 65536 bytes. */
  readonly bytes: Uint8Array;
}

export interface ConsoleApi {
  consoles(credential: Credential, switchName: string): Promise<CoreResult<ConsoleListing>>;
  consoleRequest(
    credential: Credential,
    switchName: string,
    asking: ConsoleAsking,
  ): Promise<CoreResult<ConsoleRequestView>>;
  /** How a request stands: of one's own, or one that one may confirm. Waits while it is `waiting`, at most 30000 ms. */
  consoleRequested(
    credential: Credential,
    switchName: string,
    id: string,
    waitMs?: number,
  ): Promise<CoreResult<ConsoleRequestView>>;
  /** The second person says yes, to exactly what the digest stands for. */
  consoleApprove(
    credential: Credential,
    switchName: string,
    id: string,
    digest: string,
  ): Promise<CoreResult<ConsoleRequestView>>;
  /** The second person says no, or whoever asked takes it back. */
  consoleDeny(
    credential: Credential,
    switchName: string,
    id: string,
    reason: string,
  ): Promise<CoreResult<ConsoleRequestView>>;
  /** Starts the program of a request that is `ready`. Columns and rows: 1 to 1000. */
  consoleOpen(
    credential: Credential,
    switchName: string,
    id: string,
    columns: number,
    rows: number,
  ): Promise<CoreResult<ConsoleOpened>>;
  /** Takes a seat beside the one who opened it, to look on. */
  consoleWatch(credential: Credential, switchName: string, session: string): Promise<CoreResult<ConsoleOpened>>;
  consoleRead(credential: Credential, switchName: string, query: ConsoleQuery): Promise<CoreResult<ConsolePage>>;
  /** @returns how many bytes of input were taken so far: fewer than were sent where the program does not read them */
  consoleWrite(
    credential: Credential,
    switchName: string,
    input: ConsoleInput,
  ): Promise<CoreResult<{ readonly inputOffset: number }>>;
  consoleResize(
    credential: Credential,
    switchName: string,
    seat: ConsoleSeat,
    columns: number,
    rows: number,
  ): Promise<CoreResult<ConsoleSessionView>>;
  /** The connection of a seat is gone: a watcher leaves; whoever opened it has `resumeMs` to come back. */
  consoleLeave(credential: Credential, switchName: string, seat: ConsoleSeat): Promise<CoreResult<null>>;
  /** Whoever opened it ends it. */
  consoleClose(credential: Credential, switchName: string, seat: ConsoleSeat): Promise<CoreResult<null>>;
  /** Somebody who may watch it ends it at once. */
  consoleKill(
    credential: Credential,
    switchName: string,
    session: string,
    reason: string,
  ): Promise<CoreResult<ConsoleSessionView>>;
}
