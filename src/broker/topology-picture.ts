import { createHash } from 'node:crypto';
import type { Binding, DeviceKind, PortView } from '../policy/index.ts';

/** A port as it is compared and written down. */
export interface PortPicture {
  readonly id: number;
  readonly role: PortView['role'];
  readonly device: DeviceKind;
  /** LDs that the port says its device supports. */
  readonly lds: number;
  /** Serial number of the device, 16 hex digits, where it was read. Kept while nothing is plugged in. */
  readonly serial?: string;
}

export interface VcsPicture {
  readonly id: number;
  readonly usp: number;
  readonly vppbs: readonly Binding[];
}

/** What a switch looked like at one moment: plain data. */
export interface Picture {
  /** Serial number of the switch, 16 hex digits; empty where it is not known. */
  readonly serial: string;
  readonly ports: readonly PortPicture[];
  readonly vcss: readonly VcsPicture[];
}

/**
 * One thing that two pictures tell differently.
 *
 * - `port`: its role, what is attached, how many LDs
 * - `identity`: another serial number answers
 * - `vppb`: what is bound there
 * - `shape`: ports, VCSs, vPPBs or upstream ports themselves
 */
export interface Difference {
  readonly kind: 'port' | 'identity' | 'vppb' | 'shape';
  readonly port?: number;
  readonly vcs?: number;
  readonly vppb?: number;
  /** For people. */
  readonly before: string;
  readonly after: string;
  /** The bindings themselves, of a vPPB. */
  readonly from?: Binding;
  readonly to?: Binding;
}

/** Short name of a picture, the same for equal ones: 16 hex digits. */
export function pictureId(picture: Picture): string {
  return createHash('sha256').update(JSON.stringify(picture)).digest('hex').slice(0, 16);
}

/** Everything that `after` tells other than `before`, ports first. What either does not know is no difference. */
export function differencesOf(before: Picture, after: Picture): readonly Difference[] {
  return [...identities(before, after), ...ports(before, after), ...vcss(before, after)];
}

function identities(before: Picture, after: Picture): readonly Difference[] {
  if (before.serial === '' || after.serial === '' || before.serial === after.serial) return [];
  return [{ kind: 'identity', before: `serial ${before.serial}`, after: `serial ${after.serial}` }];
}

function ports(before: Picture, after: Picture): readonly Difference[] {
  const found: Difference[] = [];
  for (const [id, was, is] of pairs(before.ports, after.ports)) {
    if (was === undefined || is === undefined) {
      found.push({ kind: 'shape', port: id, before: presence(was), after: presence(is) });
      continue;
    }
    if (portText(was) !== portText(is)) {
      found.push({ kind: 'port', port: id, before: portText(was), after: portText(is) });
    }
    if (was.serial !== undefined && is.serial !== undefined && was.serial !== is.serial) {
      found.push({ kind: 'identity', port: id, before: `serial ${was.serial}`, after: `serial ${is.serial}` });
    }
  }
  return found;
}

function vcss(before: Picture, after: Picture): readonly Difference[] {
  const found: Difference[] = [];
  for (const [id, was, is] of pairs(before.vcss, after.vcss)) {
    if (was === undefined || is === undefined) {
      found.push({ kind: 'shape', vcs: id, before: presence(was), after: presence(is) });
      continue;
    }
    if (was.usp !== is.usp || was.vppbs.length !== is.vppbs.length) {
      found.push({ kind: 'shape', vcs: id, before: vcsText(was), after: vcsText(is) });
    }
    for (const [vppb, from] of was.vppbs.entries()) {
      const to = is.vppbs[vppb];
      if (to === undefined || sameBinding(from, to)) continue;
      found.push({ kind: 'vppb', vcs: id, vppb, before: bindingText(from), after: bindingText(to), from, to });
    }
  }
  return found;
}

function pairs<T extends { readonly id: number }>(
  before: readonly T[],
  after: readonly T[],
): readonly (readonly [number, T | undefined, T | undefined])[] {
  const [was, is] = [byId(before), byId(after)];
  const ids = [...new Set([...was.keys(), ...is.keys()])].sort((a, b) => a - b);
  return ids.map((id) => [id, was.get(id), is.get(id)]);
}

function byId<T extends { readonly id: number }>(all: readonly T[]): ReadonlyMap<number, T> {
  return new Map(all.map((one) => [one.id, one]));
}

const presence = (object: object | undefined): string => (object === undefined ? 'not there' : 'there');

function portText({ role, device, lds }: PortPicture): string {
  return device === 'mld' ? `${role}, mld of ${lds} LDs` : `${role}, ${device}`;
}

function vcsText({ usp, vppbs }: VcsPicture): string {
  return `upstream port ${usp}, ${vppbs.length} vPPBs`;
}

export function sameBinding(a: Binding, b: Binding): boolean {
  return bindingText(a) === bindingText(b);
}

/** `unbound`, `port 3`, `LD 1 of port 3`, `not known`. */
export function bindingText(binding: Binding): string {
  switch (binding.kind) {
    case 'unbound':
      return 'unbound';
    case 'port':
      return `port ${binding.port}`;
    case 'ld':
      return `LD ${binding.ld} of port ${binding.port}`;
    case 'unknown':
      return 'not known';
  }
}

/** `port 3`, `vPPB 1 of VCS 0`, `the switch`: what a difference is about. */
export function subjectOf({ port, vcs, vppb }: Difference): string {
  if (port !== undefined) return `port ${port}`;
  if (vcs === undefined) return 'the switch';
  return vppb === undefined ? `VCS ${vcs}` : `vPPB ${vppb} of VCS ${vcs}`;
}
