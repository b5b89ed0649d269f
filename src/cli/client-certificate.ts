import { type FileHandle, open } from 'node:fs/promises';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

/** Flags for TLS towards a broker. */
export interface TlsFlags {
  readonly ca?: string;
  readonly cert?: string;
  readonly certKey?: string;
}

/** What a client of the library takes. */
export interface ClientTls {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
}

const FILE_MAX = 1024 * 1024;

/** Reads the files that the flags or `CCI_CA`, `CCI_CERT` and `CCI_KEY` name. @throws UsageError */
export async function clientTls(io: Io, flags: TlsFlags): Promise<ClientTls> {
  const path = (flag: string | undefined, name: string) => flag ?? (io.env[name] === '' ? undefined : io.env[name]);
  const [ca, cert, key] = [path(flags.ca, 'CCI_CA'), path(flags.cert, 'CCI_CERT'), path(flags.certKey, 'CCI_KEY')];
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('a certificate and its key belong together', 'give both --cert and --cert-key');
  }
  return {
    ...(ca === undefined ? {} : { ca: await read(ca, 'CERTIFICATE') }),
    ...(cert === undefined ? {} : { certificate: await read(cert, 'CERTIFICATE') }),
    ...(key === undefined ? {} : { key: await read(key, 'PRIVATE KEY', io) }),
  };
}

/** @param warn where given, the file is a secret, and others who can read it are told of */
async function read(path: string, what: string, warn?: Io): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const { mode, size } = await file.stat();
    if (warn !== undefined && (mode & 0o077) !== 0) {
      warn.err(`cci: others can read the key \`${path}\`: chmod 600 it\n`);
    }
    const text = size > FILE_MAX ? '' : await file.readFile('utf8');
    if (!/-----BEGIN [A-Z ]+-----/.test(text) || !text.includes(`${what}-----`)) {
      throw new UsageError(`\`${path}\` is no ${what.toLowerCase()} in PEM`, 'name a file with a PEM block');
    }
    return text;
  } catch (error) {
    throw error instanceof UsageError ? error : unreadable(path, error);
  } finally {
    await file.close();
  }
}

function unreadable(path: string, error: unknown): UsageError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
  return new UsageError(`the file \`${path}\` cannot be read (${code})`, 'name a PEM file');
}
