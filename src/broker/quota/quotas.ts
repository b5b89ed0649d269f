import { performance } from 'node:perf_hooks';
import { err, ok, type Result } from '../../cci/index.ts';
import { type CommandClass, FABRIC_TENANT } from '../../policy/index.ts';
import type { CommandLimits, LimitName, QuotaSettings, TenantQuota } from './settings.ts';
import { TokenBucket } from './token-bucket.ts';

/** Why a command is more than its tenant may have now. Nothing was taken for it. */
export interface OverQuota {
  readonly limit: LimitName;
  /** One sentence; speaks of the tenant's own limit only. */
  readonly text: string;
  readonly retryAfterMs: number;
}

/** What a command that is let through asks for. */
export interface Demand {
  readonly class: CommandClass;
  /** Payload bytes that are sent. */
  readonly bytes: number;
  /** It may go on in the background. */
  readonly mayRunOn: boolean;
}

/** A command that its quota lets through. */
export interface Pass {
  /** Payload bytes that came back; they are taken when they are known. */
  readonly received: (bytes: number) => void;
  /** Gives back what is held while the command is under way; call it exactly once. */
  readonly end: () => void;
}

/** How much of its limits a tenant has left. */
export interface QuotaView {
  readonly concurrent: { readonly limit: number; readonly used: number };
  readonly commandsPerSecond?: { readonly limit: number; readonly burst: number; readonly left: number };
  readonly bytesPerSecond?: { readonly limit: number; readonly left: number };
  readonly background?: { readonly limit: number; readonly used: number };
  readonly classes?: { readonly [C in CommandClass]?: Partial<Pick<QuotaView, 'concurrent' | 'commandsPerSecond'>> };
}

/** Nobody knows when one of those under way will be done. */
const RETRY_MS = 100;

class Counted {
  readonly limits: CommandLimits;
  readonly rate: TokenBucket | undefined;
  underWay = 0;

  constructor(limits: CommandLimits, nowMs: number) {
    this.limits = limits;
    const { commandsPerSecond } = limits;
    if (commandsPerSecond !== undefined) {
      this.rate = new TokenBucket(commandsPerSecond, limits.burst ?? Math.max(1, commandsPerSecond), nowMs);
    }
  }

  view(nowMs: number): Pick<QuotaView, 'commandsPerSecond'> {
    if (this.rate === undefined) return {};
    const { perSecond, burst } = this.rate;
    return { commandsPerSecond: { limit: perSecond, burst, left: whole(this.rate.level(nowMs)) } };
  }
}

class Account {
  readonly quota: TenantQuota;
  readonly all: Counted;
  readonly bytes: TokenBucket | undefined;
  readonly classes = new Map<CommandClass, Counted>();
  /** Commands under way that may go on in the background. */
  mayRunOn = 0;

  constructor(quota: TenantQuota, nowMs: number) {
    this.quota = quota;
    this.all = new Counted(quota, nowMs);
    if (quota.bytesPerSecond !== undefined) {
      this.bytes = new TokenBucket(quota.bytesPerSecond, quota.bytesPerSecond, nowMs);
    }
    for (const name of ['allowlisted', 'audited', 'raw'] as const) {
      const limits = quota.classes?.[name];
      if (limits !== undefined) this.classes.set(name, new Counted(limits, nowMs));
    }
  }
}

/**
 * What each tenant may use (policy step 9), on all switches together. A command that is over one limit takes nothing of
 * any.
 */
export class Quotas {
  readonly #settings: QuotaSettings;
  readonly #runningOf: (tenant: string) => number;
  readonly #clock: () => number;
  /** As many as there are tenants: only principals come here. */
  readonly #accounts = new Map<string, Account>();

  /** @param runningOf operations of a tenant that run in the background now */
  constructor(
    settings: QuotaSettings,
    runningOf: (tenant: string) => number,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#settings = settings;
    this.#runningOf = runningOf;
    this.#clock = nowMs;
  }

  /**
   * Whether one more request of a tenant may be under way, whatever it is: asked before anything is made of it. The value
   * gives the place back; call it exactly once.
   */
  enter(tenant: string): Result<() => void, OverQuota> {
    const { all } = this.#accountOf(tenant);
    const most = this.#concurrentOf(tenant);
    if (all.underWay >= most) {
      const text = `at most ${most} commands of one tenant may be under way`;
      return err({ limit: 'concurrent', text, retryAfterMs: RETRY_MS });
    }
    all.underWay++;
    return ok(() => void all.underWay--);
  }

