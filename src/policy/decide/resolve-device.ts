import { uuidText, type Value } from '../../cci/index.ts';
import { namesOtherLog } from './classify.ts';
import { rangeIds } from './narrow.ts';
import { list, uint } from './params.ts';
import { headPath, hostPath, ldPath, poolPath, portPath, tagPath } from './paths.ts';
import {
  allLds,
  ldCount,
  ldTarget,
  portOrAnyLd,
  type Resolution,
  type ResolveContext,
  type Target,
  wholePort,
} from './resolve.ts';
import type { Terminal } from './terminal.ts';

type Here = Pick<Resolution, 'targets' | 'anyOf' | 'unresolved'>;

/** Fields that give the length of an LD range, by opcode; the start is `start_ld_id` everywhere. */
const ldRangeLength: ReadonlyMap<number, (params: Value) => number> = new Map([
  [0x5401, (params) => uint(params, 'ld_allocation_list_limit')],
  [0x5402, (params) => list(params, 'ld_allocation_list').length],
  [0x5406, (params) => uint(params, 'number_of_lds')],
  [0x5407, (params) => list(params, 'qos_allocation_fractions').length],
  [0x5408, (params) => uint(params, 'number_of_lds')],
  [0x5409, (params) => list(params, 'qos_limit_fractions').length],
  [0x5500, (params) => uint(params, 'ld_map_list_limit')],
]);

/** Opcodes whose LD range is understood; a test holds the catalogue's target marks against it. */
export const ldRangeOpcodes: ReadonlySet<number> = new Set(ldRangeLength.keys());

/**
 * Reads of an MLD's FM-owned LD that name no LD and tell nothing of a single one: owning one LD there is enough
 * (policy section 2). 0401h only for the Command Effects Log.
 */
export const sharedReads: ReadonlySet<number> = new Set([
  ...[0x0001, 0x0400, 0x0401, 0x5400, 0x5403, 0x5405],
  // Capacity of the device and its tags: other hosts and their tags are cut out of the reply.
  ...[0x5600, 0x5608],
]);

/** A read that tells everybody who has a part in the device the same, or each his own. */
export function isSharedRead(shape: ResolveContext['shape'], params: Value | undefined): boolean {
  if (shape.typed === undefined || !sharedReads.has(shape.opcode)) return false;
  return shape.opcode !== 0x0401 || !namesOtherLog(params);
}

/** What a command behind a tunnel touches. */
export function deviceTargets(context: ResolveContext, terminal: Exclude<Terminal, { kind: 'switch' }>): Here {
  const { shape, params, mutating } = context;
  const { port } = terminal;
  // Nobody can say what an opcode without a codec does, nor which part the fields of a vendor's mean: all there is below
  // the port, or the one LD.
  const understood = shape.typed !== undefined && shape.typed.vendor === undefined && params !== undefined;
  const named = understood ? namedTargets(context, port, params) : undefined;
  const only = (targets: readonly Target[]): Here => ({ targets, anyOf: [], unresolved: [] });
  switch (terminal.kind) {
    case 'device':
      return only([{ path: portPath(shape.switchName, port) }, ...(named?.all ?? [])]);
    case 'ld':
      return only([ldTarget(context, port, terminal.ld), ...(named?.all ?? [])]);
    case 'ldpool': {
      const pool = { path: poolPath(shape.switchName, port) };
      if (named === undefined) return only([pool, ...wholePort(context, port)]);
      return only([pool, ...(mutating ? wholePort(context, port) : []), ...named.all]);
    }
    case 'fm-owned-ld':
      if (named === undefined) return only(wholePort(context, port));
      return mutating ? only(writeTargets(context, port, named)) : readTargets(context, port, named);
  }
}

interface Named {
  readonly lds: readonly Target[];
  readonly all: readonly Target[];
  /** A write of a part: of the LDs, the host or the tag that it names. */
  readonly isPart: boolean;
}

/** A write touches the LDs, the host or the tag it names, or all LDs when it names none of them. */
function writeTargets(context: ResolveContext, port: number, named: Named): readonly Target[] {
  if (named.isPart) return named.all;
  const lds = allLds(context, port);
  return lds.length > 0 ? [...lds, ...named.all] : [{ path: portPath(context.shape.switchName, port) }, ...named.all];
}

function readTargets(context: ResolveContext, port: number, named: Named): Here {
  const { shape, params } = context;
  if (named.all.length > 0) return { targets: named.all, anyOf: [], unresolved: [] };
  if (isSharedRead(shape, params)) {
    return { targets: [], anyOf: portOrAnyLd(context, port), unresolved: [] };
  }
  return { targets: [{ path: portPath(shape.switchName, port) }], anyOf: [], unresolved: [] };
}

