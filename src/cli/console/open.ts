import type { ConsoleEnd, ConsoleOpened, ConsoleSession } from '../../client/index.ts';
import { type CommonFlags, connect, type Session } from '../connection.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { parseDuration } from '../numbers.ts';
import { paint } from '../paint.ts';
import { safe } from '../safe-text.ts';
import { UsageError } from '../usage-error.ts';
import { EscapeWatch, escapeText, parseEscape } from './escape.ts';
import { LocalTerminal } from './local-terminal.ts';
import { ShownState } from './shown-state.ts';
import { statusText } from './status-line.ts';

export interface OpenFlags extends CommonFlags {
  readonly reason?: string;
  readonly duration?: string;
  readonly escape?: string;
}

/** `cci console open PROGRAM --reason TEXT`: a recorded terminal on the broker's machine. */
export async function openTerminal(io: Io, program: string, flags: OpenFlags): Promise<ExitCode> {
  mustBeTerminal('a console');
  if (flags.reason === undefined || flags.reason.trim() === '') {
    throw new UsageError('say why: the journal keeps it', 'give --reason "what has to be done, and why now"');
  }
  const durationMs = flags.duration === undefined ? undefined : parseDuration(flags.duration);
  const character = parseEscape(flags.escape ?? '~');
  const session = await connect(io, flags);
  // A WebSocket that is refused does not say why; a request does.
  await session.client.consoles();
  const desk = new Desk(session, character);
  const { columns = 80, rows = 24 } = process.stdout;
  const wish = { program, reason: flags.reason, columns, rows, ...(durationMs === undefined ? {} : { durationMs }) };
  return desk.sit(await session.client.openConsole(wish, desk.handlers));
}

/** What needs a person at a terminal says so, and why. @throws UsageError */
export function mustBeTerminal(what: string): void {
  if (LocalTerminal.isThere) return;
  throw new UsageError(
    `${what} needs a terminal: stdin or stdout is none`,
    'it is for people; scripts send commands that the broker can decode, with `cci run`',
  );
}

/** The one who opened it: his terminal on this side, the program on the other. */
class Desk {
  readonly #session: Session;
  readonly #escape: number | undefined;
  readonly #watch: EscapeWatch;
  readonly #shown = new ShownState();
  #console: ConsoleSession | undefined;
  #terminal: LocalTerminal | undefined;
  #opened: ConsoleOpened | undefined;
  #state = '';

  constructor(session: Session, character: number | undefined) {
    this.#session = session;
    this.#escape = character;
    this.#watch = new EscapeWatch(character);
  }

