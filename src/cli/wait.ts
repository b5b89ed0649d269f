import { isSuccess, returnCodeName } from '../cci/index.ts';
import type { Operation } from '../client/index.ts';
import type { Session } from './connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { safe } from './safe-text.ts';

const POLL_MS = 250;

/** Waits until a background operation has ended, with a progress bar on a terminal. */
export async function waitForOperation(session: Session, id: string): Promise<ExitCode> {
  const { io, client } = session;
  let operation = await client.operation(id);
  while (operation.state === 'running') {
    if (io.errIsTerminal) io.err(`\r${bar(operation)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    operation = await client.operation(id);
  }
  if (io.errIsTerminal) io.err(`\r${bar(operation)}\n`);
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

function bar(operation: Operation): string {
  const percent = Math.max(0, Math.min(100, Math.round(operation.percent)));
  const filled = Math.round(percent / 5);
  return `${safe(operation.command)} [${'#'.repeat(filled)}${'.'.repeat(20 - filled)}] ${String(percent).padStart(3)}%`;
}
