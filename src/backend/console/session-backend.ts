/** A program that may be run in a terminal: from the configuration alone, checked by `checkProgram`. */
export interface TerminalProgram {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly arguments: readonly string[];
  /** Everything that it gets beside PATH, TERM, LANG, HOME, USER and the mark of its session. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whom it runs as; the broker's own user where it may not be another one. */
  readonly user?: string;
  /** Its group; the user's own if not given. */
  readonly group?: string;
  readonly workingDirectory: string;
  readonly limits: {
    /** Address space of each of its processes, bytes. */
    readonly memoryBytes: number;
    /** Processes and threads of its user, all of them together. */
    readonly processes: number;
    /** Open files of each of its processes. */
    readonly files: number;
  };
}

/** Does the terminal show what is typed? `raw`: the program does that itself, or not. `unknown`: nobody can say. */
export type EchoState = 'on' | 'off' | 'raw' | 'unknown';

/** How the first process of a session ended. */
export interface ProgramExit {
  readonly exitCode?: number;
  readonly signal?: string;
  /** Processes that were still there after everything was tried. */
  readonly leftBehind: readonly number[];
}

/** What a session tells. Never called after `onEnd`. */
export interface TerminalListener {
  /** What the program wrote. The bytes belong to the listener. */
  onOutput(bytes: Uint8Array): void;
  /** The first process has ended, all of its output was told, and the others of the session were ended. */
  onEnd(exit: ProgramExit): void;
}

/** One program in one terminal. */
export interface TerminalSession {
  /** Process id, session id and process group of the first process. */
  readonly pid: number;
  /** Bytes given to `write` that the terminal has not taken. */
  readonly pendingInput: number;
  /** Stops reading: the program waits when the terminal is full. `onOutput` may be called once more. */
  pause(): void;
  resume(): void;
  /** Resolves when the terminal took the bytes; never rejects. */
  write(bytes: Uint8Array): Promise<void>;
  echo(): EchoState;
  /** @throws SessionError when the terminal is gone */
  resize(columns: number, rows: number): void;
  /** Stops every process of the session (SIGSTOP), and lets them go on. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Hangs up, then terminates, then kills every process of the session. `onEnd` follows. Calling it again does nothing. */
  end(): void;
}

/** Interactive programs: what no policy can decode. Beside `Backend`, which is for commands. */
export interface SessionBackend {
  /** Why no program can be run on this machine; undefined where they can. */
  readonly unavailable: string | undefined;
  /** Why this program can't be run; empty when it can. Asked at start and again at each opening. */
  check(program: TerminalProgram): Promise<readonly string[]>;
  /**
   * Starts a program with a terminal of its own. Resolves when everything that bounds it is in force and the program is
   * next to be executed.
   * @param session mark of its processes, for finding those that left it
   * @throws SessionError
   */
  open(
    program: TerminalProgram,
    session: string,
    size: { readonly columns: number; readonly rows: number },
    listener: TerminalListener,
  ): Promise<TerminalSession>;
}

/** Why a program could not be run. */
export class SessionError extends Error {
  readonly code = 'ESESSION';

  constructor(what: string, options?: ErrorOptions) {
    super(what, options);
    this.name = 'SessionError';
  }
}
