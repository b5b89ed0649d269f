import { CEL_ENTRY_SIZE, CEL_UUID, encodeCel, type Reply, type TypedSlug } from '../../cci/index.ts';
import type { Binding, TopologyView } from '../../policy/index.ts';
import { ownsLd, ownsLdOf, ownsVcs, seesPort, type View } from './view.ts';

/** What a filter may look at besides the reply. */
export interface FilterInput<S extends TypedSlug> {
  readonly view: View;
  readonly topology: TopologyView;
  /** Parameters as the caller gave them, before narrowing. */
  readonly asked: { readonly [name: string]: unknown };
  readonly reply: Reply<S>;
}

type Filter<S extends TypedSlug> = (input: FilterInput<S>) => Reply<S>;

/** Bitmaps lose foreign bits, counts follow. */
const identifySwitch: Filter<'identify-switch-device'> = ({ view, topology, reply }) => {
  const ports = reply.active_port_bitmask.filter((port) => seesPort(view, port));
  const vcss = reply.active_vcs_bitmask.filter((vcs) => ownsVcs(view, vcs));
  const vppbs = vcss.flatMap((vcs) => topology.vcss.get(vcs)?.vppbs ?? []);
  const bound = vppbs.filter((binding) => seesBinding(view, binding));
  const own = [...(view.fabric.switches.get(view.switch)?.ports.keys() ?? [])].filter((port) => seesPort(view, port));
  return {
    ...reply,
    ingress_port_id: seesPort(view, reply.ingress_port_id) ? reply.ingress_port_id : 0,
    number_of_physical_ports: own.length,
    number_of_vcss: vcss.length,
    active_port_bitmask: ports,
    active_vcs_bitmask: vcss,
    total_number_of_vppbs: vppbs.length,
    number_of_bound_vppbs: bound.length,
  };
};

/** Keyed by port: foreign entries are dropped. */
const portState: Filter<'get-physical-port-state'> = ({ view, reply }) => ({
  port_information_list: reply.port_information_list.filter((block) => seesPort(view, block.port_id)),
});

/** Keyed by VCS, and the window that was asked for is cut from the full list that was sent for (D11). */
const vcsInfo: Filter<'get-virtual-cxl-switch-info'> = ({ view, asked, reply }) => ({
  vcs_information_list: reply.vcs_information_list
    .filter((block) => ownsVcs(view, block.vcs_id))
    .map((block) => vppbWindow(block, asked))
    .map((block) => ({
      ...block,
      vppb_information_list: block.vppb_information_list.map((entry) => (shows(view, entry) ? entry : UNBOUND)),
    })),
});

type VppbEntry = VcsBlock['vppb_information_list'][number];

/** How a vPPB looks that nothing is bound to (D12: the LD byte is FFh). */
const UNBOUND: VppbEntry = { binding_status: 'unbound', bound_port_id: 0, bound_ld_id: 0xff };

/** What is bound to a vPPB of his is told to a tenant only where it is his as well. */
function shows(view: View, entry: VppbEntry): boolean {
  const { binding_status: status, bound_port_id: port, bound_ld_id: ld } = entry;
  if (status === 'unbound') return true;
  if (status === 'bound-to-physical-port') return seesBinding(view, { kind: 'port', port });
  if (status === 'bound-to-ld') return seesBinding(view, { kind: 'ld', port, ld });
  // In progress, or by PID: shown where the port named is his.
  return seesPort(view, port) || ownsLdOf(view, port, ld);
}

function seesBinding(view: View, binding: Binding): boolean {
  if (binding.kind === 'port') return seesPort(view, binding.port);
  return binding.kind === 'ld' && (seesPort(view, binding.port) || ownsLdOf(view, binding.port, binding.ld));
}

type VcsBlock = Reply<'get-virtual-cxl-switch-info'>['vcs_information_list'][number];

/** The vPPBs from `starting_vppb` on, at most `vppb_list_limit` of them. */
export function vppbWindow(block: VcsBlock, asked: FilterInput<TypedSlug>['asked']): VcsBlock {
  const start = Number(asked.starting_vppb ?? 0);
  const limit = Number(asked.vppb_list_limit ?? 255);
  return { ...block, vppb_information_list: block.vppb_information_list.slice(start, start + limit) };
}

const NO_CAPACITY = { range_1_allocation_multiplier: 0n, range_2_allocation_multiplier: 0n };

/** Positional: entry k is LD `start + k`. Foreign ones are masked in place; the asked window is restored. */
const ldAllocations: Filter<'get-ld-allocations'> = ({ view, asked, reply }) => {
  const start = Number(asked.start_ld_id);
  const end = Math.min(start + Number(asked.ld_allocation_list_limit), reply.number_of_lds);
  return {
    ...reply,
    start_ld_id: start,
    ld_allocation_list: restored(view, start, end, reply.start_ld_id, reply.ld_allocation_list, NO_CAPACITY),
  };
};

const setLdAllocations: Filter<'set-ld-allocations'> = ({ view, reply }) => ({
  ...reply,
  ld_allocation_list: masked(view, reply.start_ld_id, reply.ld_allocation_list, NO_CAPACITY),
});

const allocatedBw: Filter<'get-qos-allocated-bw'> = ({ view, asked, reply }) => {
  const start = Number(asked.start_ld_id);
  const end = start + Number(asked.number_of_lds);
  return {
    start_ld_id: start,
    qos_allocation_fractions: restored(view, start, end, reply.start_ld_id, reply.qos_allocation_fractions, 0),
  };
};

