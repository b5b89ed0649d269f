import { builtinCommands, type CommandTable } from '../../cci/index.ts';
import type { CommandRef, MandatoryDenial, MandatoryFacts, RuleEngine } from '../engine.ts';
import { isCallerName } from '../names.ts';
import type { Counters, Fabric, GrantVerdict, Principal, ResourcePath } from '../types.ts';
import { commandOf, commandText } from './command.ts';
import { nearestMiss } from './explain.ts';
import { GrantIndex } from './grant-index.ts';
import { GrantMemo } from './grant-memo.ts';
import { MandatoryGate } from './mandatory-gate.ts';
import { RoleGraph } from './role-graph.ts';
import { type GrantRule, grantText, type PolicyRules, sourceOf } from './rules.ts';
import { Slices } from './slices.ts';
import { Verdicts } from './verdicts.ts';

/** What an engine is built from, all of it checked by the loader. */
export interface EngineInput {
  /** SHA-256 over the files, hex. */
  readonly id: string;
  readonly rules: PolicyRules;
  readonly fabric: Fabric;
}

/** Builds a snapshot's engine aside, in slices, while another one serves. */
export async function createEngine(input: EngineInput): Promise<RuleEngine> {
  const slices = new Slices();
  const verdicts = await Verdicts.create(input.rules.links, input.fabric, slices, input.rules.commands);
  const index = await GrantIndex.build(input.rules.grants, slices);
  return new CasbinEngine(input, verdicts, index, await RoleGraph.build(input.rules.links, slices));
}

class CasbinEngine implements RuleEngine {
  readonly id: string;
  readonly fabric: Fabric;
  readonly loosened: readonly string[];
  readonly commands: CommandTable;
  readonly counters: Counters;
  readonly #verdicts: Verdicts;
  readonly #index: GrantIndex;
  readonly #memo = new GrantMemo();
  readonly #gate: MandatoryGate;
  readonly #graph: RoleGraph;
  readonly #tenants: ReadonlySet<string>;
  readonly #grants: readonly GrantRule[];

  constructor({ id, rules, fabric }: EngineInput, verdicts: Verdicts, index: GrantIndex, graph: RoleGraph) {
    this.id = id;
    this.fabric = fabric;
    this.loosened = rules.loosened;
    this.commands = rules.commands ?? builtinCommands;
    this.#verdicts = verdicts;
    this.#index = index;
    this.#gate = new MandatoryGate(verdicts, rules.mandatory, this.commands);
    this.#graph = graph;
    this.#tenants = new Set(fabric.tenants);
    this.#grants = rules.grants;
    this.counters = {
      rules: rules.grants.length + rules.links.length + rules.mandatory.length,
      tenants: fabric.tenants.length,
      roles: fabric.tenants.reduce((sum, tenant) => sum + countRoles(tenant, index, graph), 0),
    };
  }

  mandatory(facts: MandatoryFacts): readonly MandatoryDenial[] {
    return this.#gate.denials(facts);
  }

  grant(principal: Principal, resource: ResourcePath, command: CommandRef): GrantVerdict {
    if (!this.#isAnswerable(principal, resource)) return { resource, allowed: false };
    const { tenant, names } = principal;
    const caller = this.#memo.caller(tenant, names, () => this.#graph.rolesOf(tenant, names));
    const known = this.#memo.get(caller, resource, command);
    if (known !== undefined) return known;
    const verdict = Object.freeze(this.#ask(principal, names, caller.roles, resource, command));
    this.#memo.set(caller, resource, command, verdict);
    return verdict;
  }

  roles(principal: Principal): readonly string[] {
    return this.#isKnown(principal) ? this.#graph.rolesOf(principal.tenant, principal.names) : [];
  }

  nearestMiss(
    principal: Principal,
    resource: ResourcePath,
    command: CommandRef,
  ): { readonly source: string; readonly text: string; readonly missing: string } | undefined {
    if (!this.#isAnswerable(principal, resource)) return undefined;
    const verdict = this.grant(principal, resource, command);
    if (verdict.allowed) return undefined;
    return nearestMiss({
      rules: this.#grants,
      tenant: principal.tenant,
      roles: new Set(this.roles(principal)),
      resource,
      isOwn: this.fabric.ownerOf(resource) === principal.tenant,
      command: commandOf(command, this.commands),
      deniedBy: verdict.rule,
    });
  }

  rolesThatCould(principal: Principal, resource: ResourcePath, command: CommandRef): readonly string[] {
    if (!this.#isAnswerable(principal, resource)) return [];
    const { tenant, names } = principal;
    const all = [...this.#index.rolesOf(tenant), ...this.#graph.rolesWithRoles(tenant)];
    const isEnough = (asIf: readonly string[], role: string): boolean => {
      const roles = new Set([...this.#graph.rolesOf(tenant, asIf), role]);
      return this.#ask(principal, asIf, roles, resource, command).allowed;
    };
    // The role must give it by itself, and what the caller has besides must not take it away again.
    return [...new Set(all)].toSorted().filter((role) => isEnough([role], role) && isEnough([...names, role], role));
  }

  #ask(
    { name, tenant }: Principal,
    names: readonly string[],
    roles: Iterable<string>,
    resource: ResourcePath,
    ref: CommandRef,
  ): GrantVerdict {
    const command = commandOf(ref, this.commands);
    const isOwn = this.fabric.ownerOf(resource) === tenant;
    const candidates = this.#index.candidates(tenant, roles, resource, isOwn, command);
    if (candidates.length === 0) return { resource, allowed: false };
    const rows = candidates.map((rule) => rule.row);
    const request = { principal: name, tenant, resource, command: commandText(command) };
    const { allowed, row } = this.#verdicts.grant(rows, names, request);
    const rule = candidates.find((candidate) => candidate.row === row);
    if (rule === undefined) return { resource, allowed: false };
    return {
      resource,
      allowed: allowed && rule.row[4] === 'allow',
      rule: { source: sourceOf(rule), text: grantText(rule) },
    };
  }

  /** Nothing empty, nothing untyped: casbin finds empty strings equal, and a caller called like a role to have that role. */
  #isAnswerable(principal: Principal, resource: ResourcePath): boolean {
    return resource.startsWith('/switches/') && !resource.includes('*') && this.#isKnown(principal);
  }

  #isKnown({ name, names, tenant }: Principal): boolean {
    return this.#tenants.has(tenant) && names.includes(name) && names.every(isCallerNameOfTenant(tenant));
  }
}

/** Roles that stand in a grant, and roles that only have others. Counted without a copy: there may be very many. */
function countRoles(tenant: string, index: GrantIndex, graph: RoleGraph): number {
  let count = index.countRoles(tenant);
  for (const role of graph.rolesWithRoles(tenant)) if (!index.hasRole(tenant, role)) count += 1;
  return count;
}

/** Looked up rather than matched anew: the same few names come with every command. */
const callerNames = new Map<string, boolean>();
const CALLER_NAMES_MAX = 10_000;

function isKnownCallerName(name: string): boolean {
  const known = callerNames.get(name);
  if (known !== undefined) return known;
  if (callerNames.size >= CALLER_NAMES_MAX) callerNames.clear();
  const isName = isCallerName(name);
  callerNames.set(name, isName);
  return isName;
}

function isCallerNameOfTenant(tenant: string): (name: string) => boolean {
  return (name) =>
    isKnownCallerName(name) &&
    (!name.startsWith('group:tenant/') || name === `group:tenant/${tenant}` || name.includes('#'));
}
