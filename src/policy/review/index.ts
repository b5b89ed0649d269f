export type { FabricText } from './fabric-file.ts';
export { type Finding, type FindingCode, findingCodes, formatFinding } from './finding.ts';
export { type ReviewInput, review } from './review.ts';
