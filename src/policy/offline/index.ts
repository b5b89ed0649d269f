export { type AssumedCaller, assumedPrincipal, commandScopes } from './caller.ts';
export { type AssumedState, fabricTopology } from './fabric-topology.ts';
export { parseBinding, parseSlot, parseTaint } from './notation.ts';
export { type AssumedPosture, assumedPosture } from './posture.ts';
export { type AskedCommand, type AskedProblem, askedSubmission } from './submission.ts';
