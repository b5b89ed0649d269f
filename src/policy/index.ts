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
export { groupName, isCallerName, isRoleName, isTenantName, tenantGroup, userName } from './names.ts';
export * from './offline/index.ts';
export * from './review/index.ts';
export * from './suite/index.ts';
export * from './trace/index.ts';
export * from './types.ts';
