import { isSuccess, returnCodeName } from '../cci/index.ts';
import { CciError, type Operation } from '../client/index.ts';
import type { Session } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { Progress } from './progress.ts';
import { safe } from './safe-text.ts';

const POLL_FIRST_MS = 50;
const POLL_SLOWEST_MS = 2000;
/** How long a broker may be away: one that is started again still knows the operation. */
const AWAY_MS = 30_000;
const AWAY: ReadonlySet<string> = new Set(['EUNREACHABLE', 'EAGAIN', 'EIO']);

/** Waits until a background operation has ended, and shows how it gets on. */
export async function waitForOperation(session: Session, id: string): Promise<ExitCode> {
  const { io } = session;
  const progress = new Progress(io);
  let operation = await session.client.operation(id);
  if (io.errIsTerminal && operation.state === 'running') {
    io.err(`waiting for operation ${safe(id)}; Ctrl-C ends the waiting, not the operation\n`);
  }
  for (let pauseMs = POLL_FIRST_MS; ; pauseMs = Math.min(pauseMs * 1.5, POLL_SLOWEST_MS)) {
    progress.show(operation);
    if (operation.state !== 'running') break;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    operation = await ask(session, id, operation, progress);
  }
  progress.end();
  if (operation.state === 'unknown') {
    io.err(
      `cci: what became of operation ${safe(id)} is not known\n  next: look at the state before you send it again\n`,
    );
    return EXIT.failed;
  }
  const code = operation.returnCode ?? 0;
  io.err(`operation ${safe(id)} ended: ${returnCodeName(code)}\n`);
  return isSuccess(code) ? EXIT.done : EXIT.device;
}

/** Asks until somebody answers, or nobody has for too long. */
async function ask({ client }: Session, id: string, last: Operation, progress: Progress): Promise<Operation> {
  const until = Date.now() + AWAY_MS;
  for (let pauseMs = POLL_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, POLL_SLOWEST_MS)) {
    try {
      return await client.operation(id);
    } catch (error) {
      if (!(error instanceof CciError && AWAY.has(error.code)) || Date.now() + pauseMs > until) throw error;
      if (pauseMs === POLL_FIRST_MS) progress.show(last, 'the broker does not answer, asking again');
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
