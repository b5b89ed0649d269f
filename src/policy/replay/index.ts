export { type PastDecision, type Reading, type RecordMembers, readPastDecision } from './past-decision.ts';
export { type Redecided, redecide } from './redecide.ts';
export { type Flip, type FlipGroup, Replay, type ReplaySummary } from './replay.ts';
