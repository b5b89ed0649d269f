export type { Coverage, CoveredRow } from './coverage.ts';
export type { Difference } from './differences.ts';
export { readSuite } from './read.ts';
export { type FailedCase, runSuites, type SuiteReport } from './run.ts';
export type { Suite, SuiteCase, SuiteResult } from './suite.ts';
