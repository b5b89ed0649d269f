import { NO_LD, type Value } from '../../cci/index.ts';
import {
  type Binding,
  FABRIC_TENANT,
  type Fabric,
  type Reach,
  type ResourcePath,
  type TopologyView,
} from '../types.ts';
import type { RawCause } from './classify.ts';
import { uint } from './params.ts';
import { ldPath, portPath, vcsPath } from './paths.ts';
import { ldCount } from './resolve.ts';
import type { Shape } from './structure.ts';
import { type PathEnd, portView } from './terminal.ts';
import { vendorDisturbance } from './vendor.ts';

/** How far a state change goes beyond what it names. */
export type Disturbance =
  | { readonly kind: 'none' }
  | { readonly kind: 'vcs'; readonly vcs: number }
  | { readonly kind: 'ld'; readonly port: number; readonly ld: number }
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'switch' }
  | { readonly kind: 'opaque' };

/** Whose resources a command touches or disturbs. */
export interface ReachFacts {
  readonly reach: Reach;
  /** Ascending, without repetition. */
  readonly tenants: readonly string[];
}

export interface ReachContext {
  readonly shape: Shape;
  readonly topology: TopologyView;
  readonly fabric: Fabric;
  readonly end: PathEnd;
  readonly params: Value | undefined;
  readonly cause: RawCause | undefined;
  readonly mutating: boolean;
  /** Whose everything touched is. */
  readonly owners: readonly (string | undefined)[];
  readonly tenant: string;
}

export function reachOf(context: ReachContext): ReachFacts {
  if (abortsOwn(context)) return { reach: 'own', tenants: [context.tenant] };
  const disturbance = disturbanceOf(context);
  const owners = new Set(context.owners);
  if (disturbance.kind === 'switch') for (const tenant of context.fabric.tenants) owners.add(tenant);
  // What is there but not in the fabric file is the operators'.
  for (const path of disturbedPaths(context, disturbance)) owners.add(context.fabric.ownerOf(path) ?? FABRIC_TENANT);
  const tenants = [...owners].filter((owner) => owner !== undefined).sort();
  return { reach: reachFrom(context, disturbance, tenants), tenants };
}

/** 0005h on the switch: the broker lets a tenant abort his own operation only; operators may abort anybody's. */
function abortsOwn({ shape, end, cause, tenant }: ReachContext): boolean {
  return shape.opcode === 0x0005 && end.terminal.kind === 'switch' && cause === undefined && tenant !== FABRIC_TENANT;
}

function reachFrom(context: ReachContext, disturbance: Disturbance, tenants: readonly string[]): Reach {
  if (disturbance.kind === 'opaque') return 'opaque';
  if (!context.mutating) return 'query';
  if (disturbance.kind === 'switch') return 'switch';
  return tenants.every((tenant) => tenant === context.tenant) ? 'own' : 'cross-tenant';
}

/** From the row's worst radius, cut down by where the command is executed and what it names. */
export function disturbanceOf(context: ReachContext): Disturbance {
  const { shape, end, params, cause, mutating, topology } = context;
  if (shape.typed === undefined || params === undefined || cause === 'cel') return { kind: 'opaque' };
  // 5302h, 0502h, 46xxh: what happens is decided by bytes that nobody can judge, reads of device memory included.
  if (shape.typed.radius === 'opaque') return { kind: 'opaque' };
  if (!mutating) return { kind: 'none' };
  // Without a picture nobody knows who is behind a port.
  if (!topology.known) return { kind: 'switch' };
  const { vendor, radius } = shape.typed;
  if (vendor !== undefined && radius === 'whole-switch') return { kind: 'switch' };
  if (end.terminal.kind === 'switch') {
    if (vendor !== undefined) return vendorDisturbance(vendor, params, portOrLd);
    return onSwitch(shape.opcode, params, topology);
  }
  const { port } = end.terminal;
  const capacity = capacityOf(shape.opcode, params, port, topology);
  if (capacity !== undefined) return capacity;
  // Maintenance and the like act on media that several LDs may share.
  if (end.terminal.kind === 'ld' && shape.typed.radius !== 'other-hosts')
    return { kind: 'ld', port, ld: end.terminal.ld };
  return { kind: 'port', port };
}

/**
 * Dynamic capacity of an MLD: what one host gets or gives is that LD's, and whether the fabric manager keeps a tag's
 * extents is felt by whoever has the tag. A device that is no MLD is one thing.
 */
function capacityOf(opcode: number, params: Value, port: number, topology: TopologyView): Disturbance | undefined {
  if (portView(topology, port)?.device !== 'mld') return undefined;
  if (opcode === 0x5604 || opcode === 0x5605) return { kind: 'ld', port, ld: uint(params, 'host_id') };
  return opcode === 0x5606 || opcode === 0x5607 ? { kind: 'none' } : undefined;
}

