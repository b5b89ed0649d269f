import type { CommandRow } from '../../cci/index.ts';
import type { Profile } from '../../taint/index.ts';
import { entry } from '../casbin/entry.ts';
import { refOfFacts } from '../decide/command-ref.ts';
import { decide } from '../decide/decide.ts';
import { rawGate } from '../decide/raw-gate.ts';
import { sharedReads } from '../decide/resolve-device.ts';
import type { RuleEngine } from '../engine.ts';
import { assumedPosture, fabricTopology } from '../offline/index.ts';
import type { Decision, Principal, ResourcePath, SubmittedAs, TopologyView } from '../types.ts';
import { at } from './at.ts';
import type { Callers, NameClass } from './callers.ts';
import { type Companions, type Invocation, invocations, placeOf } from './invocations.ts';
import { madeUpCaller } from './made-up-caller.ts';
import { gateOf } from './resources.ts';

/** A command that is asked about: one opcode, typed or raw. */
export interface AskedCommand {
  readonly opcode: number;
  readonly row: CommandRow | undefined;
  readonly submittedAs: SubmittedAs;
}

export interface SearchContext {
  readonly engine: RuleEngine;
  readonly callers: Callers;
  readonly profile: Profile;
  /** Pictures of the switches that were made up already, by what was assumed. */
  readonly pictures: Map<string, TopologyView>;
}

/** A decision that allows, and what it was taken for. */
export interface Found {
  readonly tenant: string;
  readonly principal: Principal;
  readonly path: ResourcePath;
  readonly command: AskedCommand;
  readonly invocation: Invocation;
  readonly decision: Decision;
}

/** What stood against the way that came closest. */
export interface NotFound {
  readonly decision: Decision | undefined;
}

/**
 * Who may be looked for. `only`: exactly these names and the tenant's group. `with`: whoever has these among his names.
 */
export interface Wanted {
  readonly mode: 'only' | 'with';
  /** Names that the caller must have, of one token. */
  readonly names: readonly string[];
}

/**
 * Looks for a caller of the tenant and a way to run the command so that it touches the object and is allowed, by the
 * decision itself: everything that binds a command in the broker binds it here. The posture is the laxest that the profile
 * lets be: no lockdown, no taint, raw gates open where they can be.
 *
 * Complete over callers: a name can only help by a row that allows and only harm by one that denies. So it is enough to try,
 * for each issuer and each user, everybody who could be: all groups at once, less those whose roles are denied something
 * that the command touches.
 */
export function search(
  context: SearchContext,
  tenant: string,
  command: AskedCommand,
  path: ResourcePath,
  companions: Companions,
  wanted: Wanted,
): Found | NotFound {
  let closest: Decision | undefined;
  const ways = invocations(context.engine.fabric, command, command.submittedAs, path, companions).map((invocation) =>
    trialOf(context, tenant, path, invocation),
  );
  for (const candidate of candidates(context.callers, tenant, wanted)) {
    for (const trial of ways) {
      const tried = attempt(trial, candidate);
      if (tried.names !== undefined) {
        const names = fewest(trial, tried.names, wanted);
        const { invocation } = trial;
        return { tenant, principal: trial.callerOf(names), path, command, invocation, decision: trial.decide(names) };
      }
      if (closest === undefined || tried.decision.reasons.length < closest.reasons.length) closest = tried.decision;
    }
  }
  return { decision: closest };
}

/** One way to run a command, to be tried with several callers. */
interface Trial {
  readonly invocation: Invocation;
  callerOf(names: readonly string[]): Principal;
  decide(names: readonly string[]): Decision;
  isAllowed(decision: Decision, names: readonly string[]): boolean;
  /** Has the name one of the roles? */
  hasRole(name: string, roles: ReadonlySet<string>): boolean;
}

