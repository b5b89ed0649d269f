import { CEL_ENTRY_SIZE, CEL_UUID, encodeCel, type Reply, type TypedSlug } from '../../cci/index.ts';
import type { Binding, TopologyView } from '../../policy/index.ts';
import { ownsLdOf, ownsVcs, seesPort, type View } from './view.ts';

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

/** Only what this caller may run; the log has that length for him. */
const supportedLogs: Filter<'get-supported-logs'> = ({ view, topology }) => ({
  supported_log_entries: [{ log_identifier: CEL_UUID, log_size: visibleCel(view, topology).length * CEL_ENTRY_SIZE }],
});

/** Entries of the CEL at the end of the path that this caller may run. */
export function visibleCel(view: View, topology: TopologyView): readonly { opcode: number; effects: number }[] {
  const entries = [...(topology.cel(view.hops) ?? new Map<number, number>())];
  return entries.map(([opcode, effects]) => ({ opcode, effects })).filter((entry) => view.mayRun(entry.opcode));
}

/** The caller's own CEL, in the window he asked for. Other logs are not for tenants (see `canFilter`). */
const log: Filter<'get-log'> = ({ view, topology, asked, reply }) => {
  if (asked.log_identifier !== CEL_UUID) return reply;
  const own = encodeCel(visibleCel(view, topology));
  const offset = Number(asked.offset);
  return { log_data: own.slice(offset, offset + Number(asked.length)) };
};

/** The filters that are more than rules (see `replyPlan`). */
export const filters: { readonly [S in TypedSlug]?: Filter<S> } = {
  'identify-switch-device': identifySwitch,
  'get-virtual-cxl-switch-info': vcsInfo,
  'get-supported-logs': supportedLogs,
  'get-log': log,
};
