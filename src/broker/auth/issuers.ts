import { err, ok, type Result } from '../../cci/index.ts';
import { DevelopmentIssuerError, openDevelopmentIssuer } from './development-issuer.ts';
import type { IssuerRules, KeyOrigin } from './issuer-config.ts';
import { type KeySet, readKeySet } from './key-set.ts';
import { type Clock, type KeySource, readKeyFile, StaticKeys } from './key-source.ts';
import { type Fetch, RemoteKeys } from './remote-keys.ts';
import { authoritiesProblem, verifiedFetch } from './verified-fetch.ts';

/** An issuer with its keys. */
export interface Issuer {
  readonly rules: IssuerRules;
  readonly keys: KeySource;
}

/** What the issuers' keys are read with. */
export interface IssuerSources {
  readonly clock: Clock;
  /** In place of the one that verifies certificates; for tests. */
  readonly fetch?: Fetch;
  /** Turns a path of the configuration into one to open. Default: as it is. */
  readonly resolvePath?: (path: string) => string;
  /** Directory of the development issuer where its configuration names none. */
  readonly developmentDirectory?: string;
  /** Told, in a sentence without secrets, about keys that could not be fetched or used. */
  readonly report?: (text: string) => void;
}

/**
 * Reads the keys of every issuer, at once. A URL that does not answer does not keep the broker from starting: tokens of
 * that issuer are refused until it does. Everything else is a problem.
 */
export async function createIssuers(
  all: readonly IssuerRules[],
  sources: IssuerSources,
): Promise<Result<ReadonlyMap<string, Issuer>, readonly string[]>> {
  const problems: string[] = [];
  const issuers = new Map<string, Issuer>();
  await Promise.all(
    all.map(async (rules) => {
      const flaw = await authoritiesFlaw(rules, sources);
      if (flaw !== undefined) problems.push(`issuer \`${rules.issuer}\`: ${flaw}`);
      const keys = keySource(rules, sources);
      issuers.set(rules.issuer, { rules, keys });
      const read = await keys.reload();
      if (!read.ok && rules.keys.kind !== 'url') problems.push(`issuer \`${rules.issuer}\`: ${read.error}`);
    }),
  );
  return problems.length === 0 ? ok(issuers) : err(problems);
}

function keySource(rules: IssuerRules, sources: IssuerSources): KeySource {
  const { keys: origin, algorithms: accepted } = rules;
  const { resolvePath = (path: string) => path, report = () => {}, clock } = sources;
  switch (origin.kind) {
    case 'file':
      return new StaticKeys(() => readKeyFile(resolvePath(origin.path), accepted));
    case 'url':
      return new RemoteKeys({ origin, accepted, clock, report, fetch: sources.fetch ?? fetchFor(origin, resolvePath) });
    case 'development': {
      const directory = origin.directory === undefined ? sources.developmentDirectory : resolvePath(origin.directory);
      return new StaticKeys(() => readDevelopmentKeys(directory, rules));
    }
  }
}

/** A file that the operator named and that is no good is a mistake, unlike a URL that does not answer. */
export async function authoritiesFlaw(
  { keys }: IssuerRules,
  { resolvePath = (path) => path }: Pick<IssuerSources, 'resolvePath'>,
): Promise<string | undefined> {
  return keys.kind === 'url' && keys.caFile !== undefined ? authoritiesProblem(resolvePath(keys.caFile)) : undefined;
}

function fetchFor(origin: Extract<KeyOrigin, { kind: 'url' }>, resolvePath: (path: string) => string): Fetch {
  return verifiedFetch(origin.caFile === undefined ? undefined : resolvePath(origin.caFile));
}

async function readDevelopmentKeys(
  directory: string | undefined,
  { algorithms: accepted }: IssuerRules,
): Promise<Result<KeySet, string>> {
  if (directory === undefined) return err('the development issuer needs a `directory`');
  try {
    const { jwks } = await openDevelopmentIssuer({ directory });
    const read = await readKeySet(Buffer.from(JSON.stringify(jwks)), accepted);
    return read.ok ? ok(read.value.keys) : read;
  } catch (error) {
    if (error instanceof DevelopmentIssuerError) return err(error.message);
    throw error;
  }
}