  get handlers() {
    const { io } = this.#session;
    return {
      onWaiting: ({ request, digest, expiresAtMs }: { request: string; digest: string; expiresAtMs: number }): void => {
        const { bold } = paint(io, 'err');
        io.err(
          `a second person has to say yes, until ${clock(expiresAtMs)}. Ask one, and tell:\n\n` +
            `  ${bold(`cci console approve ${safe(request)} --switch ${safe(this.#session.switch)}`)}\n` +
            `  digest ${safe(digest)}: the same one must be shown there\n\nwaiting; Ctrl-C takes the request back\n`,
        );
      },
      onOpened: (opened: ConsoleOpened): void => this.#open(opened),
      onOutput: async (bytes: Uint8Array): Promise<void> => {
        this.#shown.take(bytes);
        await this.#terminal?.write(bytes);
      },
      onState: ({ state, watchers }: { state: string; watchers: number }): void => this.#changed(state, watchers),
      onAway: (why: string, untilMs: number): void =>
        this.#say(`no connection: ${why}; trying until ${clock(untilMs)}, what you type waits`),
      onDrain: (): void => this.#terminal?.resume(),
    };
  }

  /** Stays until the session has ended, and says how. */
  async sit(session: ConsoleSession): Promise<ExitCode> {
    this.#console = session;
    const { io } = this.#session;
    try {
      const end = await session.ended;
      this.#terminal?.restore();
      return this.#tell(end);
    } catch (error) {
      this.#terminal?.restore();
      if (this.#opened !== undefined) io.err(`${this.#recordingText(this.#opened.session)}\n`);
      throw error;
    } finally {
      this.#terminal?.restore();
    }
  }

  #open(opened: ConsoleOpened): void {
    this.#opened = opened;
    if (opened.isBack) {
      this.#say('connected again');
      // A full-screen program draws itself anew when the size changes.
      this.#resize(-1);
      this.#resize(0);
      return;
    }
    this.#session.io.err(this.#banner(opened));
    const terminal = new LocalTerminal(() => this.#shown.resetText());
    this.#terminal = terminal;
    void terminal.write(ShownState.begin);
    terminal.onInput((bytes) => this.#typed(bytes));
    terminal.onResize(() => this.#resize(0));
    // The window may have changed while it was waited.
    if (terminal.size.columns !== opened.columns || terminal.size.rows !== opened.rows) this.#resize(0);
    terminal.told.addEventListener('abort', () => {
      // A hang-up leaves the session to whoever comes back; every other signal ends it.
      if (terminal.told.reason === 'SIGHUP') this.#console?.leave();
      else this.#console?.end();
      // A broker that does not answer must not keep the terminal.
      setTimeout(() => this.#console?.leave(), 2000).unref();
    });
  }

  #banner({ session, program, principal, endsAtMs, resumeMs }: ConsoleOpened): string {
    const { bold, yellow } = paint(this.#session.io, 'err');
    const leave =
      this.#escape === undefined
        ? 'it ends with the program'
        : `leave with ${escapeText(this.#escape)}.${this.#escape < 0x20 ? '' : ' at the beginning of a line'}, help with ${escapeText(this.#escape)}?`;
    return (
      `${yellow(bold('THIS CONSOLE IS RECORDED'))}, by the rules of the broker: what it shows, and what you\n` +
      'type as far as it is shown. Others may watch it, and end it at any time.\n' +
      'No policy checks what you do here: the switch is flagged for it (taint C).\n' +
      `${bold(safe(program))} on ${bold(safe(this.#session.switch))} for ${safe(principal)}, until ${clock(endsAtMs)}\n` +
      `session ${safe(session)}\n` +
      `${leave}\n` +
      `a lost connection is taken up again for ${Math.round(resumeMs / 1000)} s\n\n`
    );
  }

  #typed(bytes: Uint8Array): void {
    const { send, commands } = this.#watch.take(bytes);
    if (send.length > 0 && this.#console?.write(send) === false) this.#terminal?.pause();
    for (const command of commands) {
      if (command === 'help')
        this.#say(
          `${escapeText(this.#escape ?? 0)}. ends the console; ${escapeText(this.#escape ?? 0)} twice types it`,
        );
      else this.#leave();
    }
  }

  #leave(): void {
    this.#console?.end();
    // Without a connection nobody can be told; the broker ends it by itself.
    setTimeout(() => this.#console?.leave(), 5000).unref();
  }

  #resize(by: number): void {
    const { columns, rows } = this.#terminal?.size ?? { columns: 80, rows: 24 };
    this.#console?.resize(columns, Math.max(1, rows + by));
  }

  #changed(state: string, watchers: number): void {
    const key = `${state} ${watchers > 0}`;
    if (key === this.#state) return;
    const was = this.#state;
    this.#state = key;
    if (state === 'paused')
      this.#say('paused: somebody has to watch, and nobody does; what you type now is thrown away');
    else if (was.startsWith('paused')) this.#say('goes on: somebody watches');
    else if (state === 'running' && watchers > 0) this.#say('somebody watches');
    else if (state === 'running' && was.endsWith('true')) this.#say('nobody watches any more');
  }

  #say(text: string): void {
    void this.#terminal?.write(statusText(text, this.#shown.isAlternate)).catch(() => undefined);
  }

  #tell({ session, why, detail, exitCode, signal }: ConsoleEnd): ExitCode {
    const { io } = this.#session;
    const { bold } = paint(io, 'err');
    const how = signal === undefined ? (exitCode === undefined ? '' : `, status ${exitCode}`) : `, signal ${signal}`;
    const sentence =
      why === 'left' ? 'you left; the broker ends it when nobody comes back' : `${detail} (${why}${how})`;
    io.err(`\n${bold('the console has ended')}: ${safe(sentence)}\n${this.#recordingText(session)}\n`);
    const isFine = why === 'closed' || (why === 'exited' && signal === undefined && (exitCode ?? 0) === 0);
    return isFine ? EXIT.done : EXIT.failed;
  }

  #recordingText(session: string): string {
    return `recording ${safe(session)}: \`cci console play ${safe(session)}\` on the broker's machine`;
  }
}

/** Time of day here. */
export function clock(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}
