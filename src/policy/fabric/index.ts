export { type FabricSource, loadFabric } from './load.ts';
export { type ParsedPath, type PathKind, parsePath } from './path.ts';
