import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrokerConfig } from '../../broker/config/index.ts';
import type { OpenRecording } from '../../broker/recording/index.ts';
import { type ConfigFlags, readConfig } from '../settings.ts';
import { LocalError } from '../usage-error.ts';

export interface RecordingFlags extends ConfigFlags {
  readonly key?: string;
}

/** Where the broker of this configuration keeps recordings. */
export function recordingDirectory(config: BrokerConfig): string {
  return config.console?.recording.directory ?? join(config.stateDirectory, 'recordings');
}

/** The file that is named, or the recording of the session whose id, or its beginning, is given. */
export async function recordingPath(name: string, flags: ConfigFlags): Promise<string> {
  const isFile = await stat(name).then(
    (found) => found.isFile(),
    () => false,
  );
  if (isFile) return name;
  const directory = recordingDirectory(await readConfig(flags));
  const names = await readdir(directory).catch((): string[] => []);
  const found = /^[0-9a-f-]{4,36}$/.test(name) ? names.filter((one) => one.startsWith(name)) : [];
  const [only, ...others] = found;
  if (only === undefined) {
    throw new LocalError(
      `there is no file and no recording \`${name}\``,
      `recordings are in \`${directory}\`, named by their sessions: give a file, an id or the beginning of one`,
    );
  }
  if (others.length > 0) {
    throw new LocalError(`\`${name}\` begins the ids of ${found.length} recordings`, 'give more of the id', found);
  }
  return join(directory, only);
}

/** Opens the recording, with the private key where one is given. */
export async function openNamed(name: string, flags: RecordingFlags): Promise<OpenRecording> {
  const path = await recordingPath(name, flags);
  const { readRecording, RecordingError } = await import('../../broker/recording/index.ts');
  const pem = flags.key === undefined ? undefined : await readFile(flags.key, 'utf8').catch(() => '');
  if (pem === '') throw new LocalError(`the key \`${flags.key}\` can't be read`, 'name the private key of recordings');
  try {
    return await readRecording(path, pem);
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    throw new LocalError(error.message, 'an encrypted recording opens with --key and its private key');
  }
}
