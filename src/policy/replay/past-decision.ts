import { lockdownLevels, type TaintLetter } from '../../taint/index.ts';
import { reachOrder, taintOrder } from '../casbin/mandatory-columns.ts';
import { type Condition, conditions, type MandatoryFacts } from '../engine.ts';
import { isCallerName, isTenantName, tenantGroup } from '../names.ts';
import type { CommandClass, Principal, ResourcePath, TokenScope } from '../types.ts';

/** What a record says of a past decision, checked: everything that is needed to take it again. */
export interface PastDecision {
  readonly sequence: number;
  readonly requestId: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Policy that it was taken with. */
  readonly snapshot: string | undefined;
  readonly principal: Principal;
  readonly verdict: 'allow' | 'deny';
  readonly switch: string;
  /** Slug, or `opcode:0xc010`. */
  readonly command: string;
  readonly opcode: number;
  readonly class: CommandClass;
  readonly scope: 0 | 1 | 2 | 3;
  readonly touched: readonly ResourcePath[];
  /** What grants were asked for: what was touched, and for a tag on a shared device the caller's part of it. */
  readonly asked: readonly ResourcePath[];
  readonly level: MandatoryFacts['level'];
  readonly underLockdown: MandatoryFacts['underLockdown'];
  readonly profile: MandatoryFacts['profile'];
  readonly reach: MandatoryFacts['reach'];
  readonly taint: readonly TaintLetter[];
  readonly conditions: readonly Condition[];
  readonly reasons: readonly PastReason[];
}

/** A reason as the journal has it. */
export interface PastReason {
  readonly step: string;
  readonly rule: string;
  readonly text: string;
}

/**
 * `undecided`: no command was decided (a refused token, a quota, a defect). `incomplete`: written before the journal held
 * all facts. `malformed`: what is there is nothing that the broker writes.
 */
export type Reading =
  | { readonly kind: 'decision'; readonly decision: PastDecision }
  | { readonly kind: 'undecided' | 'incomplete' }
  | { readonly kind: 'malformed'; readonly member: string };

/** A record's members. Whoever could write the file may have put anything there. */
export type RecordMembers = { readonly [name: string]: unknown };

const NEEDED = [
  'groups',
  'scopes',
  'conditions',
  'activeTaint',
  'posture',
  'class',
  'scope',
  'reach',
  'touched',
] as const;
const NEEDED_POSTURE = ['profile', 'underLockdown'] as const;

/** Reads a `decision` or `intent` record. Never throws. */
export function readPastDecision(record: RecordMembers): Reading {
  if (record.command === undefined || record.principal === undefined) return { kind: 'undecided' };
  const { posture } = record;
  if (NEEDED.some((name) => record[name] === undefined)) return { kind: 'incomplete' };
  if (!isObject(posture)) return { kind: 'malformed', member: 'posture' };
  if (NEEDED_POSTURE.some((name) => posture[name] === undefined)) return { kind: 'incomplete' };
  for (const [member, isRight] of checks) {
    if (!isRight(record[member])) return { kind: 'malformed', member };
  }
  for (const [member, isRight] of postureChecks) {
    if (!isRight(posture[member])) return { kind: 'malformed', member: `posture.${member}` };
  }
  return {
    kind: 'decision',
    decision: decisionOf(record as unknown as CheckedRecord, posture as unknown as CheckedPosture),
  };
}

/** A record after its checks. */
interface CheckedRecord {
  readonly seq: number;
  readonly requestId: string;
  readonly at: string;
  readonly snapshot?: string;
  readonly principal: string;
  readonly tenant: string;
  readonly groups: readonly string[];
  readonly scopes: readonly TokenScope[];
  readonly switch: string;
  readonly command: string;
  readonly opcode: number;
  readonly class: CommandClass;
  readonly scope: PastDecision['scope'];
  readonly reach: PastDecision['reach'];
  readonly touched: readonly ResourcePath[];
  readonly grants?: readonly { readonly resource: ResourcePath }[];
  readonly conditions: readonly Condition[];
  readonly activeTaint: readonly TaintLetter[];
  readonly verdict: PastDecision['verdict'];
  readonly reasons?: readonly PastReason[];
}

