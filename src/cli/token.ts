import { join } from 'node:path';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { parseDuration } from './numbers.ts';
import { type ConfigFlags, readConfig } from './settings.ts';
import { LocalError } from './usage-error.ts';
import { instant } from './views.ts';

export interface TokenFlags extends ConfigFlags {
  readonly tenant: string;
  readonly subject: string;
  readonly group?: readonly string[];
  readonly scope?: string;
  readonly ttl?: string;
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
  }).catch((error: unknown) => {
    if (!(error instanceof DevelopmentIssuerError)) throw error;
    throw new LocalError(error.message, '`cci token issue --help` shows a token that works');
  });
  io.out(flags.json === true ? `${JSON.stringify(issued, null, 2)}\n` : `${issued.token}\n`);
  io.err(`for ${flags.subject} of tenant ${flags.tenant}, until ${instant(issued.expiresAtMs)}\n`);
  return EXIT.done;
}
