/** Levels only rise until reboot (R9). */
export type LockdownLevel = 'none' | 'integrity' | 'confidentiality';
export const lockdownLevels: readonly LockdownLevel[] = ['none', 'integrity', 'confidentiality'];

/** `host`: a machine whose tenants share it. `bmc`: a management controller that owns the fabric. */
export type Profile = 'host' | 'bmc';

/** L8: what is left under lockdown. */
export type UnderLockdown = 'allow' | 'reads' | 'off';

/** The bits of the taint register; bit number, letter and meaning are the table in `bits.ts`. */
export type TaintLetter = 'R' | 'V' | 'J' | 'O' | 'C' | 'E' | 'M' | 'X' | 'F' | 'A' | 'B';

/** One time a bit was raised. Every raising is kept, not only the first (R10). */
export interface TaintEntry {
  readonly letter: TaintLetter;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Principal (`user:ISSUER#SUB`) or `broker`. */
  readonly by: string;
  /** Request id or journal sequence that tells the story. */
  readonly record: string;
  /** Resource path of the subtree that the bit restricts: `/switches/sw0` or `/switches/sw0/ports/3`. */
  readonly scope: string;
  readonly reason: string;
  /** Nth raising of this register, from 1; orders raisings and acknowledgements whatever the clock does. */
  readonly ordinal?: number;
  /** The path it was raised on, where the register was full and the scope had to be widened to an ancestor. */
  readonly raisedOn?: string;
}

/** Someone looked at a bit: its T rows and alarms are lifted, the bit stays. */
export interface TaintAcknowledgement {
  readonly letter: TaintLetter;
  readonly scope: string;
  readonly atMs: number;
  readonly by: string;
  readonly reason: string;
  /** Ordinal of the last raising that it covers. */
  readonly upTo?: number;
}

/** All raisings of one bit on one path. `count` tells how many there were where `entries` no longer has them all. */
export interface TaintCount {
  readonly letter: TaintLetter;
  readonly scope: string;
  readonly count: number;
}

/** What the register of one switch says. */
export interface TaintView {
  /** OR of `1 << bit` over all entries. */
  readonly mask: number;
  /** Letters in bit order, `-` when none. */
  readonly letters: string;
  readonly entries: readonly TaintEntry[];
  readonly acknowledgements: readonly TaintAcknowledgement[];
  /** How often each bit was raised on each path; `entries` keeps the first and the last few of each. */
  readonly counts?: readonly TaintCount[];
}

/** Everything about the switch's standing that a decision rests on. */
export interface Posture {
  /** Grows whenever anything below changes. */
  readonly version: number;
  readonly lockdown: {
    /** The highest of the three. */
    readonly effective: LockdownLevel;
    /** `not-consulted`: the backend does not touch this host's hardware. */
    readonly kernel: LockdownLevel | 'not-consulted';
    readonly config: LockdownLevel;
    readonly runTime: LockdownLevel;
  };
  readonly profile: Profile;
  /** The option `raw_commands`: off unless it reads `taints-this-switch` (R18). */
  readonly rawCommands: 'off' | 'taints-this-switch';
  /** `raw_allow_all`: skips the last two tests of the raw gate only (R8). */
  readonly rawAllowAll: boolean;
  readonly underLockdown: UnderLockdown;
  readonly taint: TaintView;
}