function trialOf(context: SearchContext, tenant: string, path: ResourcePath, invocation: Invocation): Trial {
  const { engine, callers, profile } = context;
  const { submission } = invocation;
  const place = placeOf(path);
  const topology = pictureOf(context, tenant, place, invocation);
  const raw = profile === 'bmc' ? ({ rawCommands: 'taints-this-switch', rawAllowAll: true } as const) : {};
  const posture = assumedPosture({ profile, ...raw });
  const known = new Set(callers.names(tenant));
  const callerOf = (names: readonly string[]): Principal => madeUpCaller(tenant, names, (name) => known.has(name));
  return {
    invocation,
    callerOf,
    decide: (names) => {
      const input = { principal: callerOf(names), submission, posture, topology };
      return decide(engine, { discloseReasons: 'own' }, input, rawGate(engine.fabric, input));
    },
    isAllowed: ({ verdict, facts }, names) => {
      if (verdict !== 'allow') return false;
      if (facts.touched.includes(path)) return true;
      // Where owning any one LD is enough the decision names one of several: what was asked about must be as good.
      const isOneOfSeveral = submission.command.hops.length === 1 && sharedReads.has(facts.opcode);
      const canBeChosen = place.kind === 'port' || place.kind === 'ld';
      if (!isOneOfSeveral || !canBeChosen || gateOf(engine.fabric, tenant, path) !== 'all') return false;
      return engine.grant(callerOf(names), path, refOfFacts(facts, engine.commands)).allowed;
    },
    hasRole: (name, roles) => [...callers.rolesOf(0, tenant, [name])].some((role) => roles.has(role)),
  };
}

function pictureOf(
  { engine, pictures }: SearchContext,
  tenant: string,
  place: ReturnType<typeof placeOf>,
  { submission: { switch: name }, assumed }: Invocation,
): TopologyView {
  const bindings = [...(assumed.bindings ?? [])].map(([vcs, slots]) => [vcs, [...slots]]);
  const tag = place.kind === 'tag' ? `${place.id}/${place.tag}` : undefined;
  return entry(pictures, JSON.stringify([name, bindings, tag, tag && tenant]), () => {
    const tagOwners = tag === undefined ? {} : { tagOwners: new Map([[tag, tenant]]) };
    const picture = fabricTopology(engine.fabric, name, { ...assumed, ...tagOwners });
    /* v8 ignore next -- the path was found in the fabric, so its switch is there */
    if (picture === undefined) throw new Error(`no switch ${name}`);
    return picture;
  });
}

/** Names to begin with, and those that can't be left out. */
interface Candidate {
  readonly names: readonly string[];
  readonly fixed: ReadonlySet<string>;
}

function candidates(callers: Callers, tenant: string, { mode, names }: Wanted): readonly Candidate[] {
  const fixed = new Set(names);
  if (mode === 'only') return [{ names, fixed }];
  const classes = callers.classes(tenant).slice(1);
  const givenIssuer = names.map(issuerOfName).find((issuer) => issuer !== undefined);
  const issuers = givenIssuer === undefined ? new Set(classes.map(({ issuer }) => issuer)) : new Set([givenIssuer]);
  const givenUser = names.some((name) => name.startsWith('user:'));
  const found: Candidate[] = [];
  for (const issuer of issuers.size === 0 ? [''] : issuers) {
    const of = (kind: NameClass['kind']): readonly string[] =>
      classes.filter((one) => one.kind === kind && one.issuer === issuer).flatMap((one) => one.names.slice(0, 1));
    const groups = of('group');
    found.push({ names: [...new Set([...names, ...groups])], fixed });
    for (const user of givenUser ? [] : of('user')) {
      found.push({ names: [...new Set([...names, user, ...groups])], fixed: new Set([...names, user]) });
    }
  }
  return found;
}

function issuerOfName(name: string): string | undefined {
  return name.includes('#') ? name.slice(name.indexOf(':') + 1, name.indexOf('#')) : undefined;
}

/** Tries with all names, then without those that are denied, until it is allowed or nobody is left to leave out. */
function attempt(
  trial: Trial,
  { names, fixed }: Candidate,
): { readonly names?: readonly string[]; readonly decision: Decision } {
  let left = names;
  for (;;) {
    const decision = trial.decide(left);
    if (trial.isAllowed(decision, left)) return { names: left, decision };
    const denied = deniedRoles(decision);
    const remaining = left.filter((name) => fixed.has(name) || !trial.hasRole(name, denied));
    if (remaining.length === left.length) return { decision };
    left = remaining;
  }
}

/** Roles of the rows that deny something touched. */
function deniedRoles({ grants }: Decision): ReadonlySet<string> {
  const denied = grants.flatMap(({ allowed, rule }) => (allowed || rule === undefined ? [] : rule));
  return new Set(denied.map(({ text }) => at(text.split(', '), 1)));
}

/** The same without every name that is not needed. */
function fewest(trial: Trial, names: readonly string[], wanted: Wanted): readonly string[] {
  let needed = names;
  for (const name of names) {
    if (wanted.names.includes(name)) continue;
    const without = needed.filter((one) => one !== name);
    if (trial.isAllowed(trial.decide(without), without)) needed = without;
  }
  return needed;
}
