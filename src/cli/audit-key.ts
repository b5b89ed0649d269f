import { readFile } from 'node:fs/promises';
import { type AuditFlags, journalPath, withJournal } from './audit-place.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { safeJson } from './safe-text.ts';
import { readConfig } from './settings.ts';
import { LocalError } from './usage-error.ts';

/** A public key, and where it was found. */
export interface FoundKey {
  readonly pem: string;
  readonly path: string;
  /** Lies beside the journal: whoever can write there can replace both. */
  readonly isBeside: boolean;
}

/** The key of a journal as this machine has it: from the private one, else the copy beside the journal. */
export async function findKey(flags: AuditFlags): Promise<FoundKey | undefined> {
  const { publishedKeyPath, signingKeyPath } = await import('../broker/index.ts');
  const { openSigningKey } = await import('../broker/journal/index.ts');
  if (flags.journal === undefined) {
    const path = signingKeyPath(await readConfig(flags));
    const opened = await openSigningKey(path, { make: false }).catch(() => undefined);
    if (opened !== undefined) return { pem: opened.signer.publicKey, path, isBeside: false };
  }
  const path = publishedKeyPath(await journalPath(flags));
  const pem = await readFile(path, 'utf8').catch(() => undefined);
  return pem === undefined ? undefined : { pem, path, isBeside: true };
}

/** `cci audit key`: the public key that checkpoints are checked with. */
export async function key(io: Io, flags: AuditFlags): Promise<ExitCode> {
  const found = await findKey(flags);
  if (found === undefined) {
    throw new LocalError('there is no signing key yet', 'start a broker with `cci serve`: it makes one');
  }
  const { checkpointKey } = await import('../broker/journal/index.ts');
  const { keyId } = await withJournal(async () => checkpointKey(found.pem));
  if (flags.json === true) io.out(`${safeJson({ keyId, publicKey: found.pem })}\n`);
  else {
    io.out(found.pem);
    io.err(`key ${keyId}; keep it where nobody who can write the journal can change it\n`);
  }
  return EXIT.done;
}

/** `cci audit schema`: JSON Schema of records. */
export async function schema(io: Io): Promise<ExitCode> {
  const { journalRecordSchema } = await import('../broker/journal/index.ts');
  io.out(`${safeJson(journalRecordSchema())}\n`);
  return EXIT.done;
}
