import { activeFor, contains } from './active.ts';
import type { StateFileSystem } from './atomic-file.ts';
import { taintBit, taintLetters, taintMask } from './bits.ts';
import { PostureError } from './errors.ts';
import { type KernelTaintPaths, kernelTaintPaths, type MirrorOutcome, mirrorToKernel } from './kernel-taint.ts';
import { Ledger } from './ledger.ts';
import { acknowledged, contents, isInForce, levelRaised, raised } from './ledger-state.ts';
import { effectiveLevel, isHigher, KERNEL_LOCKDOWN_PATH, type KernelLockdown, readKernelLevel } from './lockdown.ts';
import {
  type LockdownLevel,
  lockdownLevels,
  type Posture,
  type Profile,
  type TaintLetter,
  type TaintView,
  type UnderLockdown,
} from './types.ts';

/** What the posture of one switch is made of. */
export interface PostureConfig {
  /** `/switches/sw0` */
  readonly switchPath: string;
  readonly profile: Profile;
  /** The level of the configuration file. */
  readonly lockdown: LockdownLevel;
  readonly rawCommands: 'off' | 'taints-this-switch';
  readonly rawAllowAll: boolean;
  readonly underLockdown: UnderLockdown;
  /** True for backends that touch this host's hardware: vfio, sysfs, chardev. */
  readonly consultKernel: boolean;
  readonly kernelLockdown: KernelLockdown;
  /** Default `/sys/kernel/security/lockdown`. */
  readonly kernelLockdownPath?: string;
  readonly ledgerPath: string;
  /** Serial of the device that is there now; empty when it has none. */
  readonly serial: string;
  /** True when the journal already tells of this switch: then a missing ledger is a loss and sets A. */
  readonly journalNotEmpty: boolean;
  /** Id of the boot that taint and run-time level last for; undefined when it can't be told. `hostBootId`, or the device's own. */
  readonly bootId: () => string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** ORs 64 into the kernel's taint mask when a bit is raised. Default false. */
  readonly mirrorKernelTaint?: boolean;
  readonly kernelTaintPaths?: KernelTaintPaths;
  readonly fileSystem?: StateFileSystem;
}

/** Why a bit is raised. */
export interface TaintRaising {
  /** Principal, or `broker`. */
  readonly by: string;
  /** Request id or journal sequence that tells the story. */
  readonly record: string;
  /** Path of the subtree that the bit restricts: the switch or something below it, in canonical form. */
  readonly scope: string;
  readonly reason: string;
}

/** The standing of one switch: lockdown level, raw options and taint register. */
export class PostureRegister {
  readonly #config: PostureConfig;
  readonly #ledger: Ledger;
  readonly #kernelTaintPaths: KernelTaintPaths;
  #kernel: LockdownLevel | 'not-consulted';
  #revision: number;
  #promised: number;
  #posture: Posture;
  #mirror: MirrorOutcome = { state: 'off', detail: 'nothing was raised since the broker started' };

  private constructor(config: PostureConfig, ledger: Ledger) {
    this.#config = config;
    this.#ledger = ledger;
    this.#kernelTaintPaths = config.kernelTaintPaths ?? kernelTaintPaths;
    this.#kernel = this.#readKernel();
    this.#revision = ledger.revision;
    this.#promised = ledger.promised;
    this.#posture = this.#built(1);
  }

  /**
   * Reads the ledger, or makes one.
   * @throws PostureError `EIO` when the ledger can be neither read nor written: then the broker must not start.
   */
  static async open(config: PostureConfig): Promise<PostureRegister> {
    const { ledgerPath: path, switchPath, serial, journalNotEmpty, now, fileSystem } = config;
    const bootId = config.bootId();
    const ledger = await Ledger.open({
      path,
      switchPath,
      serial,
      bootId,
      journalNotEmpty,
      now,
      ...(fileSystem === undefined ? {} : { fileSystem }),
    });
    return new PostureRegister(config, ledger);
  }

  /**
   * The posture now. Reads the kernel's level each time where the backend touches this host's hardware (R9: before each
   * decision), which blocks for some microseconds; the same object comes back while nothing has changed. Counting a bit
   * that is in force already gives another object of the same version: no decision rests on a count.
   */
  posture(): Posture {
    const kernel = this.#readKernel();
    if (kernel !== this.#kernel || this.#ledger.revision !== this.#revision) {
      const decisive = kernel !== this.#kernel || this.#ledger.promised !== this.#promised;
      this.#kernel = kernel;
      this.#revision = this.#ledger.revision;
      this.#promised = this.#ledger.promised;
      this.#posture = this.#built(this.#posture.version + (decisive ? 1 : 0));
    }
    return this.#posture;
  }

  /** Unacknowledged letters that restrict a command touching `path`, see `activeFor`. */
  activeFor(path: string): readonly TaintLetter[] {
    return activeFor(this.posture().taint, path);
  }

  /** False while something that is in force could not be written; the next raising or `retry` tries again. */
  get durable(): boolean {
    return this.#ledger.durable;
  }

