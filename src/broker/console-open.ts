import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionBackend } from '../backend/console/index.ts';
import type { BrokerConfig } from './config/index.ts';
import type { ConsoleService } from './console/index.ts';
import type { Services } from './pipeline/index.ts';
import type { CreateRecording } from './recording/index.ts';

/** What tests put in place of the machine's own. */
export interface ConsoleOverrides {
  readonly backend?: SessionBackend;
  readonly createRecording?: CreateRecording;
}

/** Directory of the recordings of a configuration. */
export function recordingDirectory(config: Pick<BrokerConfig, 'console' | 'stateDirectory'>): string {
  return config.console?.recording.directory ?? join(config.stateDirectory, 'recordings');
}

/**
 * Consoles, where the configuration has any. A machine without terminals is no reason not to start; a key that recordings
 * should be encrypted to and can't be is one.
 * @throws Error with a sentence for people
 */
export async function openConsoles(
  config: BrokerConfig,
  services: Services,
  overrides: ConsoleOverrides = {},
): Promise<ConsoleService | undefined> {
  const { console: settings } = config;
  if (settings === undefined) return undefined;
  // Most brokers have none: what they need is loaded here.
  const [{ createSessionBackend }, { ConsoleService }, { createRecording }] = await Promise.all([
    import('../backend/console/index.ts'),
    import('./console/index.ts'),
    import('./recording/index.ts'),
  ]);
  const { publicKeyFile } = settings.recording;
  const publicKey = publicKeyFile === undefined ? undefined : await publicKeyOf(publicKeyFile);
  return new ConsoleService({
    services,
    settings,
    backend: overrides.backend ?? createSessionBackend(),
    createRecording: overrides.createRecording ?? createRecording,
    recordingDirectory: recordingDirectory(config),
    publicKey,
  });
}

async function publicKeyOf(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new Error(`the key of the recordings, ${file}, cannot be read`);
  });
  const { recordingPublicKey } = await import('./recording/index.ts');
  try {
    recordingPublicKey(text);
    return text;
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** What the broker says of consoles when it is up. */
export async function consoleLines(
  { profile, rawCommands }: Pick<BrokerConfig, 'profile' | 'rawCommands'>,
  consoles: ConsoleService | undefined,
): Promise<readonly string[]> {
  if (consoles === undefined) return [];
  const { settings, backend } = consoles.parts;
  const names = [...settings.programs.keys()];
  const why = consoles.unavailable;
  if (why !== undefined) return [`  ATTENTION  consoles are not available: ${why}`];
  const second = [
    ...(settings.approval === 'required' ? ['a second person confirms'] : []),
    ...(settings.watcher === 'required' ? ['a second person looks on'] : []),
  ];
  const lines = [`  console    ${names.join(', ')}${second.length === 0 ? '' : `; ${second.join(', ')}`}`];
  // Better said now than at three in the morning.
  if (profile !== 'bmc' || rawCommands === 'off') {
    lines.push('  ATTENTION  no console can be opened: the raw gate is closed (profile `bmc`, `raw_commands`)');
  }
  if (process.getuid?.() !== 0) {
    lines.push(
      "  ATTENTION  consoles run as the broker's own user: their programs can reach its journal, its keys and their own recordings",
    );
  }
  for (const program of settings.programs.values()) {
    const { memoryBytes, processes, files } = program.limits;
    const problems = await backend.check({ ...program, limits: { memoryBytes, processes, files } });
    lines.push(...problems.map((problem) => `  ATTENTION  console \`${program.name}\` cannot be opened: ${problem}`));
  }
  return lines;
}
