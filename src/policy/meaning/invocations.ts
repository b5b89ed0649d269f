import {
  CEL_UUID,
  type CommandRow,
  type Hop,
  isTyped,
  ldId,
  NO_LD,
  portId,
  uuidBytes,
  type Value,
  VENDOR_DEBUG_LOG_UUID,
} from '../../cci/index.ts';
import { parsePath } from '../fabric/index.ts';
import type { AssumedState } from '../offline/index.ts';
import type { Binding, Fabric, ResourcePath, Submission, SubmittedAs } from '../types.ts';
import { leastRequest } from './least-request.ts';

/** One way to run a command so that it touches an object: bytes, tunnel path, and what is bound to what meanwhile. */
export interface Invocation {
  readonly submission: Submission;
  readonly assumed: AssumedState;
  readonly params?: Value;
}

/** Objects that a command needs beside the one that is asked about: for a bind, slots and what can be put into them. */
export interface Companions {
  readonly vppbs: readonly ResourcePath[];
  readonly ends: readonly ResourcePath[];
}

/** What a path names, in numbers. */
interface Place {
  readonly kind: 'switch' | 'port' | 'ld' | 'ldpool' | 'head' | 'host' | 'tag' | 'vcs' | 'vppb';
  readonly switch: string;
  /** Port or VCS. */
  readonly id: number;
  /** What is below it. */
  readonly sub: number;
  readonly tag: string;
}

/** LDs behind a port by the fabric file. */
export function ldsBehind(fabric: Fabric, { switch: name, id }: Place): number {
  return Number(fabric.switches.get(name)?.ports.get(id)?.lds);
}

const BIND = 0x5201;
const UNBIND = 0x5202;

/** @throws RangeError for what is no path of an object */
export function placeOf(path: ResourcePath): Place {
  const parsed = parsePath(path);
  if (parsed === undefined) throw new RangeError(`not a path: ${path}`);
  const [, , , , id, , sub = ''] = path.split('/');
  return { kind: parsed.kind, switch: parsed.switch, id: Number(id), sub: Number(sub), tag: sub };
}

/**
 * Ways to run a command so that it may touch the object. What each really touches is for the decision to say: one way too
 * many does no harm, one too few would hide what can be done.
 *
 * @param row absent for opcodes nobody catalogued
 */
export function invocations(
  fabric: Fabric,
  { opcode, row }: { readonly opcode: number; readonly row: CommandRow | undefined },
  submittedAs: SubmittedAs,
  path: ResourcePath,
  companions: Companions,
): readonly Invocation[] {
  const place = placeOf(path);
  const ways = waysOf(fabric, opcode, place, companions).map((way) => withVendorFields(way, place, row));
  const found: Invocation[] = [];
  for (const { hops, wishes, bindings } of ways) {
    const typed = row !== undefined && row.status === 'verified' && isTyped(row) ? row : undefined;
    const request = typed === undefined ? { payload: new Uint8Array(0) } : leastRequest(typed, wishes);
    if (request === undefined) continue;
    const command = { hops, tags: hops.map(() => 1), opcode, payload: request.payload };
    // An FM interface: no command is offered on a host mailbox alone.
    const assumed: AssumedState = bindings === undefined ? {} : { bindings };
    const submission: Submission = { switch: place.switch, submittedAs, command };
    found.push('params' in request ? { submission, assumed, params: request.params } : { submission, assumed });
  }
  return found;
}

interface Way {
  readonly hops: readonly Hop[];
  readonly wishes: Value;
  readonly bindings?: AssumedState['bindings'];
}

function waysOf(fabric: Fabric, opcode: number, place: Place, companions: Companions): readonly Way[] {
  if (opcode === BIND)
    return slots(place, companions).map(({ slot, end }) => onSwitch({ ...slotFields(slot), ...endFields(end) }));
  if (opcode === UNBIND) return unbinds(place, companions);
  return [...directWays(place), ...tunnelWays(fabric, place)].flatMap(withLogs);
}

function onSwitch(wishes: Value): Way {
  return { hops: [], wishes };
}

/** Commands on the switch's own CCI that name the object in a field. */
function directWays(place: Place): readonly Way[] {
  switch (place.kind) {
    case 'switch':
      return [onSwitch({})];
    case 'port':
    case 'ld':
      return ldFields(place).map((fields) => onSwitch({ port_id_list: [place.id], ...fields }));
    case 'vcs':
      return [onSwitch({ vcs_id: place.id, vcs_id_list: [place.id], vppb_instance: 0 })];
    case 'vppb':
      return [onSwitch(slotFields(place))];
    default:
      return [];
  }
}

