import { type CommandRow, hex16, isTyped } from '../../cci/index.ts';
import { hasWholeSwitch } from '../decide/access.ts';
import { switchPath } from '../decide/paths.ts';
import { switchQueryOpcodes } from '../decide/resolve-switch.ts';
import type { CommandRef, Condition, RuleEngine } from '../engine.ts';
import { parsePath } from '../fabric/index.ts';
import { FABRIC_TENANT, type GrantVerdict, type Principal, type ResourcePath } from '../types.ts';
import type { PastDecision, PastReason } from './past-decision.ts';

/** Why a decision is what it is under the candidate. */
export interface NewReason {
  /** `recorded`: a step that no policy decides, as the journal has it. */
  readonly step: 'mandatory' | 'ownership' | 'grant' | 'recorded';
  readonly text: string;
  /** Row that decided, where one did. */
  readonly source?: string;
}

export interface Redecided {
  readonly verdict: 'allow' | 'deny';
  /** What stands against it; empty when it is allowed. */
  readonly reasons: readonly NewReason[];
  /** What each touched resource is granted by. */
  readonly grants: readonly GrantVerdict[];
}

/**
 * Takes a past decision again under another policy. Anew: ownership of what was touched, a grant for each, mandatory rows.
 * As recorded: everything that bytes, device, token and configuration decide, what was touched, reach, taint, conditions
 * (but whether an operator holds a grant on each resource, which grants decide), and what a narrowing left.
 *
 * @param caller the caller, or one whom the rows don't tell from him
 */
export function redecide(engine: RuleEngine, past: PastDecision, caller: Principal = past.principal): Redecided {
  const kept: NewReason[] = past.reasons
    .filter((reason) => isKept(reason, past))
    .map(({ rule, text }) => ({ step: 'recorded', text: `${text} (${rule})` }));
  // Refused without a reason of the decision's: by the pipeline, for something that no policy has a say in.
  if (past.verdict === 'deny' && past.reasons.length === 0) {
    kept.push({ step: 'recorded', text: 'the broker refused it for a reason other than policy' });
  }
  const row = engine.commands.rowByOpcode(past.opcode);
  const ref = refOf(past, row);
  if (ref === undefined) {
    const text = `under this policy ${hex16(past.opcode)} is not \`${past.command}\``;
    return { verdict: 'deny', reasons: [{ step: 'grant', text }, ...kept], grants: [] };
  }
  const grants = past.asked.map((path) => engine.grant(caller, path, ref));
  const reasons = [
    ...mandatoryReasons(engine, past, ref, grants),
    ...ownershipReasons(engine, past, caller, ref, row),
    ...grants.flatMap(grantReason),
    ...kept,
  ];
  return { verdict: reasons.length === 0 ? 'allow' : 'deny', reasons, grants };
}

/** Undefined where the policy does not know the command by that name: a reviewed vendor command of the one in force then. */
function refOf(
  { opcode, class: commandClass, scope, command }: PastDecision,
  row: CommandRow | undefined,
): CommandRef | undefined {
  if (commandClass !== 'raw' && row?.slug !== command) return undefined;
  if (row === undefined) return { opcode, class: commandClass, scope };
  const ref = { opcode, slug: row.slug, set: row.set, class: commandClass, scope };
  return row.grant === undefined ? ref : { ...ref, grant: row.grant };
}

const DECIDED_BY_POLICY: ReadonlySet<string> = new Set(['mandatory', 'grant']);

/** Ownership of a touched resource is asked anew; that of the end of a tunnel path, which is not recorded, is not. */
function isKept({ step, text }: PastReason, past: PastDecision): boolean {
  if (DECIDED_BY_POLICY.has(step)) return false;
  if (step !== 'ownership') return true;
  return !past.touched.some((path) => isAbout(text, path) && !isTag(path));
}

function isAbout(text: string, path: ResourcePath): boolean {
  return text.startsWith(`${path} `);
}

/** Who first added a tag was written down by the broker, not by the fabric file: it stays as recorded. */
function isTag(path: ResourcePath): boolean {
  return path.includes('/tags/') && parsePath(path)?.kind === 'tag';
}

function mandatoryReasons(
  engine: RuleEngine,
  past: PastDecision,
  command: CommandRef,
  grants: readonly GrantVerdict[],
): readonly NewReason[] {
  const { level, underLockdown, taint, profile, reach } = past;
  const { tenant } = past.principal;
  const conditions = new Set<Condition>(past.conditions);
  if (conditions.has('crosses-tenants')) {
    const isGranted = grants.length > 0 && grants.every(({ allowed }) => allowed);
    if (tenant === FABRIC_TENANT && isGranted) conditions.delete('leaves-tenant');
    else conditions.add('leaves-tenant');
  }
  const facts = { level, underLockdown, taint, profile, tenant, reach, command, conditions };
  return engine
    .mandatory(facts)
    .map(({ id, source, reason }) => ({ step: 'mandatory', text: `${reason} (${id})`, source }));
}

function ownershipReasons(
  engine: RuleEngine,
  past: PastDecision,
  caller: Principal,
  ref: CommandRef,
  row: CommandRow | undefined,
): readonly NewReason[] {
  const { fabric } = engine;
  const { touched } = past;
  const { tenant } = caller;
  const isOperator = tenant === FABRIC_TENANT;
  return touched
    .filter((path) => {
      if (isTag(path)) return false;
      const owner = fabric.tenants.includes(tenant) ? fabric.ownerOf(path) : undefined;
      if (owner === tenant || (isOperator && owner !== undefined)) return false;
      if (path === switchPath(past.switch) && isQuery(past, row)) return false;
      return !(isOperator && hasWholeSwitch(engine, caller, past.switch, ref));
    })
    .map((path) => ({ step: 'ownership', text: `${path} is not the caller's, or does not exist` }));
}

/** A query of the switch itself, as `decide/resolve-switch.ts` tells it. */
function isQuery({ opcode, conditions }: PastDecision, row: CommandRow | undefined): boolean {
  if (row === undefined || row.status !== 'verified' || !isTyped(row)) return false;
  const isMutating = conditions.includes('mutating');
  if (row.vendor !== undefined) {
    return row.vendor.touches.kind === 'switch' && row.vendor.ownerData === 'none' && !isMutating;
  }
  if (!switchQueryOpcodes.has(opcode) || (isMutating && opcode !== ABORT)) return false;
  return opcode !== GET_LOG || !conditions.includes('other-log');
}

const ABORT = 0x0005;
const GET_LOG = 0x0401;

function grantReason({ resource, allowed, rule }: GrantVerdict): readonly NewReason[] {
  if (allowed) return [];
  if (rule === undefined) return [{ step: 'grant', text: `nothing grants it on ${resource}` }];
  return [{ step: 'grant', text: `denied on ${resource} by a row: ${rule.text}`, source: rule.source }];
}
