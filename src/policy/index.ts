export { type ConsoleVerb, type ConsoleWord, isConsoleWord, PROGRAM_NAME } from './casbin/console-word.ts';
export { createReference, type ReferenceEngine } from './casbin/index.ts';
export * from './decide/index.ts';
export * from './engine.ts';
export { type FabricSource, loadFabric } from './fabric/index.ts';
export {
  engineOf,
  formatLoadError,
  type LoadError,
  type LoadErrorCode,
  loadPolicy,
  type PolicySource,
  type ReadPolicy,
  readPolicy,
} from './load/index.ts';
export {
  canonicalCallerName,
  groupName,
  isCallerName,
  isRoleName,
  isTenantName,
  tenantGroup,
  userName,
} from './names.ts';
export * from './types.ts';
