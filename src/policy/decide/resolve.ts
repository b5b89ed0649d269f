import type { Value } from '../../cci/index.ts';
import type { ResourcePath, TopologyView } from '../types.ts';
import { ldPath, poolPath, portPath } from './paths.ts';
import { deviceTargets, isSharedRead } from './resolve-device.ts';
import { switchTargets } from './resolve-switch.ts';
import type { Shape } from './structure.ts';
import { deviceAt, hasLd, isNoPort, type PathEnd, portView } from './terminal.ts';

/** One object that a command names or implies. */
export interface Target {
  readonly path: ResourcePath;
  /** The device has no such object, whatever the fabric file says. */
  readonly absent?: true;
  /** A query of the switch itself: every tenant may be granted it, its reply is filtered. */
  readonly query?: true;
  /** Capacity tags: the tenant that first added it; null where it must have been added and nobody knows by whom. */
  readonly recordedOwner?: string | null;
  /** A capacity tag that nobody has added yet: it becomes the caller's. */
  readonly fresh?: true;
}

/** The touched set of a command (policy section 2), before anybody asked whose it is. */
export interface Resolution {
  /** All of these are touched. */
  readonly targets: readonly Target[];
  /** One of these, whichever the caller may use, is touched as well: reads of a shared MLD that name no LD. */
  readonly anyOf: readonly Target[];
  /** The end of a tunnel path: one of these must be the caller's, or he has nothing to say there. */
  readonly entry: readonly Target[];
  /** What the picture of the fabric does not tell. Whatever rests on it is refused. */
  readonly unresolved: readonly string[];
}

/** What the resolvers look at. */
export interface ResolveContext {
  readonly shape: Shape;
  readonly topology: TopologyView;
  readonly end: PathEnd;
  /** Parameters after narrowing; absent for opcodes without a codec, and where the payload does not fit it. */
  readonly params: Value | undefined;
  /** Ids left by narrowing, where it applied. */
  readonly kept: readonly number[] | undefined;
  /** The caller may see the whole switch: ranges end where the objects end. */
  readonly everything: boolean;
  readonly mutating: boolean;
}

export function resolve(context: ResolveContext): Resolution {
  const { shape, end, params } = context;
  const here = end.terminal.kind === 'switch' ? switchTargets(context) : deviceTargets(context, end.terminal);
  const entry = entryTargets(context);
  // Who may name what does not exist is told so by the switch itself.
  const isSaidBySwitch = context.everything && leadsNowhere(context);
  const unresolved =
    end.unknown && !isSaidBySwitch
      ? [...here.unresolved, 'what is attached at the end of the path is not known']
      : here.unresolved;
  // A payload that does not fit its layout is refused for that; whose it would have been is told by the path alone.
  if (shape.typed !== undefined && params === undefined) return { targets: [], anyOf: [], entry, unresolved };
  return { targets: [...here.targets, ...besides(context, here.targets)], anyOf: here.anyOf, entry, unresolved };
}

/** Is it known that there is nothing at the first port of the path, or no such port? */
function leadsNowhere({ shape, topology }: ResolveContext): boolean {
  const [first] = shape.hops;
  if (first?.kind !== 'port') return false;
  return isNoPort(topology, first.port) || deviceAt(topology, first.port) === 'none';
}

/**
 * A device with several heads is behind several ports, and what is done to a part of it is done to that part behind all
 * of them: LDs, hosts, heads and tags, and behind a tunnel the device itself. Only the port as such is one head's own.
 */
function besides(context: ResolveContext, targets: readonly Target[]): readonly Target[] {
  const { shape, topology, end, params } = context;
  const found: Target[] = [];
  if (end.terminal.kind === 'device' && isSharedRead(shape, params)) return found;
  for (const target of targets) {
    const [, , name, ports, id, ...below] = target.path.split('/');
    if (ports !== 'ports' || (below.length === 0 && shape.hops.length === 0)) continue;
    for (const other of portView(topology, Number(id))?.beside ?? []) {
      const path: ResourcePath = `/switches/${name}/ports/${other}${below.map((part) => `/${part}`).join('')}`;
      found.push({ ...target, path });
    }
  }
  return found;
}

function entryTargets(context: ResolveContext): readonly Target[] {
  const { shape, end } = context;
  const { terminal } = end;
  const name = shape.switchName;
  switch (terminal.kind) {
    case 'switch':
      return [];
    case 'device':
      return [{ path: portPath(name, terminal.port) }];
    case 'fm-owned-ld':
      return portOrAnyLd(context, terminal.port);
    case 'ld':
      return [ldTarget(context, terminal.port, terminal.ld)];
    case 'ldpool':
      return [{ path: poolPath(name, terminal.port) }];
  }
}

/** How many LDs the port may have, by the fabric file or by the device: the larger, so that none is forgotten. */
export function ldCount({ shape, topology }: Pick<ResolveContext, 'shape' | 'topology'>, port: number): number {
  return Math.max(shape.switch.ports.get(port)?.lds ?? 0, portView(topology, port)?.ldCount ?? 0);
}

export function allLds(context: Pick<ResolveContext, 'shape' | 'topology'>, port: number): readonly Target[] {
  return Array.from({ length: ldCount(context, port) }, (_, ld) => ({
    path: ldPath(context.shape.switchName, port, ld),
  }));
}

/** The port, or an LD that its device has: one of them must be the caller's for him to have a say there. */
export function portOrAnyLd(context: ResolveContext, port: number): readonly Target[] {
  const lds = allLds(context, port).map((_, ld) => ldTarget(context, port, ld));
  return [{ path: portPath(context.shape.switchName, port) }, ...lds];
}

/** The port and every LD below it. */
export function wholePort(context: Pick<ResolveContext, 'shape' | 'topology'>, port: number): readonly Target[] {
  return [{ path: portPath(context.shape.switchName, port) }, ...allLds(context, port)];
}

/**
 * An LD that the device does not have, or a port without an MLD, is an object that does not exist. Where the device is not
 * known the file alone says so: what rests on the device is refused as `unresolved`.
 */
export function ldTarget({ shape, topology }: ResolveContext, port: number, ld: number): Target {
  const path = ldPath(shape.switchName, port, ld);
  const present = deviceAt(topology, port) === 'unknown' || hasLd(topology, port, ld);
  return present ? { path } : { path, absent: true };
}
