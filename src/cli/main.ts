import type { Io } from './io.ts';
import { runCli } from './run-cli.ts';

/** Status of a process that SIGINT ended. */
const INTERRUPTED = 130;

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  outIsTerminal: process.stdout.isTTY === true,
  errIsTerminal: process.stderr.isTTY === true,
  untilTold,
};

// `cci show ports | head -1`: a reader that has seen enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runCli(io, process.argv.slice(2));

function untilTold(reload?: () => void): AbortSignal {
  const told = new AbortController();
  const stop = (): void => {
    // Asked twice: whoever asks does not want to wait.
    if (told.signal.aborted) process.exit(INTERRUPTED);
    told.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  if (reload !== undefined) process.on('SIGHUP', reload);
  return told.signal;
}
