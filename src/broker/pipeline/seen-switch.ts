import { FABRIC_TENANT, type Fabric, type Principal } from '../../policy/index.ts';
import type { Services, SwitchRuntime } from './context.ts';

/** Tenants that own something on each switch; worked out once for each fabric file that was in force. */
const owners = new WeakMap<Fabric, ReadonlyMap<string, ReadonlySet<string>>>();

/** Does the tenant own something there? Operators see every switch. */
export function seesSwitch(fabric: Fabric, tenant: string, name: string): boolean {
  if (tenant === FABRIC_TENANT) return true;
  const known = owners.get(fabric) ?? ownersOf(fabric);
  owners.set(fabric, known);
  return known.get(name)?.has(tenant) === true;
}

/**
 * The switch of that name as a caller may know it. One on which nothing is his cannot be told from one that is not
 * there: in no view, by no refusal and by no validation that would come before the refusal.
 */
export function seenSwitch(services: Services, principal: Principal, name: string): SwitchRuntime | undefined {
  return seesSwitch(services.policy.current.fabric, principal.tenant, name) ? services.switches.get(name) : undefined;
}

/** All switches that a caller may know of. */
export function seenSwitches(services: Services, principal: Principal): readonly SwitchRuntime[] {
  const { fabric } = services.policy.current;
  return [...services.switches.values()].filter(({ name }) => seesSwitch(fabric, principal.tenant, name));
}

function ownersOf(fabric: Fabric): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const path of fabric.objects) {
    const name = path.split('/')[2];
    const owner = fabric.ownerOf(path);
    if (name === undefined || owner === undefined) continue;
    const known = found.get(name) ?? new Set();
    found.set(name, known.add(owner));
  }
  return found;
}
