import { join } from 'node:path';
import type { PostureConfig } from '../../src/taint/index.ts';

export const SWITCH = '/switches/sw0';

/** The configuration of a register in `directory`; time is 1, 2, 3, ... */
export function configIn(directory: string, more: Partial<PostureConfig> = {}): PostureConfig {
  let time = 0;
  return {
    switchPath: SWITCH,
    profile: 'host',
    lockdown: 'none',
    rawCommands: 'off',
    rawAllowAll: false,
    underLockdown: 'allow',
    consultKernel: false,
    kernelLockdown: 'read',
    ledgerPath: join(directory, 'taint-sw0.json'),
    serial: 'S1',
    journalNotEmpty: false,
    bootId: () => 'boot-1',
    now: () => ++time,
    ...more,
  };
}
