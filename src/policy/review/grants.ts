import { OWN } from '../casbin/resource.ts';
import type { GrantRule } from '../casbin/rules.ts';
import { FABRIC_TENANT, type Fabric, type ResourcePath } from '../types.ts';
import { listWords, resourceWords } from '../words/index.ts';
import { type BestCase, isUsableBy } from './best-case.ts';
import type { Extent, Extents } from './extent.ts';
import { type Finding, finding, type Place } from './finding.ts';
import type { Form, Forms, Given } from './forms.ts';
import type { Holders } from './holders.ts';
import { rowName, type Shadows } from './shadows.ts';

/** What a grant row is held against. */
export interface GrantReview {
  readonly fabric: Fabric;
  readonly forms: Forms;
  readonly extents: Extents;
  readonly holders: Holders;
  readonly shadows: Shadows;
  readonly best: BestCase;
  /** Where a column of a row stands: 0 is ROLE. */
  place(rule: GrantRule, column: number): Place;
}

const COLUMN = { role: 0, resource: 2, command: 3, effect: 4 } as const;

/** All that is to be said about one `p` row. */
export function reviewGrant(rule: GrantRule, review: GrantReview): readonly Finding[] {
  if (rule.selector.kind === 'console') return reviewConsole(rule, review);
  const given = review.forms.givenBy(rule.row[3], rule.selector, rule.row[4]);
  const extent = review.extents.of(rule.row[2], rule.row[1]);
  const dead = neverApplies(rule, given, extent, review);
  const found = [dead ?? widerThanFabric(rule, given, review), ...beside(rule, review)];
  if (rule.row[4] === 'allow') {
    found.push(
      toEverybody(rule, given, extent, review),
      // What never applies reaches nobody.
      dead === undefined ? reachesOthers(rule, given, extent, review) : undefined,
      beyondOwn(rule, given, extent, review),
      raw(rule, review),
      opaque(rule, given, review),
    );
  }
  return found.filter((one) => one !== undefined);
}

/** A row about a console: what is typed there cannot be judged, so who has it is all that there is to say. */
function reviewConsole(rule: GrantRule, review: GrantReview): readonly Finding[] {
  const [role, tenant, , command, effect] = rule.row;
  if (effect === 'deny' || !review.holders.isEverybodys(tenant, role)) return [];
  const at = review.place(rule, COLUMN.command);
  const reason = `every caller of ${tenant} has ${role}, and \`${command}\` is for a few`;
  return [
    finding(
      'grant-to-everybody',
      at,
      reason,
      'give a role of its own to those who need it, with a `g` row for their group',
    ),
  ];
}

function toEverybody(rule: GrantRule, given: Given, extent: Extent, review: GrantReview): Finding | undefined {
  const [role, tenant, , command] = rule.row;
  if (!review.holders.isEverybodys(tenant, role) || !givesMoreThanReads(given, extent)) return undefined;
  return finding(
    'grant-to-everybody',
    review.place(rule, COLUMN.command),
    `every caller of ${tenant} has ${role}, and \`${command}\` is more than the safe reads: ${examples(given)}`,
    'give a role of its own to those who need it, with a `g` row for their group',
  );
}

function reachesOthers(rule: GrantRule, given: Given, extent: Extent, review: GrantReview): Finding | undefined {
  const [, tenant, resource] = rule.row;
  const owners = [...extent.keys()].filter((owner) => owner !== tenant);
  const report = (reason: string, help: string) =>
    finding('grant-reaches-others', review.place(rule, COLUMN.resource), reason, help);
  if (tenant === FABRIC_TENANT) {
    if (owners.length === 0 || !givesMoreThanReads(given, extent)) return undefined;
    return report(
      `operators get more than the safe reads on what belongs to ${listWords(owners)}: ${examples(given)}`,
      'name single objects, or say on the line above why operators need it there',
    );
  }
  // The queries of the switch itself are there for every tenant.
  if (owners.length === 0 || isSwitchAlone(resource, review.fabric)) return undefined;
  return report(
    `the row is in the name of ${tenant}, but it also covers what belongs to ${listWords(owners)}`,
    `write \`own\`, or paths that are ${tenant}'s; ownership refuses the rest today, and no longer on the day it changes hands`,
  );
}

