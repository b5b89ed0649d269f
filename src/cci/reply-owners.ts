import type { TypedRow, TypedSlug } from './catalogue/index.ts';

/**
 * Which parts of a reply speak of whose objects: the facts that replies are cut down to one owner's view by. A part that
 * no rule names speaks of what the command itself touched.
 */

/** Objects that an entry, a bit or a number of a reply can be. Ports, LDs, hosts and tags below a port count from there. */
export type OwnedKind = 'port' | 'vcs' | 'ld' | 'host' | 'tag';

/** One rule for one part of a reply. Field names are those of the response layout. */
export type ReplyRule =
  /** A list whose entries name their object: foreign ones are left out. Counters follow the list. */
  | { readonly rule: 'keyed'; readonly list: string; readonly key: string; readonly of: OwnedKind }
  /**
   * A list whose entry k is object `start + k`: foreign ones are blank. With `asked`, it has as many entries as were asked
   * for before the request was narrowed, at most up to `total`.
   */
  | {
      readonly rule: 'positional';
      readonly list: string;
      readonly start: string;
      readonly of: 'ld';
      readonly blank: number | { readonly [name: string]: bigint };
      readonly asked?: { readonly count: string; readonly total?: string };
    }
  /** Bit n is object n: foreign bits are left out. Of a list of entries, in each of them. */
  | { readonly rule: 'bitmap'; readonly in?: string; readonly field: string; readonly of: OwnedKind }
  /** One object: shown as `hidden` where it is foreign. Of a list of entries, in each of them. */
  | {
      readonly rule: 'name';
      readonly in?: string;
      readonly field: string;
      readonly of: OwnedKind;
      readonly hidden: number | 'zeros';
    }
  /** A number that is the length of a list or the number of bits left. */
  | { readonly rule: 'count'; readonly field: string; readonly list: string }
  /** What is left for everybody: shown as if nobody else was there, which is the field `full`. */
  | { readonly rule: 'left-over'; readonly field: string; readonly full: string }
  /** Grows with everybody's changes: shown as a number that follows from what is left of the list. */
  | { readonly rule: 'generation'; readonly field: string; readonly list: string }
  /** The list was asked for as a whole; the window that the caller wanted is cut out of what is left. */
  | { readonly rule: 'window'; readonly list: string; readonly start: string; readonly count: string };

/** How the reply to a command becomes fit for a tenant. */
export type ReplyPlan =
  /** Cut down by rules. */
  | {
      readonly kind: 'rules';
      readonly rules: readonly ReplyRule[];
      /** Only for who owns the whole component all the same; why. */
      readonly wholeOnly?: string;
    }
  /** Cut down by code of its own; why rules do not do. */
  | { readonly kind: 'special'; readonly why: string }
  /** It speaks only of what the command touched, and that is the caller's. */
  | { readonly kind: 'own' }
  /** It speaks of the whole component: for who owns all of that. */
  | { readonly kind: 'whole' }
  /** Nothing cuts it down: no tenant gets it. */
  | { readonly kind: 'refused'; readonly why: string };

const NO_CAPACITY = { range_1_allocation_multiplier: 0n, range_2_allocation_multiplier: 0n } as const;
const own: ReplyPlan = { kind: 'own' };
const rules = (...all: readonly ReplyRule[]): ReplyPlan => ({ kind: 'rules', rules: all });

