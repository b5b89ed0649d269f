import { type LockdownLevel, type Posture, type Profile, type TaintLetter, taintBits } from '../../taint/index.ts';
import type { ResourcePath } from '../types.ts';

/** Standing of a switch as a test suite or a question assumes it; what is left out is as lax as it can be. */
export interface AssumedPosture {
  readonly profile: Profile;
  readonly lockdown?: LockdownLevel;
  readonly rawCommands?: Posture['rawCommands'];
  readonly rawAllowAll?: boolean;
  readonly underLockdown?: Posture['underLockdown'];
  /** Bits that are raised and not acknowledged, each with the subtree it restricts. */
  readonly taint?: readonly { readonly letter: TaintLetter; readonly scope: ResourcePath }[];
}

/** A posture to decide on without a register. */
export function assumedPosture(assumed: AssumedPosture): Posture {
  const level = assumed.lockdown ?? 'none';
  const taint = assumed.taint ?? [];
  const raised = taintBits.filter(({ letter }) => taint.some((one) => one.letter === letter));
  return {
    version: 1,
    lockdown: { effective: level, kernel: 'not-consulted', config: level, runTime: 'none' },
    profile: assumed.profile,
    rawCommands: assumed.rawCommands ?? 'off',
    rawAllowAll: assumed.rawAllowAll ?? false,
    underLockdown: assumed.underLockdown ?? 'allow',
    taint: {
      mask: raised.reduce((mask, { bit }) => mask | (1 << bit), 0),
      letters: raised.length === 0 ? '-' : raised.map(({ letter }) => letter).join(''),
      entries: taint.map(({ letter, scope }, i) => ({
        letter,
        scope,
        atMs: 0,
        by: 'assumed',
        record: 'assumed',
        reason: 'assumed',
        ordinal: i + 1,
      })),
      acknowledgements: [],
    },
  };
}
