import { fileURLToPath } from 'node:url';
import type { BrokerConfig } from '../broker/config/index.ts';
import { LocalError } from './usage-error.ts';

/** The configuration that comes with the project: an emulated switch on loopback. */
export const DEFAULT_CONFIG = fileURLToPath(new URL('../../config/broker.yaml', import.meta.url));

export interface ConfigFlags {
  readonly config?: string;
  readonly stateDirectory?: string;
}

/** Reads a configuration file, for commands that only need to know where things are. */
export async function readConfig(flags: ConfigFlags): Promise<BrokerConfig> {
  const [{ loadConfig }, { formatProblem }] = await Promise.all([
    import('../broker/config/index.ts'),
    import('../yaml/index.ts'),
  ]);
  const path = flags.config ?? DEFAULT_CONFIG;
  const loaded = await loadConfig(path);
  if (!loaded.ok) {
    throw new LocalError(
      `the configuration \`${path}\` cannot be used`,
      'mend what is named above, or name another file with --config',
      loaded.problems.map(formatProblem),
    );
  }
  return { ...loaded.config, stateDirectory: flags.stateDirectory ?? loaded.config.stateDirectory };
}
