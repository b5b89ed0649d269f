/** What a command talks to: the process, or a test. */
export interface Io {
  /** Data. */
  readonly out: (text: string) => void;
  /** Everything else. */
  readonly err: (text: string) => void;
  readonly env: { readonly [name: string]: string | undefined };
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** For what runs until it is told to end: aborts at SIGINT and SIGTERM, calls `reload` at SIGHUP. */
  readonly untilTold: (reload?: () => void) => AbortSignal;
}