/** Objects that fields of the payload name. */
function namedTargets(context: ResolveContext, port: number, params: Value): Named {
  const lds = ldTargets(context, port, params);
  const capacity = capacityTargets(context, port, params);
  return {
    lds,
    all: [...lds, ...headTargets(context, port, params), ...capacity],
    isPart: lds.length > 0 || (capacity.length > 0 && CAPACITY_PARTS.has(context.shape.opcode)),
  };
}

function ldTargets(context: ResolveContext, port: number, params: Value): readonly Target[] {
  const { shape, kept, everything } = context;
  const length = ldRangeLength.get(shape.opcode);
  if (length === undefined) return [];
  if (kept !== undefined && !everything) return kept.map((ld) => ({ path: ldPath(shape.switchName, port, ld) }));
  const start = uint(params, 'start_ld_id');
  const end = Math.min(start + length(params), Math.max(ldCount(context, port), start) + 1);
  const ids = rangeIds(start, end - start);
  // One id past the last LD stands for all that a range names beyond it; who may see the whole switch may overshoot.
  const overshoot = everything && start < ldCount(context, port);
  const named = overshoot ? ids.filter((ld) => ld < ldCount(context, port)) : ids;
  return named.map((ld) => ldTarget(context, port, ld));
}

function headTargets({ shape }: ResolveContext, port: number, params: Value): readonly Target[] {
  if (shape.opcode !== 0x5501) return [];
  const heads = rangeIds(uint(params, 'start_head'), uint(params, 'number_of_heads'));
  return heads.map((head) => ({ path: headPath(shape.switchName, port, head) }));
}

/** Writes of one host's capacity or of one tag, where the device knows hosts apart. */
const CAPACITY_PARTS: ReadonlySet<number> = new Set([0x5604, 0x5605, 0x5606, 0x5607]);

/** Who must have added a tag before anybody else may name it. */
type TagUse = 'none' | 'may-be-new' | 'becomes-own' | 'must-exist';

function tagUse(opcode: number, params: Value, tag: string): TagUse {
  if (opcode === 0x5606 || opcode === 0x5607) return 'must-exist';
  if (opcode === 0x5604 && params.selection_policy === 'enable-shared-access') return 'must-exist';
  if (tag === NO_TAG) return 'none';
  return opcode === 0x5604 ? 'becomes-own' : 'may-be-new';
}

const NO_TAG = '00000000-0000-0000-0000-000000000000';

/** 56xxh: hosts, regions and tags. A write that names neither host nor tag touches the device as a whole. */
function capacityTargets(context: ResolveContext, port: number, params: Value): readonly Target[] {
  const { shape } = context;
  if (shape.row?.set !== 'dcd-management') return [];
  const tags = tagTargets(context, port, params);
  if (params.host_id !== undefined) {
    // An extent that is prescribed is a place in memory that all hosts share.
    const places = params.selection_policy === 'prescriptive' || removalPolicy(params) === 'prescriptive';
    const device = places ? [{ path: portPath(shape.switchName, port) }] : [];
    return [...device, { path: hostPath(shape.switchName, port, uint(params, 'host_id')) }, ...tags];
  }
  if (tags.length > 0 || !context.mutating) return tags;
  return [{ path: portPath(shape.switchName, port) }];
}

function removalPolicy({ flags }: Value): unknown {
  return typeof flags === 'object' && 'removal_policy' in flags ? flags.removal_policy : undefined;
}

function tagTargets({ shape, topology }: ResolveContext, port: number, params: Value): readonly Target[] {
  const named = params.tag instanceof Uint8Array ? [params.tag] : [];
  // Only an add gives tags to the extents it lists; a release names what the host has.
  const listed = shape.opcode === 0x5604 && Array.isArray(params.extents) ? params.extents.map(({ tag }) => tag) : [];
  return [...new Set([...named, ...listed].map(uuidText))].flatMap((tag): readonly Target[] => {
    const use = tagUse(shape.opcode, params, tag);
    if (use === 'none') return [];
    const path = tagPath(shape.switchName, port, tag);
    const recorded = topology.tagOwner?.(port, tag) ?? (use === 'must-exist' ? null : undefined);
    if (recorded !== undefined) return [{ path, recordedOwner: recorded }];
    return [use === 'becomes-own' ? { path, fresh: true } : { path }];
  });
}