function isSwitchAlone(resource: string, fabric: Fabric): boolean {
  return fabric.switches.has(resource.slice('/switches/'.length));
}

/** Commands whose worst case goes beyond what they name, where what is covered is shared. */
function beyondOwn(rule: GrantRule, given: Given, extent: Extent, review: GrantReview): Finding | undefined {
  const [, tenant, resource] = rule.row;
  const report = (forms: readonly Form[], whom: string) =>
    finding(
      'radius-beyond-own',
      review.place(rule, COLUMN.command),
      `${slugs(forms)} would also be felt by ${whom}`,
      'name the commands that are needed one by one, or say on the line above why this one is',
    );
  if (tenant === FABRIC_TENANT) {
    if (extent.get(FABRIC_TENANT)?.has('switch') !== true) return undefined;
    const wide = given.forms.filter(({ isMutating, kinds }) => isMutating && kinds.has('switch'));
    return wide.length === 0 ? undefined : report(wide, 'every tenant of the switch');
  }
  const wide = given.forms.filter(
    ({ isMutating, row, kinds }) => isMutating && row.radius === 'other-hosts' && kinds.has('ld'),
  );
  if (wide.length === 0 || extent.get(tenant)?.has('ld') !== true) return undefined;
  const sharers = sharersOf(resource, tenant, review.fabric);
  return sharers.length === 0 ? undefined : report(wide, `${listWords(sharers)}, who share the device`);
}

/** Owners of the other LDs behind ports where the tenant has a covered one. */
function sharersOf(resource: string, tenant: string, fabric: Fabric): readonly string[] {
  const base = resource.endsWith('/*') ? resource.slice(0, -2) : resource;
  const isCovered = (path: string) => resource === OWN || path === base || path.startsWith(`${base}/`);
  const sharers = new Set<string>();
  for (const [name, { ports }] of fabric.switches) {
    for (const [port, { lds }] of ports) {
      const paths = Array.from({ length: lds }, (_, ld): ResourcePath => `/switches/${name}/ports/${port}/lds/${ld}`);
      if (!paths.some((path) => isCovered(path) && fabric.ownerOf(path) === tenant)) continue;
      for (const path of paths) sharers.add(String(fabric.ownerOf(path)));
    }
  }
  sharers.delete(tenant);
  return [...sharers].toSorted();
}

function raw(rule: GrantRule, review: GrantReview): Finding | undefined {
  if (rule.selector.kind !== 'opcode') return undefined;
  return finding(
    'raw-granted',
    review.place(rule, COLUMN.command),
    `\`${rule.row[3]}\` grants commands by number: whoever has ${rule.row[0]} may send them as bytes that nobody has reviewed`,
    'write the slug of a reviewed command, or have the vendor command reviewed (`commands.d`)',
  );
}

function opaque(rule: GrantRule, given: Given, review: GrantReview): Finding | undefined {
  const forms = rule.selector.kind === 'opcode' ? [] : given.forms.filter(({ row }) => row.radius === 'opaque');
  if (forms.length === 0) return undefined;
  return finding(
    'opaque-granted',
    review.place(rule, COLUMN.command),
    `bytes that nobody can judge decide what ${slugs(forms)} will do`,
    'name the other commands one by one, or say on the line above why these are needed',
  );
}

