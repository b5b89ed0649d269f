import { resolve } from 'node:path';
import type { BrokerConfig } from '../../broker/config/index.ts';
import { type Fabric, formatLoadError, type LoadError, loadFabric } from '../../policy/index.ts';
import { type OpenPolicy, openPolicy } from '../../policy/tools.ts';
import { type ConfigFlags, readConfig } from '../settings.ts';
import { LocalError } from '../usage-error.ts';

/** Flags that say which policy is meant; what is left out is the configuration's. */
export interface PolicyFlags extends ConfigFlags {
  readonly policy?: string;
  readonly fabric?: string;
  readonly profile?: string;
}

/** The files that a question is about. */
export interface PolicyFiles {
  readonly config: BrokerConfig;
  readonly directory: string;
  readonly fabricFile: string;
  readonly profile: 'host' | 'bmc';
}

/** Where the policy and the fabric are, by flags or by the configuration. */
export async function policyFiles(flags: PolicyFlags): Promise<PolicyFiles> {
  const config = await readConfig(flags);
  return {
    config,
    directory: flags.policy === undefined ? config.policyDirectory : resolve(flags.policy),
    fabricFile: flags.fabric === undefined ? config.fabric : resolve(flags.fabric),
    profile: flags.profile === 'bmc' || flags.profile === 'host' ? flags.profile : config.profile,
  };
}

/** Loads both as a broker would. @throws LocalError with every mistake where one of them has any */
export async function openedPolicy(files: PolicyFiles): Promise<OpenPolicy & { readonly fabric: Fabric }> {
  const fabric = loadFabric(files.fabricFile);
  if (!fabric.ok) throw unusable(`the fabric file \`${files.fabricFile}\``, fabric.error);
  const opened = await openPolicy({ directory: files.directory, fabric: fabric.value, profile: files.profile });
  if (!opened.ok) throw unusable(`the policy \`${files.directory}\``, opened.error);
  return opened.value;
}

function unusable(what: string, errors: readonly LoadError[]): LocalError {
  return new LocalError(
    `${what} cannot be used`,
    'mend what is named above; `cci policy check` says the same',
    errors.flatMap((error) => formatLoadError(error).split('\n')),
  );
}
