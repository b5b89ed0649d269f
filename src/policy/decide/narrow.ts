import type { Value } from '../../cci/index.ts';
import type { Narrowing, ResourcePath, TopologyView } from '../types.ts';
import { ids, uint } from './params.ts';
import { headPath, hostPath, ldPath, portPath, vcsPath } from './paths.ts';
import type { Shape } from './structure.ts';
import { hasLd, type Terminal } from './terminal.ts';

/** What a filterable read lists, and how the list is written into its parameters. */
interface NarrowRule {
  /** LDs count only where the device has them too: a range is never sent past its end. */
  readonly lists?: 'lds';
  /** Path of one listed id; undefined where the command is not at a place where it lists anything. */
  readonly path: (switchName: string, terminal: Terminal, id: number) => ResourcePath | undefined;
  readonly ids: (params: Value) => readonly number[];
  /** The parameters with only these ids, which are never none, and how the request then reads. */
  readonly apply: (params: Value, kept: readonly number[]) => { readonly params: Value } & Pick<Narrowing, 'range'>;
}

const MAX_ID = 0xff;

const ofPort =
  (path: (name: string, port: number, id: number) => ResourcePath): NarrowRule['path'] =>
  (name, terminal, id) =>
    'port' in terminal ? path(name, terminal.port, id) : undefined;

/** An explicit list: order and repetitions stay as asked, the device answers each entry. */
function listed(field: string, path: NarrowRule['path']): NarrowRule {
  return {
    path,
    ids: (params) => ids(params, field),
    apply: (params, kept) => ({ params: { ...params, [field]: kept } }),
  };
}

/** `count` ids from `start` on: what is sent runs from the first kept id to the last. */
function positional(start: string, count: string, path: NarrowRule['path']): NarrowRule {
  return {
    ...(path === lds ? { lists: 'lds' } : {}),
    path,
    ids: (params) => rangeIds(uint(params, start), uint(params, count)),
    apply: (params, kept) => {
      const first = Math.min(...kept);
      const length = Math.max(...kept) - first + 1;
      return { params: { ...params, [start]: first, [count]: length }, range: { start: first, count: length } };
    },
  };
}

const lds = ofPort(ldPath);

/** The filterable reads of policy section 2. */
const narrowRules: ReadonlyMap<number, NarrowRule> = new Map([
  [0x5101, listed('port_id_list', (name, _terminal, id) => portPath(name, id))],
  [0x5200, listed('vcs_id_list', (name, _terminal, id) => vcsPath(name, id))],
  [0x5401, positional('start_ld_id', 'ld_allocation_list_limit', lds)],
  [0x5406, positional('start_ld_id', 'number_of_lds', lds)],
  [0x5408, positional('start_ld_id', 'number_of_lds', lds)],
  [0x5500, positional('start_ld_id', 'ld_map_list_limit', lds)],
  [0x5501, positional('start_head', 'number_of_heads', ofPort(headPath))],
  // A list of one host: it is that host's list or an empty one.
  [0x5603, { path: ofPort(hostPath), ids: (params) => [uint(params, 'host_id')], apply: (params) => ({ params }) }],
]);

export interface Narrowed {
  readonly params: Value;
  readonly narrowing?: Narrowing;
  /** Nothing is left: success with an empty list, and the device is not asked. */
  readonly empty: boolean;
}

/** The window of 5200h that every device reads the same way (D11). */
const WHOLE_WINDOW = { starting_vppb: 0, vppb_list_limit: 255 } as const;

const ALL_TAGS = { starting_index: 0, max_tags: 0xffff_ffff } as const;

/**
 * Cuts a filterable read down to ids that exist and are the caller's, before anything is decided on it. Only commands
 * submitted by name: a raw one is not rewritten, one foreign id refuses it whole.
 *
 * @param mine is the object there, and is it the caller's?
 * @param everything the caller may see the whole switch, so that nothing is cut
 */
export function narrow(
  shape: Shape,
  topology: TopologyView,
  terminal: Terminal,
  params: Value,
  mine: (path: ResourcePath) => boolean,
  everything: boolean,
): Narrowed {
  // Positions in the list of a device's tags tell of other tags, so everybody's window is cut by the broker.
  if (shape.opcode === 0x5608 && shape.submittedAs !== 'raw')
    return { params: { ...params, ...ALL_TAGS }, empty: false };
  const rule = shape.submittedAs === 'raw' ? undefined : narrowRules.get(shape.opcode);
  if (rule === undefined) return { params, empty: false };
  const asked = rule.ids(params);
  const isMine = (id: number): boolean => {
    const path = rule.path(shape.switchName, terminal, id);
    if (rule.lists === 'lds' && !('port' in terminal && hasLd(topology, terminal.port, id))) return false;
    return path !== undefined && mine(path);
  };
  const kept = everything ? asked : asked.filter(isMine);
  const window = windowOf(shape, params);
  const note: Narrowing = window === undefined ? { asked, kept } : { asked, kept, window };
  if (kept.length === 0 && !everything) return { params, narrowing: note, empty: true };
  const applied = everything ? { params } : rule.apply(params, kept);
  return {
    params: window === undefined ? applied.params : { ...applied.params, ...WHOLE_WINDOW },
    narrowing: applied.range === undefined ? note : { ...note, range: applied.range },
    empty: false,
  };
}

function windowOf(shape: Shape, params: Value): Narrowing['window'] {
  if (shape.opcode !== 0x5200) return undefined;
  return { start: uint(params, 'starting_vppb'), limit: uint(params, 'vppb_list_limit') };
}

/** Ids of a range; ids have 8 bits, so the range ends there. */
export function rangeIds(start: number, count: number): readonly number[] {
  const length = Math.max(0, Math.min(count, MAX_ID + 1 - start));
  return Array.from({ length }, (_, i) => start + i);
}