/** The LD by its id; and FFFFh, which reaches a port and every LD behind it. */
function ldFields({ kind, id, sub }: Place): readonly Value[] {
  const port = { ppb_id: id, physical_port_id: id, port_id: id };
  const whole = { ...port, ld_id: NO_LD };
  return kind === 'ld' ? [{ ...port, ld_id: sub }, whole] : [whole];
}

function slotFields({ id, sub }: Place): Value {
  return { vcs_id: id, vcs_id_list: [id], vppb_id: sub, vppb_instance: sub };
}

/** Commands through a tunnel to the port, and from there to its pool or to an LD. */
function tunnelWays(fabric: Fabric, place: Place): readonly Way[] {
  if (place.kind === 'switch' || place.kind === 'vcs' || place.kind === 'vppb') return [];
  const first: Hop = { kind: 'port', port: portId(place.id) };
  const device: readonly Hop[] = [first];
  const pool: readonly Hop[] = [first, { kind: 'ldpool' }];
  const lds = Array.from({ length: ldsBehind(fabric, place) }, (_, ld): readonly Hop[] => [
    first,
    { kind: 'ld', ld: ldId(ld) },
  ]);
  const through = (paths: readonly (readonly Hop[])[], wishes: Value = {}): readonly Way[] =>
    paths.map((hops) => ({ hops, wishes }));
  const { sub, tag } = place;
  switch (place.kind) {
    case 'port':
    case 'ldpool':
      return through([device, pool]);
    case 'ld':
      return through([...lds.slice(sub, sub + 1), device, pool], rangeFrom(sub));
    case 'head':
      return through([device, pool, ...lds], { start_head: sub, number_of_heads: 1 });
    case 'host':
      return through([device, pool], { host_id: sub });
    case 'tag':
      return through([device, pool], { tag: uuidBytes(tag) });
  }
}

/** A range of one LD, as each command writes it. */
function rangeFrom(ld: number): Value {
  return {
    start_ld_id: ld,
    number_of_lds: 1,
    ld_allocation_list_limit: 1,
    ld_map_list_limit: 1,
    ld_allocation_list: [{ range_1_allocation_multiplier: 0n, range_2_allocation_multiplier: 0n }],
    qos_allocation_fractions: [0],
    qos_limit_fractions: [0],
  };
}

/** A log is the Command Effects Log or another one, which makes two commands of one. */
function withLogs(way: Way): readonly Way[] {
  return [CEL_UUID, VENDOR_DEBUG_LOG_UUID].map((log) => ({ ...way, wishes: { ...way.wishes, log_identifier: log } }));
}

/** A vendor's fields have names of their own, which his row tells. */
function withVendorFields(way: Way, { id, sub }: Place, row: CommandRow | undefined): Way {
  const touches = row?.vendor?.touches;
  switch (touches?.kind) {
    case 'port':
      return { ...way, wishes: { ...way.wishes, [touches.port]: id } };
    case 'ld':
      return { ...way, wishes: { ...way.wishes, [touches.port]: id, [touches.ld]: way.wishes.ld_id ?? sub } };
    case 'vcs':
      return { ...way, wishes: { ...way.wishes, [touches.vcs]: id } };
    case 'vppb':
      return { ...way, wishes: { ...way.wishes, [touches.vcs]: id, [touches.vppb]: sub } };
    default:
      return way;
  }
}

interface Pair {
  readonly slot: Place;
  readonly end: Place;
}

/** Every pair of a slot and something to put into it in which the object is one of the two. */
function slots(place: Place, { vppbs, ends }: Companions): readonly Pair[] {
  const on = (paths: readonly ResourcePath[]): readonly Place[] =>
    paths.map(placeOf).filter((other) => other.switch === place.switch);
  if (place.kind === 'vppb') return on(ends).map((end) => ({ slot: place, end }));
  if (place.kind !== 'port' && place.kind !== 'ld') return [];
  // An LD is named by its id or, with the whole port, by FFFFh.
  const whole: Place = { ...place, kind: 'port' };
  const named = place.kind === 'ld' ? [place, whole] : [place];
  return on(vppbs).flatMap((slot) => named.map((end) => ({ slot, end })));
}

function endFields(end: Place): Value {
  return { physical_port_id: end.id, ld_id: end.kind === 'ld' ? end.sub : NO_LD };
}

/** An empty slot touches itself alone; what is bound to it is touched as well. */
function unbinds(place: Place, companions: Companions): readonly Way[] {
  const bound = slots(place, companions).map(({ slot, end }): Way => {
    const binding: Binding =
      end.kind === 'ld' ? { kind: 'ld', port: end.id, ld: end.sub } : { kind: 'port', port: end.id };
    return { ...onSwitch(slotFields(slot)), bindings: new Map([[slot.id, new Map([[slot.sub, binding]])]]) };
  });
  return place.kind === 'vppb' ? [onSwitch(slotFields(place)), ...bound] : bound;
}
