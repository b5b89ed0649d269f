import type { CommandClass } from '../../policy/index.ts';

/** A rate of commands and how many of them may be under way. What is absent is not limited. */
export interface CommandLimits {
  readonly commandsPerSecond?: number;
  /** Commands at once after a quiet time; as many as in one second if not given. */
  readonly burst?: number;
  readonly concurrent?: number;
}

/** What one tenant may use, on all switches together. */
export interface TenantQuota extends CommandLimits {
  /** Operations that run in the background. */
  readonly background?: number;
  /** Payload bytes of commands and replies. */
  readonly bytesPerSecond?: number;
  /** Further limits for the commands of one class. */
  readonly classes?: { readonly [C in CommandClass]?: CommandLimits };
}

export interface QuotaSettings {
  /** For every tenant but the operators', where his own says nothing else. */
  readonly general: TenantQuota;
  readonly tenants: ReadonlyMap<string, TenantQuota>;
  /** Commands under way of a tenant whose quota does not say how many. */
  readonly concurrent: number;
}

/** Names of limits, as the configuration spells them; also the values of a metric's label. */
export type LimitName = 'commands_per_second' | 'concurrent' | 'background' | 'bytes_per_second';
