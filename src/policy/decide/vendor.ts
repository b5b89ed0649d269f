import type { Value, VendorTerms } from '../../cci/index.ts';
import { uint } from './params.ts';
import { portPath, switchPath, vcsPath, vppbPath } from './paths.ts';
import type { Disturbance } from './reach.ts';
import type { Resolution, ResolveContext } from './resolve.ts';
import { portOrLd } from './resolve-switch.ts';

// What a reviewed vendor command of the switch touches and disturbs is what its row says. Behind a tunnel it touches all
// that is there (`resolve-device.ts`): nobody has taught the broker which part its fields mean.

type Here = Pick<Resolution, 'targets' | 'anyOf' | 'unresolved'>;

/**
 * Objects that the row's fields name. A read that touches the switch itself can be granted to tenants only where the
 * reviewer said that its reply tells of nobody's objects.
 */
export function vendorTargets(context: ResolveContext, params: Value, { touches, ownerData }: VendorTerms): Here {
  const name = context.shape.switchName;
  const only = (path: Here['targets'][number]['path']): Here => ({ targets: [{ path }], anyOf: [], unresolved: [] });
  switch (touches.kind) {
    case 'port':
      return only(portPath(name, uint(params, touches.port)));
    case 'ld':
      return portOrLd(context, uint(params, touches.port), uint(params, touches.ld));
    case 'vcs':
      return only(vcsPath(name, uint(params, touches.vcs)));
    case 'vppb':
      return only(vppbPath(name, uint(params, touches.vcs), uint(params, touches.vppb)));
    case 'switch':
    case 'path-end': {
      const path = switchPath(name);
      const isQuery = touches.kind === 'switch' && ownerData === 'none' && !context.mutating;
      return { targets: [isQuery ? { path, query: true } : { path }], anyOf: [], unresolved: [] };
    }
  }
}

/** Whom a state change with radius `target` disturbs: those of what it touches. A vPPB stands for the host of its VCS. */
export function vendorDisturbance(
  { touches }: VendorTerms,
  params: Value,
  portOr: (port: number, ld: number) => Disturbance,
): Disturbance {
  switch (touches.kind) {
    case 'port':
      return { kind: 'port', port: uint(params, touches.port) };
    case 'ld':
      return portOr(uint(params, touches.port), uint(params, touches.ld));
    case 'vcs':
    case 'vppb':
      return { kind: 'vcs', vcs: uint(params, touches.vcs) };
    case 'switch':
    case 'path-end':
      return { kind: 'switch' };
  }
}

/** R15 for vendor rows: does it change something at once, or does no effect say when? */
export function changesAtOnce(row: {
  readonly mutating: boolean | 'by-content';
  readonly effects: number | null;
}): boolean {
  const effects = Number(row.effects);
  return row.mutating !== false && ((effects & 0x3e) !== 0 || (effects & 0xc01) === 0);
}
