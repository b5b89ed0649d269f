export { openSwitchEvents } from './open-events.ts';
export { readEvents } from './read-events.ts';
export { SwitchEvents, type SwitchEventsOptions } from './switch-events.ts';
export type { LogAnswer } from './tenant-logs.ts';
