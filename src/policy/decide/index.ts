export { refOfFacts } from './command-ref.ts';
export type { DecideOptions } from './decide.ts';
export { type ErrnoRow, errnoTable, NO_SUCH_OBJECT } from './errno.ts';
export { explainDecision, wouldNeed } from './explain.ts';
export { neededScope } from './scope-cap.ts';
export { createSnapshot, type Snapshot } from './snapshot.ts';
