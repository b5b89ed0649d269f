export { createHttpEdge, type HttpEdge } from './http-edge.ts';
export { defaultHttpLimits, type HttpEdgeOptions, type HttpLimits } from './options.ts';
export { type ProblemDocument, problemTable } from './problems.ts';
export type { HttpTls } from './secure-server.ts';