const plans: { readonly [S in TypedSlug]?: ReplyPlan } = {
  'identify-switch-device': { kind: 'special', why: 'the numbers of ports and vPPBs come from the fabric file' },
  'get-physical-port-state': rules({ rule: 'keyed', list: 'port_information_list', key: 'port_id', of: 'port' }),
  'get-virtual-cxl-switch-info': { kind: 'special', why: 'what is bound to a vPPB is a port, an LD or neither' },
  'get-supported-logs': { kind: 'special', why: 'the one log there is has the length of the own view of it' },
  'get-log': { kind: 'special', why: 'the log is made up of what the caller may run' },

  'get-ld-allocations': rules({
    rule: 'positional',
    list: 'ld_allocation_list',
    start: 'start_ld_id',
    of: 'ld',
    blank: NO_CAPACITY,
    asked: { count: 'ld_allocation_list_limit', total: 'number_of_lds' },
  }),
  'set-ld-allocations': rules({
    rule: 'positional',
    list: 'ld_allocation_list',
    start: 'start_ld_id',
    of: 'ld',
    blank: NO_CAPACITY,
  }),
  'get-qos-allocated-bw': rules({
    rule: 'positional',
    list: 'qos_allocation_fractions',
    start: 'start_ld_id',
    of: 'ld',
    blank: 0,
    asked: { count: 'number_of_lds' },
  }),
  'set-qos-allocated-bw': rules({
    rule: 'positional',
    list: 'qos_allocation_fractions',
    start: 'start_ld_id',
    of: 'ld',
    blank: 0,
  }),
  'get-qos-bw-limit': rules({
    rule: 'positional',
    list: 'qos_limit_fractions',
    start: 'start_ld_id',
    of: 'ld',
    blank: 0,
    asked: { count: 'number_of_lds' },
  }),
  'set-qos-bw-limit': rules({
    rule: 'positional',
    list: 'qos_limit_fractions',
    start: 'start_ld_id',
    of: 'ld',
    blank: 0,
  }),

  // FFh: used by no head
  'get-multi-headed-info': rules({
    rule: 'positional',
    list: 'ld_map',
    start: 'start_ld_id',
    of: 'ld',
    blank: 0xff,
    asked: { count: 'ld_map_list_limit', total: 'number_of_lds' },
  }),
  // heads are the port owner's, all of them or none
  'get-head-info': own,

  'get-dcd-info': own,
  'get-host-dc-region-configuration': rules(
    { rule: 'left-over', field: 'number_of_available_extents', full: 'total_number_of_supported_extents' },
    { rule: 'left-over', field: 'number_of_available_tags', full: 'total_number_of_supported_tags' },
  ),
  // the extents are the host's that was asked for; somebody else may have named what they hold
  'get-dc-region-extent-lists': {
    kind: 'rules',
    rules: [{ rule: 'name', in: 'extents', field: 'tag', of: 'tag', hidden: 'zeros' }],
    wholeOnly: "where a host's extents lie, and in how many pieces, tells where those of the other hosts are",
  },
  'dynamic-capacity-list-tags': rules(
    { rule: 'keyed', list: 'tag_information_list', key: 'tag', of: 'tag' },
    { rule: 'bitmap', in: 'tag_information_list', field: 'reference_bitmap', of: 'host' },
    { rule: 'bitmap', in: 'tag_information_list', field: 'pending_reference_bitmap', of: 'host' },
    { rule: 'count', field: 'total_number_of_tags', list: 'tag_information_list' },
    { rule: 'generation', field: 'generation_number', list: 'tag_information_list' },
    { rule: 'window', list: 'tag_information_list', start: 'starting_index', count: 'max_tags' },
  ),

  // the component itself: its model and serial number, its limits, its clock
  identify: own,
  'get-response-message-limit': own,
  // only the caller's own work gets this far
  'background-operation-status': own,
  'request-abort-background-operation': own,
  'get-timestamp': own,
  'get-log-capabilities': own,

  // nothing but a return code, or the state of the one object named
  'physical-port-control': own,
  'send-ppb-cxl-io-configuration-request': own,
  'get-vcs-domain-validation-sv-state': own,
  'get-domain-validation-sv': own,
  'bind-vppb': own,
  'unbind-vppb': own,
  'generate-aer-event': own,
  'send-ld-cxl-io-configuration-request': own,
  'send-ld-cxl-io-memory-request': own,
  'set-dc-region-configuration': own,
  'initiate-dynamic-capacity-add': own,
  'initiate-dynamic-capacity-release': own,
  'dynamic-capacity-add-reference': own,
  'dynamic-capacity-remove-reference': own,

  // the shared part of an MLD: the same for everyone who owns an LD there
  'get-ld-info': own,
  'get-qos-control': own,
  'get-qos-status': own,
  'set-qos-control': own,
};

/** Sets whose replies speak of the component that executes them. */
const COMPONENT_SETS: ReadonlySet<number> = new Set([0x40, 0x41, 0x42, 0x43, 0x44, 0x47]);

/** Why commands of a set are not for tenants. */
const refusedSets: ReadonlyMap<number, string> = new Map([
  [0x45, 'passphrases in the clear, which nothing can grant'],
  [0x46, 'security payloads that nobody can judge, which nothing can grant'],
  [0x48, "a host's own mailbox has them; behind a tunnel they are prohibited"],
  [0x49, 'a GFD has no LDs that tenants own'],
  [0x51, 'of the switch as a whole, or of the mailbox it arrives on'],
  [0x53, 'a tunnel, which is opened before anything is decided'],
  [0x57, 'of the fabric as a whole'],
  [0x58, 'of the mailbox it arrives on'],
  [0x59, 'of the fabric as a whole'],
]);

/** How the reply to a verified command becomes fit for a tenant. Every row has an answer; what is unknown is refused. */
export function replyPlan(row: Pick<TypedRow, 'slug' | 'opcode'>): ReplyPlan {
  const plan = plans[row.slug as TypedSlug];
  if (plan !== undefined) return plan;
  const set = row.opcode >> 8;
  if (set < 0x40 || COMPONENT_SETS.has(set)) return { kind: 'whole' };
  return { kind: 'refused', why: refusedSets.get(set) ?? 'nobody has said whose objects its reply speaks of' };
}
