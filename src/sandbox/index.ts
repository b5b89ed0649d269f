export { type Confinement, confine } from './confine.ts';
export { type LandlockInForce, type LandlockRules, landlockVersion } from './landlock.ts';
export { loadNative, type Native, type NativeResult } from './native.ts';
export { type LaunchPlan, type LaunchReport, launcherScript, programFiles } from './plan.ts';
export { type ProcessStatus, processStatus } from './status.ts';
export { type Account, accountOf, DEFAULT_USER } from './user.ts';
