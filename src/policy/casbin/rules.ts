import type { CommandTable } from '../../cci/index.ts';
import type { Errno } from '../types.ts';
import type { CommandColumn } from './mandatory-columns.ts';
import type { Effect, Selector } from './selector.ts';

/** A `p` row that passed the loader. */
export interface GrantRule {
  /** Position among all rows, in the order of files and lines: what casbin's order means. */
  readonly order: number;
  readonly file: string;
  readonly line: number;
  /** `role, tenant, resource, command, eft`, as casbin gets it. */
  readonly row: readonly [role: string, tenant: string, resource: string, command: string, eft: Effect];
  readonly selector: Selector;
}

/** A `g` row that passed the loader: in `tenant`, `name` has `role`. */
export interface RoleLink {
  readonly name: string;
  readonly role: string;
  readonly tenant: string;
  /** Where it stands, for rows that were read from a file. */
  readonly file?: string;
  readonly line?: number;
}

/** The columns of a `p2` row. */
export type MandatoryTexts = readonly [
  id: string,
  level: string,
  taint: string,
  profile: string,
  commandClass: string,
  scope: string,
  reach: string,
  command: string,
  effect: string,
  reason: string,
];

/** A `p2` row that passed the loader. */
export interface MandatoryRule {
  readonly file: string;
  readonly line: number;
  /** `id, level, taint, profile, class, scope, reach, command, eft, reason`. */
  readonly row: MandatoryTexts;
  readonly command: CommandColumn;
}

/** Everything that a snapshot is built from. */
export interface PolicyRules {
  readonly grants: readonly GrantRule[];
  readonly links: readonly RoleLink[];
  readonly mandatory: readonly MandatoryRule[];
  readonly loosened: readonly string[];
  /** Commands that grants may name: the catalogue, and what `commands.d` adds. Absent: the catalogue alone. */
  readonly commands?: CommandTable;
}

/** `tenants/acme.csv:12`: how every tool and record names a row. */
export function sourceOf(rule: { readonly file: string; readonly line: number }): string {
  return `${rule.file}:${rule.line}`;
}

/** The row as a person would write it. */
export function grantText(rule: GrantRule): string {
  return `p, ${rule.row.join(', ')}`;
}

/** First letter of a rule id to how a refusal by it looks from outside. */
export const refusals: ReadonlyMap<
  string,
  { readonly errno: Errno; readonly returnCode?: number; readonly what: string }
> = new Map([
  ['L', { errno: 'EPERM', what: 'lockdown' }],
  ['T', { errno: 'EPERM', what: 'taint' }],
  ['P', { errno: 'EPERM', what: 'profile and reach' }],
  ['B', { errno: 'EBUSY', returnCode: 0x0002, what: 'bound state' }],
  ['Q', { errno: 'ENOTTY', returnCode: 0x0003, what: 'device quirk' }],
]);

/** Id of the one row that allows: mandatory rules only take away from it. */
export const BASE_ID = 'A0';
