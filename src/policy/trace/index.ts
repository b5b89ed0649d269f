export { type Explanation, type ExplanationPart, explain, summaryOf } from './explanation.ts';
export type { ResourceLook, RowLook } from './grants.ts';
export type { MandatoryLook } from './mandatory.ts';
export { type OpenPolicy, openPolicy } from './open.ts';
export { linkSource, linkText, type RoleWay, RoleWays } from './roles.ts';
