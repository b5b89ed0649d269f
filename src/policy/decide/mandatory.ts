import { TUNNEL_OPCODE, type Value } from '../../cci/index.ts';
import { activeFor, type Posture, type TaintLetter, taintBits } from '../../taint/index.ts';
import type { CommandRef, Condition, MandatoryFacts, RuleEngine } from '../engine.ts';
import { FABRIC_TENANT, type Reason, type ResourcePath, type TopologyView } from '../types.ts';
import { isVirtual, namesOtherLog, type RawCause } from './classify.ts';
import { uint } from './params.ts';
import { isBound, type ReachFacts } from './reach.ts';
import type { Shape } from './structure.ts';
import { deviceAt } from './terminal.ts';
import { changesAtOnce } from './vendor.ts';

export interface StateFacts {
  readonly shape: Shape;
  readonly topology: TopologyView;
  readonly posture: Posture;
  readonly params: Value | undefined;
  readonly ref: CommandRef;
  readonly cause: RawCause | undefined;
  readonly tenant: string;
  readonly mutating: boolean;
  readonly reach: ReachFacts;
  readonly touched: readonly ResourcePath[];
  /** The caller holds an explicit grant on each touched resource. */
  readonly granted: boolean;
}

/** Step 6: every mandatory row that denies. */
export function mandatoryReasons(engine: RuleEngine, facts: MandatoryFacts): readonly Reason[] {
  return engine.mandatory(facts).map((denial): Reason => {
    const { id, source, reason: text, errno } = denial;
    const base: Reason = { step: 'mandatory', errno, rule: id, text, source };
    return denial.returnCode === undefined ? base : { ...base, returnCode: denial.returnCode };
  });
}

export function mandatoryFacts(facts: StateFacts): MandatoryFacts {
  const { posture, reach } = facts;
  return {
    level: posture.lockdown.effective,
    underLockdown: posture.underLockdown,
    taint: activeLetters(facts),
    profile: posture.profile,
    tenant: facts.tenant,
    reach: reach.reach,
    command: facts.ref,
    conditions: new Set(conditionsOf(facts)),
  };
}

/** Bits not acknowledged on, above or below anything touched. */
function activeLetters({ posture, touched }: StateFacts): readonly TaintLetter[] {
  const active = new Set(touched.flatMap((path) => [...activeFor(posture.taint, path)]));
  return taintBits.map(({ letter }) => letter).filter((letter) => active.has(letter));
}

/** One row per condition that a mandatory rule can ask for. */
const conditionTable: readonly { readonly name: Condition; readonly holds: (facts: StateFacts) => boolean }[] = [
  { name: 'bound', holds: targetIsBound },
  { name: 'bound-without-mld', holds: boundWithoutMld },
  {
    name: 'quirk',
    holds: ({ shape, topology, cause }) =>
      !isVirtual(shape, cause) && topology.neverSend.has(shape.hops.length > 0 ? TUNNEL_OPCODE : shape.opcode),
  },
  { name: 'other-log', holds: ({ shape, params }) => isLogCommand(shape) && namesOtherLog(params) },
  // What a feature does is not in the catalogue, so it is taken to do it at once (R15).
  {
    name: 'immediate-effect',
    holds: ({ shape }) => shape.opcode === 0x0502 || (shape.row?.vendor !== undefined && changesAtOnce(shape.row)),
  },
  { name: 'mutating', holds: ({ mutating }) => mutating },
  { name: 'leaves-tenant', holds: (facts) => leaves(facts) && !(facts.tenant === FABRIC_TENANT && facts.granted) },
  { name: 'crosses-tenants', holds: leaves },
];

function conditionsOf(facts: StateFacts): readonly Condition[] {
  return conditionTable.filter(({ holds }) => holds(facts)).map(({ name }) => name);
}

function leaves({ mutating, reach }: StateFacts): boolean {
  return mutating && reach.reach !== 'query' && reach.reach !== 'own';
}

/** Log commands that name a log: 0401h to 0404h. */
function isLogCommand({ opcode }: Shape): boolean {
  return opcode >= 0x0401 && opcode <= 0x0404;
}

/** 5103h, 5301h and 5302h on something that a host holds (D26); FFFFh is the FM-owned LD, which no host can hold. */
function targetIsBound({ shape, topology, params }: StateFacts): boolean {
  if (shape.opcode !== 0x5103 && shape.opcode !== 0x5301 && shape.opcode !== 0x5302) return false;
  if (params === undefined) return true;
  const port = uint(params, shape.opcode === 0x5302 ? 'port_id' : 'ppb_id');
  if (shape.opcode === 0x5103) return isBound({ shape, topology }, port, undefined);
  return isBound({ shape, topology }, port, uint(params, 'ld_id'));
}

/** 5102h is for ports without a host and for MLD ports. */
function boundWithoutMld({ shape, topology, params }: StateFacts): boolean {
  if (shape.opcode !== 0x5102 || params === undefined) return false;
  const port = uint(params, 'ppb_id');
  return deviceAt(topology, port) !== 'mld' && isBound({ shape, topology }, port, undefined);
}
