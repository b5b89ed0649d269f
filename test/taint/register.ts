import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type PostureConfig, PostureRegister } from '../../src/taint/index.ts';
import { configIn, SWITCH } from './register-config.ts';

export { SWITCH };

/** A directory that goes away with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'taint-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Opens a register; again with other settings to play a restart. */
export function openIn(directory: string, more: Partial<PostureConfig> = {}): Promise<PostureRegister> {
  return PostureRegister.open(configIn(directory, more));
}

export function raising(scope: string = SWITCH, reason: string = 'test') {
  return { by: 'user:local#alice', record: 'req-1', scope, reason };
}
