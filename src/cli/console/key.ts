import { writeFile } from 'node:fs/promises';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { safeJson } from '../safe-text.ts';
import { LocalError, UsageError } from '../usage-error.ts';

export interface KeyFlags {
  readonly out?: string;
  readonly json?: boolean;
}

/** `cci console key --out FILE`: a new pair; the private key goes into the file, the public one to stdout. */
export async function consoleKey(io: Io, flags: KeyFlags): Promise<ExitCode> {
  const { out } = flags;
  if (out === undefined) {
    throw new UsageError('where does the private key go?', 'give --out with a file that is not there yet');
  }
  const { newRecordingKey } = await import('../../broker/recording/index.ts');
  const pair = newRecordingKey();
  await writeFile(out, pair.privateKey, { mode: 0o600, flag: 'wx' }).catch((error: unknown): never => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new LocalError(`the private key can't be written to \`${out}\` (${code})`, 'a file is never overwritten');
  });
  if (flags.json === true) io.out(`${safeJson({ keyId: pair.keyId, publicKey: pair.publicKey })}\n`);
  else io.out(pair.publicKey);
  io.err(
    `key ${pair.keyId}; give this public key to the broker (console.recording.public_key_file)\n` +
      `the private key is in ${out}: keep it off the broker's machine, and a copy of it, or nobody reads recordings again\n`,
  );
  return EXIT.done;
}
