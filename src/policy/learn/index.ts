export { learnedCsv, type Provenance } from './csv.ts';
export type { Proposal } from './fold.ts';
export { type Learned, type LearnedRole, learn } from './learn.ts';
export { type Ungrantable, type Usage, UsageCollector, type Use } from './usage.ts';
