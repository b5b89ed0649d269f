export type { ConsoleParts } from './opening.ts';
export { consoleRefusals, unavailable as consoleUnavailable } from './refusals.ts';
export type { Party } from './requests.ts';
export { type Call, ConsoleService } from './service.ts';
export {
  closeConsole,
  killConsole,
  leaveConsole,
  readConsole,
  resizeConsole,
  watchConsole,
  writeConsole,
} from './sittings.ts';