const setAllocatedBw: Filter<'set-qos-allocated-bw'> = ({ view, reply }) => ({
  ...reply,
  qos_allocation_fractions: masked(view, reply.start_ld_id, reply.qos_allocation_fractions, 0),
});

const bwLimit: Filter<'get-qos-bw-limit'> = ({ view, asked, reply }) => {
  const start = Number(asked.start_ld_id);
  const end = start + Number(asked.number_of_lds);
  return {
    start_ld_id: start,
    qos_limit_fractions: restored(view, start, end, reply.start_ld_id, reply.qos_limit_fractions, 0),
  };
};

const setBwLimit: Filter<'set-qos-bw-limit'> = ({ view, reply }) => ({
  ...reply,
  qos_limit_fractions: masked(view, reply.start_ld_id, reply.qos_limit_fractions, 0),
});

/** Only what this caller may run; the log has that length for him. */
const supportedLogs: Filter<'get-supported-logs'> = ({ view, topology }) => ({
  supported_log_entries: [{ log_identifier: CEL_UUID, log_size: visibleCel(view, topology).length * CEL_ENTRY_SIZE }],
});

/** Entries of the CEL at the end of the path that this caller may run. */
export function visibleCel(view: View, topology: TopologyView): readonly { opcode: number; effects: number }[] {
  const entries = [...(topology.cel(view.hops) ?? new Map<number, number>())];
  return entries.map(([opcode, effects]) => ({ opcode, effects })).filter((entry) => view.mayRun(entry.opcode));
}

/** The caller's own CEL, in the window he asked for. Other logs are not for tenants (see `filterable`). */
const log: Filter<'get-log'> = ({ view, topology, asked, reply }) => {
  if (asked.log_identifier !== CEL_UUID) return reply;
  const own = encodeCel(visibleCel(view, topology));
  const offset = Number(asked.offset);
  return { log_data: own.slice(offset, offset + Number(asked.length)) };
};

function masked<T>(view: View, start: number, entries: readonly T[], blank: T): readonly T[] {
  return entries.map((entry, i) => (ownsLd(view, start + i) ? entry : blank));
}

/** Entries `start`..`end - 1`: the caller's own as the device gave them, anything else blank. */
function restored<T>(
  view: View,
  start: number,
  end: number,
  gotStart: number,
  got: readonly T[],
  blank: T,
): readonly T[] {
  const entries: T[] = [];
  for (let ld = start; ld < end; ld++) {
    const entry = ownsLd(view, ld) ? got[ld - gotStart] : undefined;
    entries.push(entry ?? blank);
  }
  return entries;
}

/**
 * How a reply is made fit for a tenant.
 *
 * - a function: filtered by it
 * - `own`: it speaks only of what the command touched, and that is the caller's
 *
 * A command without an entry here cannot be answered to a tenant and is refused before it is sent.
 */
export const filters: { readonly [S in TypedSlug]?: Filter<S> | 'own' } = {
  'identify-switch-device': identifySwitch,
  'get-physical-port-state': portState,
  'get-virtual-cxl-switch-info': vcsInfo,
  'get-ld-allocations': ldAllocations,
  'set-ld-allocations': setLdAllocations,
  'get-qos-allocated-bw': allocatedBw,
  'set-qos-allocated-bw': setAllocatedBw,
  'get-qos-bw-limit': bwLimit,
  'set-qos-bw-limit': setBwLimit,
  'get-supported-logs': supportedLogs,
  'get-log': log,

  // the component itself: its model and serial number, its limits, its clock
  identify: 'own',
  'get-response-message-limit': 'own',
  // only the caller's own work gets this far: see pipeline/virtual.ts
  'background-operation-status': 'own',
  'request-abort-background-operation': 'own',
  'get-timestamp': 'own',
  'get-log-capabilities': 'own',

  // nothing but a return code, or the state of the one object named
  'physical-port-control': 'own',
  'send-ppb-cxl-io-configuration-request': 'own',
  'get-vcs-domain-validation-sv-state': 'own',
  'get-domain-validation-sv': 'own',
  'bind-vppb': 'own',
  'unbind-vppb': 'own',
  'generate-aer-event': 'own',
  'send-ld-cxl-io-configuration-request': 'own',
  'send-ld-cxl-io-memory-request': 'own',

  // the shared part of an MLD: the same for everyone who owns an LD there
  'get-ld-info': 'own',
  'get-qos-control': 'own',
  'get-qos-status': 'own',
  'set-qos-control': 'own',
};

/** Command sets whose replies speak only of the device at the end of the path, when all of it is the caller's. */
const DEVICE_SETS = new Set([0x40, 0x41, 0x42, 0x43, 0x44, 0x47]);

/** Is there a way to answer this to a tenant? `whole`: everything at the end of the path is his. */
export function filterable(
  slug: TypedSlug,
  opcode: number,
  whole: boolean,
  asked: FilterInput<TypedSlug>['asked'],
): boolean {
  if (slug === 'get-log' && asked.log_identifier !== CEL_UUID) return whole;
  if (filters[slug] !== undefined) return true;
  return whole && (DEVICE_SETS.has(opcode >> 8) || opcode < 0x4000);
}
