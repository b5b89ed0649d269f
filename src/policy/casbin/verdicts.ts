import {
  type Assertion,
  DefaultRoleManager,
  EnforceContext,
  Enforcer,
  FunctionMap,
  newEnforcerWithClass,
  newModelFromString,
} from 'casbin';
import { builtinCommands, type CommandTable } from '../../cci/index.ts';
import type { Fabric, ResourcePath } from '../types.ts';
import { modelText } from './model.ts';
import { OWN } from './resource.ts';
import type { RoleLink } from './rules.ts';
import { createSelects } from './selects.ts';
import type { Slices } from './slices.ts';

/** Longest chain of roles above a name. */
export const ROLE_DEPTH_MAX = 10;

/** What casbin says, with the row that decided. */
export interface CasbinVerdict {
  readonly allowed: boolean;
  /** The very array that was given; empty when no row matched. */
  readonly row: readonly string[];
}

/** casbin's enforcer without the ways to be talked out of its job. */
class StrictEnforcer extends Enforcer {
  /** Takes every function but ours away: patterns of the built-in ones are unanchored or unbounded. */
  restrictTo(name: string, body: (column: string, pattern: string, value: string, effect: string) => boolean): void {
    this.fm = new FunctionMap();
    this.fm.addFunction(name, body);
  }

  /** A disabled enforcer allows everything and answers in another shape. */
  override enableEnforce(_enable: boolean): never {
    throw new Error('enforcement cannot be switched');
  }

  definition(section: 'p' | 'g', key: string): Assertion {
    const assertion = this.model.model.get(section)?.get(key);
    /* v8 ignore next -- the model is a constant with all four */
    if (assertion === undefined) throw new Error(`the model has no ${key}`);
    return assertion;
  }
}

/** casbin's own role manager, asked for a caller with all of his names at once. */
class CallerRoles extends DefaultRoleManager {
  #names: readonly string[] = [];

  /** Whose names the next questions are about. */
  speakFor(names: readonly string[]): void {
    this.#names = names;
  }

  override syncedHasLink(_caller: string, role: string, ...domain: string[]): boolean {
    return this.#names.some((name) => super.syncedHasLink(name, role, ...domain));
  }
}

/** `g2` is generated: an object is linked to `own` in its owner's domain. Asked of the fabric, so that nothing is copied. */
class Ownership extends DefaultRoleManager {
  readonly #fabric: Fabric;

  constructor(fabric: Fabric) {
    super(1);
    this.#fabric = fabric;
  }

  override syncedHasLink(resource: string, selector: string, ...domain: string[]): boolean {
    return selector === OWN && domain.length === 1 && this.#fabric.ownerOf(resource as ResourcePath) === domain[0];
  }
}

const mandatoryContext = new EnforceContext('r2', 'p2', 'e2', 'm2');

/** Between decisions the enforcer holds these rows, never none: casbin lets a request of empty strings pass an empty policy. */
const NOBODY: string[][] = [['role:nobody', 'nobody', '/nothing', 'opcode:0x0000', 'deny']];
const NOTHING: string[][] = [['A0', '*', '*', '*', '*', '*', '*', 'opcode:0x0000', 'deny', 'nothing']];

/**
 * One enforcer for the life of a snapshot. Each decision lends it the few rows that can matter and takes them back; casbin
 * looks at those alone and gives the verdict.
 */
export class Verdicts {
  readonly #enforcer: StrictEnforcer;
  readonly #grants: Assertion;
  readonly #mandatory: Assertion;
  readonly #roles: CallerRoles;

  private constructor(enforcer: StrictEnforcer, roles: CallerRoles, fabric: Fabric, commands: CommandTable) {
    this.#enforcer = enforcer;
    this.#roles = roles;
    this.#grants = enforcer.definition('p', 'p');
    this.#mandatory = enforcer.definition('p', 'p2');
    this.#grants.policy = NOBODY;
    this.#mandatory.policy = NOTHING;
    enforcer.definition('g', 'g').rm = roles;
    enforcer.definition('g', 'g2').rm = new Ownership(fabric);
    enforcer.restrictTo('selects', createSelects(commands));
  }

  static async create(
    links: readonly RoleLink[],
    fabric: Fabric,
    slices: Slices,
    commands: CommandTable = builtinCommands,
  ): Promise<Verdicts> {
    const enforcer = await newEnforcerWithClass(StrictEnforcer, newModelFromString(modelText));
    const roles = new CallerRoles(ROLE_DEPTH_MAX);
    for (const { name, role, tenant } of links) {
      // The body of addLink runs to its end before its promise is handed out.
      void roles.addLink(name, role, tenant);
      const pause = slices.breathe();
      if (pause !== undefined) await pause;
    }
    return new Verdicts(enforcer as StrictEnforcer, roles, fabric, commands);
  }

  /** @param rows of `p`, in policy order; at least one */
  grant(
    rows: readonly (readonly string[])[],
    names: readonly string[],
    request: {
      readonly principal: string;
      readonly tenant: string;
      readonly resource: string;
      readonly command: string;
    },
  ): CasbinVerdict {
    this.#grants.policy = rows as string[][];
    this.#roles.speakFor(names);
    try {
      const { principal, tenant, resource, command } = request;
      return verdictOf(this.#enforcer.enforceExSync(principal, tenant, resource, command));
    } finally {
      this.#grants.policy = NOBODY;
      this.#roles.speakFor([]);
    }
  }

  /** @param rows of `p2`, in policy order; at least one. @param facts as `r2` lists them */
  mandatory(rows: readonly (readonly string[])[], facts: readonly string[]): CasbinVerdict {
    this.#mandatory.policy = rows as string[][];
    try {
      return verdictOf(this.#enforcer.enforceExSync(mandatoryContext, ...facts));
    } finally {
      this.#mandatory.policy = NOTHING;
    }
  }
}

/** Anything but a pair of a true `true` and the row that said so is a denial. */
function verdictOf(answer: unknown): CasbinVerdict {
  const [allowed, row] = Array.isArray(answer) ? (answer as unknown[]) : [];
  if (!Array.isArray(row) || row.length === 0) return { allowed: false, row: [] };
  return { allowed: allowed === true, row: row as readonly string[] };
}