interface CheckedPosture {
  readonly lockdown: PastDecision['level'];
  readonly profile: PastDecision['profile'];
  readonly underLockdown: PastDecision['underLockdown'];
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isOneOf = (among: readonly unknown[]): Check => {
  const known = new Set(among);
  return (value) => known.has(value);
};
const isListOf =
  (isRight: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(isRight);
const isObject = (value: unknown): value is RecordMembers => typeof value === 'object' && value !== null;
const isPath: Check = (value) => typeof value === 'string' && value.startsWith('/switches/');
const isReason: Check = (value) => isObject(value) && isText(value.step) && isText(value.rule) && isText(value.text);

/** As the journal writes it; whoever reads it may sort by it and print it. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const checks: readonly (readonly [member: keyof CheckedRecord, isRight: Check])[] = [
  ['seq', Number.isSafeInteger],
  ['requestId', isText],
  ['at', (value) => typeof value === 'string' && MOMENT.test(value)],
  ['snapshot', (value) => value === undefined || isText(value)],
  ['principal', remembered((name) => isCallerName(name))],
  ['tenant', remembered((name) => isTenantName(name))],
  ['groups', isListOf(remembered((name) => isCallerName(name)))],
  ['scopes', isListOf(isText)],
  ['switch', isText],
  ['command', isText],
  ['opcode', (value) => Number.isInteger(value) && Number(value) > 0 && Number(value) <= 0xffff],
  ['class', isOneOf(['allowlisted', 'audited', 'raw'] satisfies readonly CommandClass[])],
  ['scope', isOneOf([0, 1, 2, 3])],
  ['reach', isOneOf(reachOrder)],
  ['touched', isListOf(isPath)],
  ['grants', (value) => value === undefined || isListOf((grant) => isObject(grant) && isPath(grant.resource))(value)],
  ['conditions', isListOf(isOneOf(conditions))],
  ['activeTaint', isListOf(isOneOf(taintOrder))],
  ['verdict', isOneOf(['allow', 'deny'])],
  ['reasons', (value) => value === undefined || isListOf(isReason)(value)],
];

const postureChecks: readonly (readonly [member: keyof CheckedPosture, isRight: Check])[] = [
  ['lockdown', isOneOf(lockdownLevels)],
  ['profile', isOneOf(['host', 'bmc'])],
  ['underLockdown', isOneOf(['allow', 'reads', 'off'])],
];

const REMEMBERED_MAX = 100_000;

/** A check of texts that a journal repeats a million times. */
function remembered(isRight: (text: string) => boolean): Check {
  const known = new Map<string, boolean>();
  return (value) => {
    if (typeof value !== 'string') return false;
    const before = known.get(value);
    if (before !== undefined) return before;
    if (known.size >= REMEMBERED_MAX) known.clear();
    const now = isRight(value);
    known.set(value, now);
    return now;
  };
}

function decisionOf(record: CheckedRecord, posture: CheckedPosture): PastDecision {
  const { principal: name, tenant, groups, scopes } = record;
  return {
    sequence: record.seq,
    requestId: record.requestId,
    at: record.at,
    snapshot: record.snapshot,
    principal: {
      name,
      names: [name, ...groups, tenantGroup(tenant)],
      tenant,
      scopes,
      issuer: name.slice(name.indexOf(':') + 1, name.indexOf('#')),
      subject: name.slice(name.indexOf('#') + 1),
      tokenId: record.requestId,
      expiresAtMs: Number.MAX_SAFE_INTEGER,
    },
    verdict: record.verdict,
    switch: record.switch,
    command: record.command,
    opcode: record.opcode,
    class: record.class,
    scope: record.scope,
    touched: record.touched,
    asked: record.grants?.map(({ resource }) => resource) ?? record.touched,
    level: posture.lockdown,
    underLockdown: posture.underLockdown,
    profile: posture.profile,
    reach: record.reach,
    taint: record.activeTaint,
    conditions: record.conditions,
    reasons: record.reasons ?? [],
  };
}
