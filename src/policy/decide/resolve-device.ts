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
const sharedReads: ReadonlySet<number> = new Set([0x0001, 0x0400, 0x0401, 0x5400, 0x5403, 0x5405]);

/** What a command behind a tunnel touches. */
export function deviceTargets(context: ResolveContext, terminal: Exclude<Terminal, { kind: 'switch' }>): Here {
  const { shape, params, mutating } = context;
  const { port } = terminal;
  // Nobody can say what an opcode without a codec does: all there is below the port, or the one LD.
  const named = shape.typed === undefined || params === undefined ? undefined : namedTargets(context, port, params);
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
}

/** A write touches the LDs it names, or all of them when it names none. */
function writeTargets(context: ResolveContext, port: number, named: Named): readonly Target[] {
  if (named.lds.length > 0) return named.all;
  const lds = allLds(context, port);
  return lds.length > 0 ? [...lds, ...named.all] : [{ path: portPath(context.shape.switchName, port) }, ...named.all];
}

function readTargets(context: ResolveContext, port: number, named: Named): Here {
  const { shape, params } = context;
  if (named.all.length > 0) return { targets: named.all, anyOf: [], unresolved: [] };
  if (sharedReads.has(shape.opcode) && (shape.opcode !== 0x0401 || !namesOtherLog(params))) {
    return { targets: [], anyOf: portOrAnyLd(context, port), unresolved: [] };
  }
  return { targets: [{ path: portPath(shape.switchName, port) }], anyOf: [], unresolved: [] };
}

/** Objects that fields of the payload name. */
function namedTargets(context: ResolveContext, port: number, params: Value): Named {
  const lds = ldTargets(context, port, params);
  return { lds, all: [...lds, ...headTargets(context, port, params), ...capacityTargets(context, port, params)] };
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

/** Who must have added a tag before anybody else may name it. */
type TagUse = 'none' | 'may-be-new' | 'must-exist';

function tagUse(opcode: number, params: Value, tag: string): TagUse {
  if (opcode === 0x5606 || opcode === 0x5607) return 'must-exist';
  if (opcode === 0x5604 && params.selection_policy === 'enable-shared-access') return 'must-exist';
  return tag === NO_TAG ? 'none' : 'may-be-new';
}

const NO_TAG = '00000000-0000-0000-0000-000000000000';

/** 56xxh: hosts, regions and tags. What names no host touches the device as a whole. */
function capacityTargets({ shape, topology }: ResolveContext, port: number, params: Value): readonly Target[] {
  if (shape.row?.set !== 'dcd-management') return [];
  const host = params.host_id;
  const targets: Target[] = [
    {
      path:
        host === undefined
          ? portPath(shape.switchName, port)
          : hostPath(shape.switchName, port, uint(params, 'host_id')),
    },
  ];
  if (!(params.tag instanceof Uint8Array)) return targets;
  const tag = uuidText(params.tag);
  const use = tagUse(shape.opcode, params, tag);
  if (use === 'none') return targets;
  const path = tagPath(shape.switchName, port, tag);
  const recorded = topology.tagOwner?.(port, tag) ?? (use === 'must-exist' ? null : undefined);
  targets.push(recorded === undefined ? { path } : { path, recordedOwner: recorded });
  return targets;
}