  /** Takes what a command needs that was allowed by everything else. */
  take(tenant: string, demand: Demand): Result<Pass, OverQuota> {
    const account = this.#accountOf(tenant);
    const now = this.#clock();
    const ofClass = account.classes.get(demand.class);
    const over = this.#over(tenant, account, ofClass, demand, now);
    if (over !== undefined) return err(over);
    account.all.rate?.take(1, now);
    ofClass?.rate?.take(1, now);
    account.bytes?.take(demand.bytes, now);
    if (ofClass !== undefined) ofClass.underWay++;
    if (demand.mayRunOn) account.mayRunOn++;
    return ok({
      received: (bytes) => account.bytes?.take(bytes, this.#clock()),
      end: () => {
        if (ofClass !== undefined) ofClass.underWay--;
        if (demand.mayRunOn) account.mayRunOn--;
      },
    });
  }

  #over(
    tenant: string,
    account: Account,
    ofClass: Counted | undefined,
    demand: Demand,
    now: number,
  ): OverQuota | undefined {
    const { quota, all, bytes } = account;
    for (const [counted, what] of [
      [all, 'commands'],
      [ofClass, `${demand.class} commands`],
    ] as const) {
      const wait = counted?.rate?.waitMs(1, now) ?? 0;
      if (wait === 0) continue;
      const text = `over the quota: ${counted?.rate?.perSecond} ${what} a second`;
      return { limit: 'commands_per_second', text, retryAfterMs: wait };
    }
    const most = ofClass?.limits.concurrent;
    if (ofClass !== undefined && most !== undefined && ofClass.underWay >= most) {
      const text = `over the quota: at most ${most} ${demand.class} commands under way`;
      return { limit: 'concurrent', text, retryAfterMs: RETRY_MS };
    }
    const { background } = quota;
    if (demand.mayRunOn && background !== undefined && account.mayRunOn + this.#runningOf(tenant) >= background) {
      const text = `over the quota: at most ${background} in the background`;
      return { limit: 'background', text, retryAfterMs: RETRY_MS };
    }
    // What a reply will hold nobody knows before; a debt has to be worked off first.
    if (bytes !== undefined && bytes.level(now) <= 0) {
      const text = `over the quota: ${bytes.perSecond} bytes a second`;
      return { limit: 'bytes_per_second', text, retryAfterMs: bytes.waitMs(1, now) };
    }
    return undefined;
  }

  /** What a tenant may use and what is left of it. */
  view(tenant: string): QuotaView {
    const account = this.#accountOf(tenant);
    const now = this.#clock();
    const { bytes, quota, classes } = account;
    return {
      concurrent: { limit: this.#concurrentOf(tenant), used: account.all.underWay },
      ...account.all.view(now),
      ...(bytes === undefined ? {} : { bytesPerSecond: { limit: bytes.perSecond, left: whole(bytes.level(now)) } }),
      ...(quota.background === undefined
        ? {}
        : { background: { limit: quota.background, used: this.#runningOf(tenant) } }),
      ...(classes.size === 0
        ? {}
        : {
            classes: Object.fromEntries(
              [...classes].map(([name, counted]) => {
                const { limits, underWay } = counted;
                const most = limits.concurrent;
                return [
                  name,
                  {
                    ...(most === undefined ? {} : { concurrent: { limit: most, used: underWay } }),
                    ...counted.view(now),
                  },
                ];
              }),
            ),
          }),
    };
  }

  /** Requests of each tenant that are under way now. */
  underWay(): ReadonlyMap<string, number> {
    return new Map([...this.#accounts].map(([tenant, { all }]) => [tenant, all.underWay]));
  }

  #concurrentOf(tenant: string): number {
    return this.#accountOf(tenant).quota.concurrent ?? this.#settings.concurrent;
  }

  #accountOf(tenant: string): Account {
    const known = this.#accounts.get(tenant);
    if (known !== undefined) return known;
    const { general, tenants } = this.#settings;
    const own = tenants.get(tenant);
    // Who has to mend a fabric must not be held up by what was meant for those who use it.
    const base = tenant === FABRIC_TENANT ? {} : general;
    const account = new Account(own === undefined ? base : { ...base, ...own }, this.#clock());
    this.#accounts.set(tenant, account);
    return account;
  }
}

function whole(level: number): number {
  return Math.max(0, Math.floor(level));
}
