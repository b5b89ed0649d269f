export { CoreLink, type LinkParts } from './core-link.ts';
export {
  type EdgeAddresses,
  EdgeListenError,
  type EdgeMaterial,
  type EdgeOptions,
  type OpenEdge,
  openEdge,
} from './open-edge.ts';
export { type EdgeSaid, isEdgeSaid } from './said.ts';
