import { NO_LD, type Value } from '../../cci/index.ts';
import type { Binding } from '../types.ts';
import { namesOtherLog } from './classify.ts';
import { ids, uint } from './params.ts';
import { portPath, switchPath, vcsPath, vppbPath } from './paths.ts';
import { ldTarget, type Resolution, type ResolveContext, type Target, wholePort } from './resolve.ts';
import { deviceAt, isNoPort } from './terminal.ts';
import { vendorTargets } from './vendor.ts';

type Here = Pick<Resolution, 'targets' | 'anyOf' | 'unresolved'>;
type Rule = (context: ResolveContext, params: Value) => Here;

const all = (targets: readonly Target[], unresolved: readonly string[] = []): Here => ({
  targets,
  anyOf: [],
  unresolved,
});

/** One row per command of the switch that names or implies an object. Everything else touches the switch itself. */
const switchRules: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [
    0x5101,
    (context, params) => all(eachOf(ids(params, 'port_id_list'), (id) => portPath(context.shape.switchName, id))),
  ],
  // PERST or a reset hits all below the port; whose that is tells the reach, the port itself is what is named.
  [0x5102, (context, params) => all([{ path: portPath(context.shape.switchName, uint(params, 'ppb_id')) }])],
  [0x5103, (context, params) => all([{ path: portPath(context.shape.switchName, uint(params, 'ppb_id')) }])],
  [0x5106, (context, params) => all([{ path: vcsPath(context.shape.switchName, uint(params, 'vcs_id')) }])],
  [0x5107, (context, params) => all([{ path: vcsPath(context.shape.switchName, uint(params, 'vcs_id')) }])],
  [0x5200, (context, params) => all(eachOf(ids(params, 'vcs_id_list'), (id) => vcsPath(context.shape.switchName, id)))],
  [0x5201, bind],
  [0x5202, unbind],
  [0x5203, forgeError],
  [0x5301, (context, params) => portOrLd(context, uint(params, 'ppb_id'), uint(params, 'ld_id'))],
  [0x5302, (context, params) => portOrLd(context, uint(params, 'port_id'), uint(params, 'ld_id'))],
]);

/** Opcodes with a rule of their own; a test holds the catalogue's target marks against it. */
export const switchRuleOpcodes: ReadonlySet<number> = new Set(switchRules.keys());

/**
 * Queries of the switch itself (and the abort of one's own work) that every tenant may be granted, by a grant on `/switches/{s}`: their replies name no
 * object, or are filtered or made up per tenant (policy section 9). All else that touches the switch is the operators'.
 */
const switchQueries: ReadonlyMap<number, string> = new Map([
  [0x0001, 'identifies the switch, names no object'],
  [0x0002, "answered from the caller's own operation"],
  [0x0003, 'the limit is made up per tenant'],
  [0x0005, "ends the caller's own operation and no other"],
  [0x0004, "sets the caller's own limit"],
  [0x0100, "the caller's own event logs"],
  [0x0101, "clears the caller's own event logs"],
  [0x0300, 'the time is made up per tenant'],
  [0x0301, "sets the caller's own clock"],
  [0x0400, 'lists only the logs that the caller may read'],
  [0x0401, 'for the Command Effects Log alone, which lists only what the caller may run'],
  [0x0402, 'capabilities of a log, not its content'],
  [0x0405, 'lists only the logs that the caller may read'],
  [0x5100, 'masks and counts are those of the caller'],
]);

/** Opcodes that a tenant can be granted on the switch itself. */
export const switchQueryOpcodes: ReadonlySet<number> = new Set(switchQueries.keys());

export function switchTargets(context: ResolveContext): Here {
  const { shape, params } = context;
  const vendor = shape.typed?.vendor;
  if (vendor !== undefined && params !== undefined) return vendorTargets(context, params, vendor);
  const rule = shape.typed === undefined || params === undefined ? undefined : switchRules.get(shape.opcode);
  if (rule !== undefined && params !== undefined) return rule(context, params);
  const path = switchPath(shape.switchName);
  return all([isSwitchQuery(context) ? { path, query: true } : { path }]);
}

function isSwitchQuery({ shape, params, mutating }: ResolveContext): boolean {
  if (shape.typed === undefined || !switchQueries.has(shape.opcode)) return false;
  if (mutating && shape.opcode !== 0x0005) return false;
  return shape.opcode !== 0x0401 || !namesOtherLog(params);
}

function eachOf(named: readonly number[], path: (id: number) => Target['path']): readonly Target[] {
  return named.map((id) => ({ path: path(id) }));
}

/** Bind touches the vPPB that gains a device and the port or LD that is handed over. */
function bind(context: ResolveContext, params: Value): Here {
  const vppb = { path: vppbPath(context.shape.switchName, uint(params, 'vcs_id'), uint(params, 'vppb_id')) };
  const given = portOrLd(context, uint(params, 'physical_port_id'), uint(params, 'ld_id'));
  return all([vppb, ...given.targets], given.unresolved);
}

/** Unbind touches the vPPB and what is bound to it now. */
function unbind(context: ResolveContext, params: Value): Here {
  const { shape, topology } = context;
  const vcs = uint(params, 'vcs_id');
  const index = uint(params, 'vppb_id');
  const vppb = { path: vppbPath(shape.switchName, vcs, index) };
  const binding: Binding = (topology.known ? topology.vcss.get(vcs)?.vppbs[index] : undefined) ?? { kind: 'unknown' };
  if (binding.kind === 'unknown') {
    const isSaidBySwitch = context.everything && isNoVppb(context, vcs, index);
    return all([vppb], isSaidBySwitch ? [] : ['what is bound to the vPPB now is not known']);
  }
  if (binding.kind === 'unbound') return all([vppb]);
  const bound = portOrLd(context, binding.port, binding.kind === 'ld' ? binding.ld : NO_LD);
  return all([vppb, ...bound.targets], bound.unresolved);
}

/** Is it known that there is no such vPPB? A VCS that was not read may be there all the same, if the file has it. */
function isNoVppb({ shape, topology }: ResolveContext, vcs: number, index: number): boolean {
  if (!topology.known) return false;
  const seen = topology.vcss.get(vcs);
  return seen === undefined ? !shape.switch.vcss.has(vcs) : index >= seen.vppbs.length;
}

/** Instance 0 is the upstream port: the host of the whole VCS sees the error. */
function forgeError({ shape }: ResolveContext, params: Value): Here {
  const vcs = uint(params, 'vcs_id');
  const instance = uint(params, 'vppb_instance');
  return all([{ path: instance === 0 ? vcsPath(shape.switchName, vcs) : vppbPath(shape.switchName, vcs, instance) }]);
}

/** FFFFh: the port without an MLD, or the FM-owned LD, which reaches every LD. */
export function portOrLd(context: ResolveContext, port: number, ld: number): Here {
  const { topology, everything } = context;
  const isUnknown = deviceAt(topology, port) === 'unknown' && !(everything && isNoPort(topology, port));
  const unresolved = isUnknown ? ['what is attached to the port is not known'] : [];
  return all(ld === NO_LD ? wholePort(context, port) : [ldTarget(context, port, ld)], unresolved);
}
