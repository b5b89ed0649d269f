import type { ConsoleOpened, ConsoleSession } from '../../client/index.ts';
import { type CommonFlags, connect, type Session } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { safe } from '../safe-text.ts';
import { leftOutText } from './left-out.ts';
import { LocalTerminal } from './local-terminal.ts';
import { clock, mustBeTerminal } from './open.ts';
import { statusText } from './status-line.ts';
import { TerminalFilter } from './terminal-filter.ts';

/**
 * `cci console watch ID`: looks on. What is shown goes through the same filter as a replay: whoever watches trusts
 * neither the program nor the one at it. `q` goes, `K` and then `y` ends the session.
 */
export async function watchTerminal(io: Io, id: string, flags: CommonFlags): Promise<ExitCode> {
  mustBeTerminal('watching a console');
  const session = await connect(io, flags);
  return new Gallery(session, id).look();
}

class Gallery {
  readonly #session: Session;
  readonly #id: string;
  readonly #filter = new TerminalFilter();
  #console: ConsoleSession | undefined;
  #terminal: LocalTerminal | undefined;
  #isAsked = false;
  #isGone = false;

  constructor(session: Session, id: string) {
    this.#session = session;
    this.#id = id;
  }

  async look(): Promise<ExitCode> {
    const { io, client } = this.#session;
    // A WebSocket that is refused does not say why; a request does.
    await client.consoles();
    const watched = await client.watchConsole(this.#id, {
      onOpened: (opened) => this.#open(opened),
      onOutput: async (bytes) => this.#terminal?.write(this.#filter.take(bytes)),
      onState: ({ state, columns, rows }) => this.#changed(state, columns, rows),
      onMissed: (bytes) => this.#say(`you missed ${bytes} bytes`),
      onAway: (why, untilMs) => this.#say(`no connection: ${why}; trying until ${clock(untilMs)}`),
    });
    this.#console = watched;
    try {
      const { why, detail } = await watched.ended;
      await this.#terminal?.write(this.#filter.end());
      this.#terminal?.restore();
      io.err(`\n${why === 'left' ? 'you watch no more' : `the console has ended: ${safe(detail)} (${safe(why)})`}\n`);
      const left = leftOutText(this.#filter.leftOut);
      if (left !== '') io.err(`${left}\n`);
      return EXIT.done;
    } finally {
      this.#terminal?.restore();
    }
  }

  #open({ program, principal, columns, rows, isBack }: ConsoleOpened): void {
    if (isBack) {
      this.#say('connected again');
      return;
    }
    const { io } = this.#session;
    io.err(`watching ${safe(program)} of ${safe(principal)}, ${columns}x${rows}; q: go, K: end it\n`);
    const { columns: width = 80, rows: height = 24 } = process.stdout;
    if (width < columns || height < rows) io.err(`your terminal is smaller (${width}x${height}): lines will break\n`);
    const terminal = new LocalTerminal(() => this.#filter.resetText());
    this.#terminal = terminal;
    terminal.onInput((bytes) => this.#typed(bytes));
    terminal.told.addEventListener('abort', () => this.#go());
  }

  #typed(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const key = String.fromCharCode(byte);
      if (this.#isAsked && key === 'y') this.#kill();
      else if (key === 'q' || byte === 3 || byte === 4) this.#go();
      else if (key === 'K') this.#say('end this console, at once? y');
      this.#isAsked = key === 'K';
    }
  }

  #kill(): void {
    const { client } = this.#session;
    client
      .killConsole(this.#id, 'ended by somebody who watched it')
      .catch((error: unknown) => this.#say(error instanceof Error ? error.message : String(error)));
  }

  #go(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#console?.end();
  }

  #size = '';
  #state = 'running';

  #changed(state: string, columns: number, rows: number): void {
    const size = `${columns}x${rows}`;
    if (this.#size !== '' && size !== this.#size) this.#say(`the size is now ${size}`);
    this.#size = size;
    if (state !== this.#state && state !== 'ended') this.#say(state === 'running' ? 'it goes on' : `it is ${state}`);
    this.#state = state;
  }

  #say(text: string): void {
    void this.#terminal?.write(statusText(text, this.#filter.isAlternate)).catch(() => undefined);
  }
}
