export { type Demand, type OverQuota, type Pass, Quotas, type QuotaView } from './quotas.ts';
export { RefusalTally, type Tally } from './refusal-tally.ts';
export type { CommandLimits, LimitName, QuotaSettings, TenantQuota } from './settings.ts';
