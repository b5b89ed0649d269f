export { type AssumedState, fabricTopology } from './fabric-topology.ts';
export { type AssumedPosture, assumedPosture } from './posture.ts';
