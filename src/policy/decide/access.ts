import { hex16 } from '../../cci/index.ts';
import type { CommandRef, RuleEngine } from '../engine.ts';
import {
  type DecisionInput,
  FABRIC_TENANT,
  type Fabric,
  type GrantVerdict,
  type Principal,
  type Reason,
  type ResourcePath,
} from '../types.ts';
import type { RawCause } from './classify.ts';
import { beyondEveryPort, switchPath } from './paths.ts';
import { reason } from './reason.ts';
import { type Resolution, resolve, type Target } from './resolve.ts';
import type { Shape } from './structure.ts';
import { pathEnd } from './terminal.ts';

/** Whether the caller has anything to say on an object at all; grants come after that. */
export interface Ownership {
  readonly fabric: Fabric;
  readonly tenant: string;
  /** A caller of `fabric` with a grant on the whole switch: what does not exist goes to the device. */
  readonly everything: boolean;
}

/** Is the object there and the tenant's own? */
export function isOwn({ fabric, tenant }: Ownership, target: Target): boolean {
  if (target.absent === true || !fabric.exists(target.path)) return false;
  const { path, recordedOwner } = target;
  // It is nobody's, wherever it is; that the caller may be there at all is told by the host that gets it.
  if (target.fresh === true) return true;
  return (recordedOwner === undefined ? fabric.ownerOf(path) : recordedOwner) === tenant;
}

/**
 * May grants decide on the object? A tenant's own objects; for `fabric` all that exist, and with a grant on the whole
 * switch also those that do not.
 */
export function mayName(ownership: Ownership, target: Target): boolean {
  if (isOwn(ownership, target)) return true;
  if (ownership.tenant !== FABRIC_TENANT) return false;
  return ownership.everything || (target.absent !== true && ownership.fabric.exists(target.path));
}

/** Does a grant cover the whole switch (`/switches/s/*`) for a caller of `fabric`? */
export function hasWholeSwitch(engine: RuleEngine, principal: Principal, name: string, ref: CommandRef): boolean {
  if (principal.tenant !== FABRIC_TENANT) return false;
  return [switchPath(name), beyondEveryPort(name)].every((path) => engine.grant(principal, path, ref).allowed);
}

/** What the steps `ownership` and `grant` found. */
export interface Access {
  /** Touched set in canonical form: each path once. */
  readonly touched: readonly ResourcePath[];
  /** Whose each of them is; undefined for what does not exist. */
  readonly owners: readonly (string | undefined)[];
  readonly grants: readonly GrantVerdict[];
  readonly reasons: readonly Reason[];
  /** Something touched is not the caller's, does not exist, or is behind a path where he owns nothing. */
  readonly foreign: boolean;
  /** Everything named is the caller's own, or the switch itself as every tenant may query it. */
  readonly allOwn: boolean;
}

/**
 * Steps 7 and 8: whose everything is, and one enforcement for each touched resource.
 *
 * @param nothing may the touched set be empty? INVARIANT: what goes to a device touches something, or no rule was asked
 */
export function checkAccess(
  engine: RuleEngine,
  principal: Principal,
  ownership: Ownership,
  switchName: string,
  resolution: Resolution,
  ref: CommandRef,
  nothing: 'refused' | 'fine',
): Access {
  const root = switchPath(switchName);
  const { fabric, tenant } = ownership;
  const targets = distinct([...resolution.targets, ...choose(engine, principal, ownership, resolution, ref)]);
  const entered = resolution.entry.length === 0 || resolution.entry.some((target) => mayName(ownership, target));
  // The switch itself is no secret: that it is not the caller's is said like any other refusal.
  const refusedTargets = targets.filter((target) => target.query !== true && !mayName(ownership, target));
  const foreign = !entered || refusedTargets.some(({ path }) => path !== root);
  const entry = resolution.entry.find(({ path }) => fabric.ownerOf(path) === tenant)?.path;
  // A tag of the caller's on a device that he shares: what he may do there is granted on his part of the device.
  const grantedOn = (target: Target): ResourcePath =>
    isTagOfShared(fabric, tenant, target) ? (entry ?? target.path) : target.path;
  const grants = targets.map((target) => engine.grant(principal, grantedOn(target), ref));
  return {
    touched: targets.map(({ path }) => path),
    owners: targets.map((target) => ownerOfTarget(ownership, target)),
    grants,
    reasons: [
      ...(targets.length > 0 || nothing === 'fine' ? [] : [notOwn('nothing is known that the command touches')]),
      ...(entered ? [] : [notOwn("the end of the path is not the caller's")]),
      ...refusedTargets.map(({ path }) => notOwn(`${path} is not the caller's, or does not exist`)),
      ...resolution.unresolved.map((text) => reason('ownership', 'EBUSY', 'target-unknown', text)),
      ...grantReasons(grants, ref),
    ],
    foreign,
    allOwn: entered && targets.every((target) => target.query === true || isOwn(ownership, target)),
  };
}