function onSwitch(opcode: number, params: Value, topology: TopologyView): Disturbance {
  switch (opcode) {
    case 0x5102:
    case 0x5103:
      return { kind: 'port', port: uint(params, 'ppb_id') };
    case 0x5201:
      return portOrLd(uint(params, 'physical_port_id'), uint(params, 'ld_id'));
    case 0x5202:
      return behind(topology.vcss.get(uint(params, 'vcs_id'))?.vppbs[uint(params, 'vppb_id')]);
    case 0x5203:
      return { kind: 'vcs', vcs: uint(params, 'vcs_id') };
    case 0x5301:
      return portOrLd(uint(params, 'ppb_id'), uint(params, 'ld_id'));
    default:
      return { kind: 'switch' };
  }
}

function portOrLd(port: number, ld: number): Disturbance {
  return ld === NO_LD ? { kind: 'port', port } : { kind: 'ld', port, ld };
}

function behind(binding: Binding | undefined): Disturbance {
  if (binding?.kind === 'port') return { kind: 'port', port: binding.port };
  return binding?.kind === 'ld' ? { kind: 'ld', port: binding.port, ld: binding.ld } : { kind: 'none' };
}

/** Objects whose owners feel it. */
export function disturbedPaths(context: ReachContext, disturbance: Disturbance): readonly ResourcePath[] {
  const name = context.shape.switchName;
  switch (disturbance.kind) {
    case 'vcs':
      return [vcsPath(name, disturbance.vcs)];
    case 'ld': {
      const { ld } = disturbance;
      return withBeside(context, disturbance.port).flatMap((port) => [
        ldPath(name, port, ld),
        ...hostsOf(context, (binding) => hitsLd(binding, port, ld)),
      ]);
    }
    case 'port':
      return withBeside(context, disturbance.port).flatMap((port) => [
        portPath(name, port),
        ...Array.from({ length: ldCount(context, port) }, (_, ld) => ldPath(name, port, ld)),
        ...hostsOf(context, (binding) => hitsPort(binding, port)),
        ...upstream(context, port),
      ]);
    default:
      return [];
  }
}

/** The port, and the others that lead to the same device. A reset of one head is felt behind them too: who knows. */
function withBeside({ topology }: ReachContext, port: number): readonly number[] {
  return [port, ...(portView(topology, port)?.beside ?? [])];
}

function hitsLd(binding: Binding, port: number, ld: number): boolean {
  return binding.kind === 'ld' ? binding.port === port && binding.ld === ld : hitsPort(binding, port);
}

function hitsPort(binding: Binding, port: number): boolean {
  return (binding.kind === 'port' || binding.kind === 'ld') && binding.port === port;
}

/** VCSs with a vPPB bound to it. A binding that is not known may be one, except while something is bound or unbound. */
function hostsOf({ shape, topology }: ReachContext, hits: (binding: Binding) => boolean): readonly ResourcePath[] {
  // Another tenant's bind in progress must not stop everybody's: the device refuses a second bind of the same LD.
  const doubted = shape.opcode !== 0x5201 && shape.opcode !== 0x5202;
  const found: ResourcePath[] = [];
  for (const vcs of everyVcs(shape, topology)) {
    const view = topology.vcss.get(vcs);
    const maybe = doubted && (view === undefined || view.vppbs.some(({ kind }) => kind === 'unknown'));
    if (maybe || view?.vppbs.some(hits)) found.push(vcsPath(shape.switchName, vcs));
  }
  return found;
}

/** VCSs of the fabric file, and those that the switch has beside it: a host that nobody wrote down is a host. */
function everyVcs(shape: Shape, topology: TopologyView): readonly number[] {
  return [...new Set([...shape.switch.vcss.keys(), ...topology.vcss.keys()])];
}

/** A reset of an upstream port reaches the host of the VCS above it. */
function upstream({ shape, topology }: ReachContext, port: number): readonly ResourcePath[] {
  return [...topology.vcss.values()].filter(({ usp }) => usp === port).map(({ id }) => vcsPath(shape.switchName, id));
}

/** Is there a host on it? Not known counts as yes. */
export function isBound(
  context: Pick<ReachContext, 'shape' | 'topology'>,
  port: number,
  ld: number | undefined,
): boolean {
  const { shape, topology } = context;
  if (!topology.known || portView(topology, port) === undefined) return true;
  const hits = (binding: Binding): boolean =>
    binding.kind === 'unknown' || (ld === undefined ? hitsPort(binding, port) : hitsLd(binding, port, ld));
  return everyVcs(shape, topology).some((vcs) => topology.vcss.get(vcs)?.vppbs.some(hits) ?? true);
}
