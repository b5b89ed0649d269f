import { hash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DpopFlags, dpopKeyPath, openDpopKey } from './dpop-key.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { parseDuration } from './numbers.ts';
import { safe, safeJson } from './safe-text.ts';
import { type ConfigFlags, readConfig } from './settings.ts';
import { LocalError, UsageError } from './usage-error.ts';
import { instant } from './views.ts';

export interface TokenFlags extends ConfigFlags, DpopFlags {
  readonly tenant: string;
  readonly subject: string;
  readonly group?: readonly string[];
  readonly scope?: string;
  readonly ttl?: string;
  readonly certificate?: string;
  readonly json?: boolean;
}

/** `cci token issue`: the token to stdout and nothing else; the key is that of the local development issuer. */
export async function issueToken(io: Io, flags: TokenFlags): Promise<ExitCode> {
  const ttlMs = flags.ttl === undefined ? undefined : parseDuration(flags.ttl);
  const config = await readConfig(flags);
  const issuer = config.issuers.find(({ kind }) => kind === 'development');
  if (config.production || issuer === undefined) {
    const why = config.production ? 'is for production' : 'names no development issuer';
    throw new LocalError(`the configuration \`${config.file}\` ${why}`, 'get your token from an issuer that it names');
  }
  const { DevelopmentIssuerError, issueDevelopmentToken } = await import('../broker/auth/index.ts');
  const scopes = flags.scope?.split(/\s+/).filter((scope) => scope !== '');
  const issued = await issueDevelopmentToken({
    directory: issuer.directory === undefined ? join(config.stateDirectory, 'issuer') : issuer.directory,
    tenant: flags.tenant,
    subject: flags.subject,
    groups: flags.group ?? [],
    ...(scopes === undefined ? {} : { scopes }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
    boundTo: await boundTo(io, flags),
  }).catch((error: unknown) => {
    if (!(error instanceof DevelopmentIssuerError)) throw error;
    throw new LocalError(error.message, '`cci token issue --help` shows a token that works');
  });
  io.out(flags.json === true ? `${JSON.stringify(issued, null, 2)}\n` : `${issued.token}\n`);
  io.err(`for ${flags.subject} of tenant ${flags.tenant}, until ${instant(issued.expiresAtMs)}\n`);
  return EXIT.done;
}

/** `cci token key`: the thumbprint to stdout. An issuer that sees a proof of the key binds tokens to it by that. */
export async function showKey(io: Io, flags: DpopFlags & { readonly json?: boolean }): Promise<ExitCode> {
  const path = dpopKeyPath(io, flags);
  if (path === undefined) throw new UsageError('which key?', 'name its file with --dpop-key or CCI_DPOP_KEY');
  const thumbprint = await thumbprintOf(io, path);
  io.out(flags.json === true ? `${safeJson({ file: path, thumbprint })}\n` : `${thumbprint}\n`);
  return EXIT.done;
}

async function thumbprintOf(io: Io, path: string): Promise<string> {
  const { dpopThumbprint } = await import('../client/index.ts');
  const { key, isNew } = await openDpopKey(path);
  if (isNew) io.err(`made the key file ${safe(path)}, mode 0600\n`);
  return dpopThumbprint(key);
}

async function boundTo(io: Io, flags: TokenFlags) {
  const path = dpopKeyPath(io, flags);
  return {
    ...(path === undefined ? {} : { key: await thumbprintOf(io, path) }),
    ...(flags.certificate === undefined ? {} : { certificate: await digestOf(flags.certificate) }),
  };
}

/** `x5t#S256` of the first certificate of a PEM file. */
async function digestOf(path: string): Promise<string> {
  try {
    return hash('sha256', new X509Certificate(await readFile(path)).raw, 'base64url');
  } catch {
    throw new UsageError(`\`${path}\` is no certificate that can be read`, 'name a file with a PEM block');
  }
}
