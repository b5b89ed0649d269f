export { Cancellation } from './cancellation.ts';
export { createEntrance, laneOf } from './entrance.ts';
export type { Lane } from './flow.ts';
export { covers, everything, type Footprint } from './footprint.ts';
export { Scheduler } from './scheduler.ts';
export type { NoTurn, SchedulerOptions, Turn, TurnRequest, Unserved } from './turn.ts';
