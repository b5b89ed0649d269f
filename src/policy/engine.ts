import type { CommandTable, Scope } from '../cci/index.ts';
import type { LockdownLevel, Profile, TaintLetter, UnderLockdown } from '../taint/index.ts';
import type { ConsoleWord } from './casbin/console-word.ts';
import type { CommandClass, Counters, Errno, Fabric, GrantVerdict, Principal, Reach, ResourcePath } from './types.ts';

/**
 * The seam inside the policy layer: `load/` and `casbin/` build a `RuleEngine` from files, `decide/` turns commands into
 * the facts it is asked with. The verdicts behind it are casbin's.
 */

/** A command as the rules see it. */
export interface CommandRef {
  readonly opcode: number;
  /** Absent for opcodes without a row: only `opcode:` selectors reach those. */
  readonly slug?: string;
  /** Slug of the command set. */
  readonly set?: string;
  readonly class: CommandClass;
  readonly scope: Scope;
  /**
   * `slug-only`: only its exact slug reaches it (as typed, audited command). `console`: no command but a console program
   * (`consoleRef`), which only rows with its own word grant.
   */
  readonly grant?: 'slug-only' | 'console' | 'never';
}

/** A console program as rules see it: `console:PROGRAM` or `console-approve:PROGRAM`. */
export function consoleRef(word: ConsoleWord): CommandRef {
  return { opcode: 0, slug: word, class: 'raw', scope: 3, grant: 'console' };
}

/** Facts about content and state that a mandatory row can ask for with `if`. */
export const conditions = [
  /** the target is bound to a host (5103h, 5301h, 5302h: any bound target; the caller's own too) */
  'bound',
  /** 5102h on a bound port that carries no MLD */
  'bound-without-mld',
  /** the opcode is on the device's never-send list */
  'quirk',
  /** 0401h, 0402h...: a log other than the CEL */
  'other-log',
  /** 0502h on a feature whose effects are immediate, or unknown */
  'immediate-effect',
  /** the command changes state */
  'mutating',
  /** state changes leave the caller's tenant, and he is not of `fabric` with an explicit grant on each resource */
  'leaves-tenant',
  /** state changes leave the caller's tenant, whoever he is */
  'crosses-tenants',
] as const;
export type Condition = (typeof conditions)[number];

export interface MandatoryFacts {
  readonly level: LockdownLevel;
  readonly underLockdown: UnderLockdown;
  /** Bits raised on a touched subtree (or above it) and not acknowledged. */
  readonly taint: readonly TaintLetter[];
  readonly profile: Profile;
  readonly tenant: string;
  readonly reach: Reach;
  readonly command: CommandRef;
  readonly conditions: ReadonlySet<Condition>;
}

export interface MandatoryDenial {
  /** Row id such as `L1`, `T1`, `B2`, `Q1`, `P1`. */
  readonly id: string;
  /** `mandatory.csv:12` */
  readonly source: string;
  readonly reason: string;
  readonly errno: Errno;
  /** Where the wire code differs from the errno's: bound state is 0002h. */
  readonly returnCode?: number;
}

export interface RuleEngine {
  /** SHA-256 over the files, hex. */
  readonly id: string;
  readonly counters: Counters;
  readonly fabric: Fabric;
  /** Ids of shipped rows that this policy loosened. */
  readonly loosened: readonly string[];
  /** The commands of this policy: the catalogue, and reviewed vendor commands. */
  readonly commands: CommandTable;
  /** All mandatory rows that deny; empty when none does. */
  mandatory(facts: MandatoryFacts): readonly MandatoryDenial[];
  /** Default deny, deny overrides allow, RBAC with the tenant as domain. */
  grant(principal: Principal, resource: ResourcePath, command: CommandRef): GrantVerdict;
  /** Roles of a principal in his tenant, for `whoami`. */
  roles(principal: Principal): readonly string[];
  /** The row that came closest to allowing, for explanations. */
  nearestMiss(
    principal: Principal,
    resource: ResourcePath,
    command: CommandRef,
  ): { readonly source: string; readonly text: string; readonly missing: string } | undefined;
  /** Roles in the principal's tenant whose grants would allow it. */
  rolesThatCould(principal: Principal, resource: ResourcePath, command: CommandRef): readonly string[];
}