function neverApplies(rule: GrantRule, given: Given, extent: Extent, review: GrantReview): Finding | undefined {
  const [, tenant, resource, command, effect] = rule.row;
  const report = (column: number, reason: string, help: string) =>
    finding('never-applies', review.place(rule, column), reason, help);
  // `own` of nothing is told as what it is: wider than the fabric.
  if (extent.size === 0) return undefined;
  const usable = given.forms.filter(({ row, kinds }) => isUsableBy(tenant, effect, row.opcode, kinds, extent));
  const isOwned = tenant === FABRIC_TENANT || effect === 'deny' || extent.has(tenant);
  if (!isOwned && usable.length === 0) {
    return report(
      COLUMN.resource,
      `nothing of \`${resource}\` is ${tenant}'s, so ownership refuses whatever this row allows`,
      'say in the fabric file that it is his, or remove the row',
    );
  }
  if (usable.length === 0 && given.raw === undefined) {
    const kinds = new Set([...extent.values()].flatMap((part) => [...part]));
    return report(
      COLUMN.command,
      `\`${command}\` never touches ${kinds.size === 1 ? resourceWords(resource) : 'anything of the kind that the row covers'}`,
      'name what the command touches: `cci policy explain` tells it',
    );
  }
  if (effect === 'deny') return undefined;
  const deniers = review.best.deniers(tenant, { forms: usable, raw: given.raw }, extent);
  if (deniers === undefined) return undefined;
  return report(
    COLUMN.command,
    `in profile ${review.best.profile} ${listWords(deniers)} ${deniers.length === 1 ? 'denies' : 'deny'} all that this row allows`,
    'no grant lifts a mandatory rule: remove the row, or keep it for the other profile and say so on the line above',
  );
}

function widerThanFabric(rule: GrantRule, given: Given, review: GrantReview): Finding | undefined {
  const [, tenant, resource] = rule.row;
  const report = (reason: string, help: string) =>
    finding('wider-than-fabric', review.place(rule, COLUMN.resource), reason, help);
  if (resource === OWN) {
    if (review.extents.of(OWN, tenant).size > 0) return undefined;
    return report(`${tenant} owns nothing`, 'give him something under `owns:` in the fabric file, or remove the row');
  }
  if (!resource.endsWith('/*') || given.raw !== undefined) return undefined;
  const base = resource.slice(0, -2);
  const below = review.extents.kindsBelow(base);
  if (given.forms.some(({ kinds }) => below.some((kind) => kinds.has(kind)))) return undefined;
  return report(`there is nothing below ${resourceWords(base)} that this row could be about`, `write \`${base}\``);
}

function beside(rule: GrantRule, { shadows, place }: GrantReview): readonly Finding[] {
  const denier = rule.row[4] === 'allow' ? shadows.deniedBy(rule) : undefined;
  if (denier !== undefined) {
    const reason = `${rowName(denier)} denies all of it, and a row that denies outweighs any that allows`;
    return [finding('shadowed', place(rule, COLUMN.effect), reason, 'remove one of the two rows, or narrow the other')];
  }
  const other = shadows.repeatedBy(rule);
  if (other === undefined) return [];
  const says = rule.row[4] === 'allow' ? 'allows' : 'denies';
  const reason = `${rowName(other)} ${says} all of it to everybody who has ${rule.row[0]}`;
  return [finding('redundant', place(rule, COLUMN.role), reason, 'remove this row, or narrow the other one')];
}

/** What the broker answers from the caller's own view, it gives to nobody else: such a command on the switch is a read. */
function givesMoreThanReads({ forms, raw: opcodes }: Given, extent: Extent): boolean {
  const onSwitchAlone = [...extent.values()].every((kinds) => [...kinds].every((kind) => kind === 'switch'));
  const isRead = ({ ref, row }: Form) => ref.class === 'allowlisted' || (onSwitchAlone && row.virtual !== undefined);
  return opcodes !== undefined || !forms.every(isRead);
}

/** The first few commands that are more than reads, those that change something before the others. */
function examples({ forms, raw: opcodes }: Given): string {
  if (opcodes !== undefined) return 'commands by number';
  const beyond = forms
    .filter(({ ref }) => ref.class !== 'allowlisted')
    .toSorted((a, b) => Number(b.isMutating) - Number(a.isMutating));
  // What the broker answers itself on the switch is worth a word where there is nothing else.
  const sent = beyond.filter(({ row }) => row.virtual === undefined);
  return slugs(sent.length === 0 ? beyond : sent);
}

const NAMED_MAX = 3;

function slugs(forms: readonly Form[]): string {
  const names = [...new Set(forms.map(({ row }) => row.slug))];
  const more = names.length - NAMED_MAX;
  return more > 0 ? `${names.slice(0, NAMED_MAX).join(', ')} and ${more} more` : listWords(names);
}
