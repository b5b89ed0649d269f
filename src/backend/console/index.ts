import { createEchoReader } from './echo.ts';
import { missingTools } from './launch.ts';
import { checkProgram, runAs } from './program-check.ts';
import { loadPty } from './pty.ts';
import { type SessionBackend, SessionError } from './session-backend.ts';
import { Terminal } from './terminal.ts';

export {
  type EchoState,
  type ProgramExit,
  type SessionBackend,
  SessionError,
  type TerminalListener,
  type TerminalProgram,
  type TerminalSession,
} from './session-backend.ts';

/** What tests put in place of the machine's own. */
export interface SessionBackendOptions {
  readonly loadPty?: () => unknown;
}

/**
 * Programs in pseudoterminals of this machine, through node-pty and the tools of util-linux. Where one of them is not
 * there it says so and runs nothing.
 */
export function createSessionBackend(options: SessionBackendOptions = {}): SessionBackend {
  const loaded = process.platform === 'linux' ? loadPty(options.loadPty) : notLinux;
  const missing = missingTools();
  const unavailable = !loaded.ok
    ? loaded.why
    : missing.length > 0
      ? `this machine has no ${missing.join(', ')} (util-linux), without which a program can't be bounded`
      : undefined;
  const echo = createEchoReader();
  return {
    unavailable,
    check: checkProgram,
    async open(program, session, size, listener) {
      if (!loaded.ok || unavailable !== undefined) throw new SessionError(unavailable ?? 'there are no terminals here');
      const problems = await checkProgram(program);
      if (problems.length > 0) throw new SessionError(problems.join('; '));
      const as = await runAs(program);
      if (typeof as === 'string') throw new SessionError(as);
      let terminal: Terminal;
      try {
        terminal = new Terminal({ pty: loaded.pty, echo }, program, as, session, size, listener);
      } catch (error) {
        throw error instanceof SessionError
          ? error
          : new SessionError('the terminal could not be opened', { cause: error });
      }
      await terminal.ready();
      return terminal;
    },
  };
}

const notLinux = { ok: false, why: 'console programs run on Linux only' } as const;
