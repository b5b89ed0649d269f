export { formatLoadError, type LoadError, type LoadErrorCode } from './error.ts';
export { engineOf, loadPolicy, type PolicySource, type ReadPolicy, readPolicy } from './load.ts';
