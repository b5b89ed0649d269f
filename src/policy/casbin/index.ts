export { createEngine } from './engine.ts';
export { createReference, type ReferenceEngine } from './reference.ts';
export type { GrantRule, MandatoryRule, PolicyRules, RoleLink } from './rules.ts';
