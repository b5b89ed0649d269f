import { readFile } from 'node:fs/promises';
import type { Client } from '../client/index.ts';
import { clientTls, type TlsFlags } from './client-certificate.ts';
import { clientDpop, type DpopFlags } from './dpop-key.ts';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

/** Flags that every command has which talks to a broker. */
export interface CommonFlags extends TlsFlags, DpopFlags {
  readonly url?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly switch?: string;
  readonly json?: boolean;
}

export const DEFAULT_URL = 'http://127.0.0.1:8420';
export const DEFAULT_SWITCH = 'sw0';

/** What a command works with. */
export interface Session {
  readonly io: Io;
  readonly client: Client;
  readonly switch: string;
  readonly json: boolean;
}

/** A client for the flags and the environment. Reads the token file; connects to nothing. */
export async function connect(io: Io, flags: CommonFlags, timeoutMs?: number): Promise<Session> {
  const url = brokerUrl(flags.url ?? nonEmpty(io.env.CCI_URL) ?? DEFAULT_URL);
  const token = await findToken(io, flags);
  const [tls, dpop] = await Promise.all([clientTls(io, flags), clientDpop(io, flags)]);
  if (url.protocol === 'http:' && token !== '' && !isLoopback(url.hostname)) {
    io.err(`cci: the token goes to ${url.host} unencrypted; use https\n`);
  }
  const { createClient } = await import('../client/index.ts');
  const name = flags.switch ?? nonEmpty(io.env.CCI_SWITCH) ?? DEFAULT_SWITCH;
  return {
    io,
    client: createClient({
      url: url.href,
      token,
      switch: name,
      ...tls,
      ...dpop,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }),
    switch: name,
    json: flags.json === true,
  };
}

export function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

export function brokerUrl(text: string): URL {
  const url = URL.parse(text);
  const example = `it looks like ${DEFAULT_URL}`;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new UsageError(`\`${text}\` is not the URL of a broker`, example);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError('the URL of a broker has no user, password, query or fragment', example);
  }
  return url;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

async function findToken(io: Io, flags: CommonFlags): Promise<string> {
  if (flags.token !== undefined && flags.tokenFile !== undefined) {
    throw new UsageError('--token and --token-file exclude each other', 'give one of them');
  }
  const file = flags.tokenFile ?? (flags.token === undefined ? nonEmpty(io.env.CCI_TOKEN_FILE) : undefined);
  const token = (file === undefined ? (flags.token ?? io.env.CCI_TOKEN ?? '') : await readToken(file)).trim();
  // Nothing of the token itself is repeated: error messages end up in logs.
  if (!/^[\x21-\x7e]*$/.test(token)) {
    throw new UsageError('the token has characters that no token has', 'pass it as `cci token issue` printed it');
  }
  return token;
}

async function readToken(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new UsageError(`the token file \`${file}\` cannot be read (${code})`, 'name a file that holds one token');
  }
}
