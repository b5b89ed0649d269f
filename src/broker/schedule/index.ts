export { BusyPoll } from './busy-poll.ts';
export { Cancellation } from './cancellation.ts';
export { createEntrance, laneOf } from './entrance.ts';
export type { Lane } from './flow.ts';
export { covers, everything, type Footprint } from './footprint.ts';
export { Scheduler } from './scheduler.ts';
export { type NoTurn, type SchedulerOptions, type Turn, type TurnRequest, type Unserved, unserved } from './turn.ts';