/** A tag whose owner is not recorded where it must be is nobody's that we know: the operators'. */
function ownerOfTarget({ fabric, tenant }: Ownership, { path, recordedOwner, fresh }: Target): string | undefined {
  if (fresh === true) return tenant;
  return recordedOwner === undefined ? fabric.ownerOf(path) : (recordedOwner ?? FABRIC_TENANT);
}

function isTagOfShared(fabric: Fabric, tenant: string, { path, recordedOwner, fresh }: Target): boolean {
  return (fresh === true || recordedOwner === tenant) && fabric.ownerOf(path) !== tenant;
}

function notOwn(text: string): Reason {
  return reason('ownership', 'EPERM', 'ownership', text);
}

/** Of objects any one of which is enough: the first that the caller may name and use, else the first he may name. */
function choose(
  engine: RuleEngine,
  principal: Principal,
  ownership: Ownership,
  { anyOf }: Resolution,
  ref: CommandRef,
): readonly Target[] {
  const candidates = anyOf.filter((target) => mayName(ownership, target));
  const granted = candidates.find(({ path }) => engine.grant(principal, path, ref).allowed);
  const chosen = granted ?? candidates[0] ?? anyOf[0];
  return chosen === undefined ? [] : [chosen];
}

/** Each path once. Where two targets name it, what stands against one of them stands. */
function distinct(targets: readonly Target[]): readonly Target[] {
  const byPath = new Map<ResourcePath, Target>();
  for (const target of targets) byPath.set(target.path, { ...target, ...byPath.get(target.path) });
  return [...byPath.values()];
}

function grantReasons(grants: readonly GrantVerdict[], ref: CommandRef): readonly Reason[] {
  if (ref.grant === 'never') {
    return [reason('grant', 'EPERM', 'grant', `${hex16(ref.opcode)} cannot be granted to anybody`)];
  }
  return grants
    .filter(({ allowed }) => allowed !== true)
    .map(({ resource, rule }) => {
      if (rule === undefined) return reason('grant', 'EPERM', 'grant', `nothing grants it on ${resource}`);
      const text = `denied on ${resource} by a row of the policy: ${rule.text}`;
      return { ...reason('grant', 'EPERM', 'grant', text), source: rule.source };
    });
}

/**
 * For the raw gate, before the payload is looked at: is the end of the path the caller's? For an opcode without a codec
 * that is all it touches.
 */
export function ownsEntry(fabric: Fabric, input: DecisionInput, shape: Shape, cause: RawCause): boolean {
  const { principal, topology } = input;
  if (principal.tenant === FABRIC_TENANT) return true;
  const end = pathEnd(topology, shape.hops);
  const params = undefined;
  const context = { shape, topology, end, params, kept: undefined, everything: false, mutating: true };
  const { targets, entry } = resolve(context);
  const ownership = { fabric, tenant: principal.tenant, everything: false };
  const entered = entry.length === 0 || entry.some((target) => isOwn(ownership, target));
  return entered && (cause === 'cel' || targets.every((target) => isOwn(ownership, target)));
}
