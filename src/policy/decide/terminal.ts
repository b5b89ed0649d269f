import type { Component, Hop } from '../../cci/index.ts';
import type { DeviceKind, PortView, TopologyView } from '../types.ts';

/** What is at the end of a tunnel path, as far as targets go. */
export type Terminal =
  | { readonly kind: 'switch' }
  /** a device that is one thing: an SLD, or anything that is not an MLD */
  | { readonly kind: 'device'; readonly port: number }
  | { readonly kind: 'fm-owned-ld'; readonly port: number }
  | { readonly kind: 'ld'; readonly port: number; readonly ld: number }
  | { readonly kind: 'ldpool'; readonly port: number };

/** The end of a path, and whether the broker knows what is there. */
export interface PathEnd {
  readonly terminal: Terminal;
  readonly component: Component | 'unknown';
  /** Where the picture of the fabric does not say what is there: whatever rests on it is refused. */
  readonly unknown: boolean;
}

/** What is known of a port; a picture that is out of date knows nothing. */
export function portView(topology: TopologyView, port: number): PortView | undefined {
  return topology.known ? topology.ports.get(port) : undefined;
}

/** Is it known that the switch has no such port? */
export function isNoPort(topology: TopologyView, port: number): boolean {
  return topology.known && !topology.ports.has(port);
}

export function deviceAt(topology: TopologyView, port: number): DeviceKind {
  return portView(topology, port)?.device ?? 'unknown';
}

/** Does the MLD below the port have that LD? False for anything that is not an MLD. */
export function hasLd(topology: TopologyView, port: number, ld: number): boolean {
  const view = portView(topology, port);
  return view?.device === 'mld' && ld < view.ldCount;
}

export function pathEnd(topology: TopologyView, hops: readonly Hop[]): PathEnd {
  const [first, second] = hops;
  if (first?.kind !== 'port') return { terminal: { kind: 'switch' }, component: 'switch', unknown: false };
  const { port } = first;
  const device = deviceAt(topology, port);
  const component = device === 'unknown' ? 'unknown' : topology.component(hops);
  const unknown = component === 'unknown';
  if (second?.kind === 'ld') {
    return { terminal: { kind: 'ld', port, ld: second.ld }, component, unknown };
  }
  if (second?.kind === 'ldpool') return { terminal: { kind: 'ldpool', port }, component, unknown };
  // What may be an MLD is treated as one: then every LD counts.
  const one = device !== 'mld' && device !== 'unknown';
  return { terminal: { kind: one ? 'device' : 'fm-owned-ld', port }, component, unknown };
}
