import type { Hop } from '../../cci/index.ts';
import type { ResourcePath } from '../types.ts';

// Canonical paths (policy section 2). INVARIANT: every id in them is a number or a UUID that we printed ourselves, so no
// text of a caller ever becomes part of a path; the name of the switch is looked up in the fabric file first.

export const switchPath = (name: string): ResourcePath => `/switches/${name}`;
export const portPath = (name: string, port: number): ResourcePath => `/switches/${name}/ports/${port}`;
export const ldPath = (name: string, port: number, ld: number): ResourcePath => `${portPath(name, port)}/lds/${ld}`;
export const poolPath = (name: string, port: number): ResourcePath => `${portPath(name, port)}/ldpool`;
export const headPath = (name: string, port: number, head: number): ResourcePath =>
  `${portPath(name, port)}/heads/${head}`;
export const hostPath = (name: string, port: number, host: number): ResourcePath =>
  `${portPath(name, port)}/hosts/${host}`;
export const tagPath = (name: string, port: number, tag: string): ResourcePath => `${portPath(name, port)}/tags/${tag}`;
export const vcsPath = (name: string, vcs: number): ResourcePath => `/switches/${name}/vcss/${vcs}`;
export const vppbPath = (name: string, vcs: number, vppb: number): ResourcePath =>
  `${vcsPath(name, vcs)}/vppbs/${vppb}`;

/** A port id has 8 bits, so only a grant on the whole switch (`/switches/s/*`) can match this one. */
export const beyondEveryPort = (name: string): ResourcePath => portPath(name, 256);

/** The component at the end of a tunnel path; the switch where there is none. */
export function hopsPath(name: string, hops: readonly Hop[]): ResourcePath {
  const [first, second] = hops;
  if (first?.kind !== 'port') return switchPath(name);
  if (second?.kind === 'ld') return ldPath(name, first.port, second.ld);
  return second?.kind === 'ldpool' ? poolPath(name, first.port) : portPath(name, first.port);
}