  /** What became of `mirrorKernelTaint`. */
  get kernelMirror(): MirrorOutcome {
    return this.#mirror;
  }

  /**
   * Raises a bit. In force at once, durable when it resolves. When it rejects the bit stays in force and the command
   * that raised it must be refused. Where the bit is in force and on disk already, the raising is counted, and the count
   * reaches the disk a little later.
   * @throws PostureError `EINVAL` for an unknown letter or a path outside the switch, `EIO` when it can't be written
   */
  async taint(letter: TaintLetter, raising: TaintRaising): Promise<void> {
    this.#check(letter, raising.scope);
    const entry = { letter, atMs: this.#config.now(), ...raising };
    const { state, durable } = this.#ledger;
    const { switchPath } = this.#config;
    const next = raised(state, entry, switchPath);
    if (isInForce(state, entry, switchPath)) {
      this.#ledger.count(next);
      // The bit itself may still be on its way to the disk.
      if (!durable) await this.#ledger.save();
    } else await this.#ledger.change(next);
    if (this.#config.mirrorKernelTaint === true && this.#mirror.state === 'off') {
      this.#mirror = await mirrorToKernel(this.#kernelTaintPaths);
    }
  }

  /**
   * Records that somebody looked at a bit: T rows and alarms are lifted for what was raised so far, the bit stays.
   * @throws PostureError `EINVAL`, `ENOENT` when the bit was never raised on exactly this path, `EIO`
   */
  async acknowledge(letter: TaintLetter, scope: string, by: string, reason: string): Promise<void> {
    this.#check(letter, scope);
    const given = { letter, scope, atMs: this.#config.now(), by, reason };
    const state = acknowledged(this.#ledger.state, given);
    if (state === undefined) {
      throw new PostureError('ENOENT', `taint \`${letter}\` was never raised on \`${scope}\``);
    }
    await this.#ledger.change(state);
  }

  /**
   * Raises the run-time lockdown level until the next boot. In force at once, durable when it resolves; after an `EIO`
   * it is in force and the same call may be repeated.
   * @throws PostureError `EINVAL` for an unknown level, `EPERM` when it is not higher than the broker's own, `EIO`
   */
  async raise(level: LockdownLevel, by: string, reason: string): Promise<void> {
    if (!lockdownLevels.includes(level)) throw new PostureError('EINVAL', `\`${level}\` is not a lockdown level`);
    const { state } = this.#ledger;
    if (level === state.runTime && level !== 'none' && !this.#ledger.durable) return this.#ledger.save();
    const own = effectiveLevel(this.#config.lockdown, state.runTime);
    const next = levelRaised(state, { level, atMs: this.#config.now(), by, reason });
    if (next === undefined || !isHigher(level, own)) {
      throw new PostureError('EPERM', `lockdown is at \`${own}\` and only rises: \`${level}\` is not higher`);
    }
    await this.#ledger.change(next);
  }

  /** Writes what was counted and is not on disk yet: before the broker ends. @throws PostureError `EIO` */
  flush(): Promise<void> {
    return this.#ledger.flush();
  }

  /** Writes the ledger again after a failure. Does nothing while it is durable. @throws PostureError `EIO` */
  async retry(): Promise<void> {
    if (!this.#ledger.durable) await this.#ledger.save();
  }

  #check(letter: TaintLetter, scope: string): void {
    if (taintBit(letter) === undefined) throw new PostureError('EINVAL', `\`${letter}\` is not a taint`);
    const { switchPath } = this.#config;
    const canonical = scope
      .split('/')
      .slice(1)
      .every((part) => part !== '');
    if (!canonical || !contains(switchPath, scope) || scope.length > MAX_SCOPE) {
      throw new PostureError('EINVAL', `\`${scope}\` is not a path of \`${switchPath}\``);
    }
  }

  #readKernel(): LockdownLevel | 'not-consulted' {
    const { consultKernel, kernelLockdown, kernelLockdownPath } = this.#config;
    return consultKernel
      ? readKernelLevel(kernelLockdown, kernelLockdownPath ?? KERNEL_LOCKDOWN_PATH)
      : 'not-consulted';
  }

  #built(version: number): Posture {
    const { profile, lockdown: config, rawCommands, rawAllowAll, underLockdown } = this.#config;
    const { runTime } = this.#ledger.state;
    const kernel = this.#kernel;
    const effective = effectiveLevel(kernel === 'not-consulted' ? 'none' : kernel, config, runTime);
    return {
      version,
      lockdown: { effective, kernel, config, runTime },
      profile,
      rawCommands,
      rawAllowAll,
      underLockdown,
      taint: this.#view(),
    };
  }

  #view(): TaintView {
    const shown = contents(this.#ledger.state);
    const mask = taintMask(shown.entries.map((entry) => entry.letter));
    return { mask, letters: taintLetters(mask), ...shown };
  }
}

/** Longest path of a resource, in UTF-16 units; a tag with its UUID has about 80. */
const MAX_SCOPE = 512;
