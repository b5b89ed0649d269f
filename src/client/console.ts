import { SocketConsole } from './socket-console.ts';
import type { TransportOptions } from './transport.ts';

/** What a console is wanted for. */
export interface ConsoleWish {
  /** Name of the program in the configuration of the broker. */
  readonly program: string;
  readonly reason: string;
  /** At most this long; the broker has a limit of its own. */
  readonly durationMs?: number;
  readonly columns: number;
  readonly rows: number;
}

/** A second person has to say yes. */
export interface ConsoleWaiting {
  readonly request: string;
  /** Digest of who wants what for how long: the second person sees the same one. */
  readonly digest: string;
  readonly expiresAtMs: number;
}

export interface ConsoleOpened {
  readonly session: string;
  readonly program: string;
  readonly principal: string;
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly endsAtMs: number;
  /** How long a lost connection may be away before the session ends. */
  readonly resumeMs: number;
  readonly watching: boolean;
  /** Not the first connection of this session. */
  readonly isBack: boolean;
}

export interface ConsoleState {
  /** `paused`: the watcher that must be there is not. `detached`: whoever opened it has no connection. */
  readonly state: 'running' | 'paused' | 'detached' | 'ended';
  readonly columns: number;
  readonly rows: number;
  readonly watchers: number;
}

/** How a session ended. */
export interface ConsoleEnd {
  readonly session: string;
  /** A word, such as `exited` or `killed`. */
  readonly why: string;
  readonly detail: string;
  readonly exitCode?: number;
  readonly signal?: string;
}

/** What a console is told. None may throw. */
export interface ConsoleHandlers {
  readonly onWaiting?: (waiting: ConsoleWaiting) => void;
  readonly onOpened?: (opened: ConsoleOpened) => void;
  /** What the program wrote, in order and once. The broker sends more as these resolve. */
  readonly onOutput: (bytes: Uint8Array) => Promise<void>;
  readonly onState?: (state: ConsoleState) => void;
  /** Whoever looks on and is too slow misses bytes. */
  readonly onMissed?: (bytes: number) => void;
  /** The connection is lost and is made again until then (milliseconds since 1970). */
  readonly onAway?: (why: string, untilMs: number) => void;
  /** Input that waited has been taken: write on. */
  readonly onDrain?: () => void;
}

/** A console, from the first connection to its end, over as many connections as that takes. */
export interface ConsoleSession {
  /** Sends input. False: much of it waits, so write no more before `onDrain`. */
  write(bytes: Uint8Array): boolean;
  resize(columns: number, rows: number): void;
  /** Ends the session, or the watching. */
  end(): void;
  /** Goes without ending it: a session of one's own waits for `resumeMs`, then ends. */
  leave(): void;
  /** @throws BrokerError refused; UnreachableError lost for too long; ProtocolError */
  readonly ended: Promise<ConsoleEnd>;
}

/** Opens a console. `end` and `leave` work from the beginning on. */
export function openConsole(
  transport: TransportOptions,
  path: string,
  wish: ConsoleWish,
  handlers: ConsoleHandlers,
): ConsoleSession {
  const { program, reason, durationMs, columns, rows } = wish;
  const first = {
    type: 'open',
    program,
    reason,
    columns,
    rows,
    ...(durationMs === undefined ? {} : { duration_ms: durationMs }),
  };
  return new SocketConsole(transport, path, first, handlers);
}

/** Looks on at a session, without a say in it. */
export function watchConsole(
  transport: TransportOptions,
  path: string,
  session: string,
  handlers: ConsoleHandlers,
): ConsoleSession {
  return new SocketConsole(transport, path, { type: 'watch', session }, handlers);
}
