import { type Component, catalogue, type Review, rowBySlug, type Scope, type Support } from './catalogue/index.ts';
import { effectBits } from './cel.ts';
import { VENDOR_FIRST, type VendorRow } from './command-table.ts';
import { type Form, formText, isList, Members, quoted, type SayProblem } from './command-table-form.ts';
import { layoutOf } from './command-table-payload.ts';
import { touchesOf } from './command-table-touches.ts';
import { hex16 } from './ids.ts';

const COMPONENTS = ['switch', 'sld', 'ld', 'fm-owned-ld', 'ld-pool-cci'] as const satisfies readonly Component[];
const RADII = ['query-only', 'target', 'whole-switch', 'opaque'] as const;
const BUILTIN_SETS: ReadonlySet<string> = new Set(catalogue.map((row) => row.set));
/** Words of the command line and of policies that a slug must not be taken for. */
const TAKEN: ReadonlySet<string> = new Set(['raw', 'own', 'allow', 'deny']);

/** Support is the vendor's own affair: no column of the specification prohibits it anywhere. */
const OPTIONAL: Support = { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' };

const BACKGROUND = 1 << 6;
const IMMEDIATE = 0x3e;
const AFTER_RESET = 0xc01;
const RESET_BITS_VALID = 1 << 9;

export interface ReadRowOptions {
  /** `2026-11-23`: no review can be from a later day. Absent: not looked at. */
  readonly today?: string;
}

/**
 * One reviewed vendor command from its written form. Held to what the catalogue is held to: layouts that the codecs can
 * rely on, sizes that follow from them, a scope that its effects allow (R15), one opcode and no pattern (R20).
 *
 * @param say is told every mistake; the result is undefined when there was one
 */
export function readVendorRow(
  form: Form | undefined,
  say: SayProblem,
  options: ReadRowOptions = {},
): VendorRow | undefined {
  let sound = true;
  const said: SayProblem = (...problem) => {
    sound = false;
    say(...problem);
  };
  const members = Members.of(
    form,
    [],
    said,
    'a reviewed vendor command',
    'write `slug:`, `opcode:` and the rest, one a line',
  );
  if (members === undefined || form === undefined) return undefined;
  const slug = slugOf(members);
  const name = line(members, 'name', 80, 'write what the vendor calls it, such as `Get Fan Speed`');
  const opcode = opcodeOf(members);
  const set = setOf(members);
  const executesOn = componentsOf(members, said);
  const mutating = members.word('mutating', ['true', 'false']) === 'true';
  const effects = effectsOf(members, said);
  const scope = scopeOf(members, mutating, effects);
  checkEffects(members, mutating, effects, executesOn);
  const radius = radiusOf(members, mutating);
  const ownerData = members.word('owner_data', ['none', 'possible'], 'possible') ?? 'possible';
  const request = layoutOf(members, 'request', said);
  const response = layoutOf(members, 'response', said);
  const touches = touchesOf(members, said, executesOn, request?.fields);
  const review = reviewOf(members, options.today);
  members.finish();
  if (!sound || request === undefined || response === undefined) return undefined;
  return {
    opcode,
    slug,
    name,
    set,
    spec: review.reference,
    status: 'verified',
    executesOn,
    support: OPTIONAL,
    background: (effects & BACKGROUND) === 0 ? 'never' : 'may',
    mutating,
    effects,
    radius,
    scope,
    vendor: { review, touches, ownerData, definition: formText(form) },
    request,
    response,
  };
}

const PLACEHOLDER = /^(?:todo|tbd|n\/a|none|nobody|unknown|x+|[-?.]+)$/i;

function line(members: Members, key: string, most: number, help: string): string {
  const text = members.text(key, help) ?? '';
  if (text.length > most) members.say(key, `\`${key}\` is longer than ${most} characters`, 'shorten it');
  else if (PLACEHOLDER.test(text)) members.say(key, `${quoted(text)} says nothing`, help);
  // A row is shown in tables and logs.
  else if (/[\p{C}\p{Zl}\p{Zp}]/u.test(text))
    members.say(key, `\`${key}\` has invisible characters`, 'write it on one line');
  return text;
}

function slugOf(members: Members): string {
  const help = 'write a slug of your own such as `acme-get-fan-speed`';
  const slug = members.text('slug', help) ?? '';
  if (slug === '') return slug;
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(slug) || slug.length > 64)
    members.say('slug', `${quoted(slug)} is not a slug`, help);
  else if (TAKEN.has(slug)) members.say('slug', `${quoted(slug)} means something else on the command line`, help);
  else if (rowBySlug(slug) !== undefined)
    members.say('slug', `${quoted(slug)} is a command of the specification`, help);
  return slug;
}

function opcodeOf(members: Members): number {
  const help = 'write one opcode from 0xc000 to 0xffff, such as `0xc010`';
  const text = members.text('opcode', help);
  if (text === undefined) return 0;
  if (!/^0x[0-9a-f]{4}$/.test(text)) {
    const pattern = /[*?]|.-|\.\.|,/.test(text);
    members.say(
      'opcode',
      pattern ? `${quoted(text)} is more than one opcode` : `${quoted(text)} is not an opcode`,
      pattern ? `each vendor command is reviewed by itself (R20): ${help}` : help,
    );
    return 0;
  }
  const opcode = Number(text);
  if (opcode < VENDOR_FIRST) members.say('opcode', `${hex16(opcode)} is not in the range of vendors`, help);
  return opcode;
}

function setOf(members: Members): string {
  const help = 'write a name of your own such as `acme-fans`, or leave it out: `vendor`';
  const set = members.optionalText('set', help) ?? 'vendor';
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(set) || set.length > 64)
    members.say('set', `${quoted(set)} is not a name of a set`, help);
  // Whoever was granted that set before would be given this command unseen.
  else if (BUILTIN_SETS.has(set)) members.say('set', `${quoted(set)} is a set of the specification`, help);
  return set;
}

function componentsOf(members: Members, say: SayProblem): readonly Component[] {
  const help = `write a list of ${COMPONENTS.map((one) => `\`${one}\``).join(', ')}`;
  const form = members.get('executes_on');
  if (!isList(form) || form.length === 0) {
    members.say('executes_on', '`executes_on` must be a list of components', help);
    return [];
  }
  const found: Component[] = [];
  for (const [i, item] of form.entries()) {
    const path = [...members.at('executes_on'), i];
    const component = COMPONENTS.find((one) => one === item);
    if (component === undefined)
      say(path, `${typeof item === 'string' ? quoted(item) : 'this'} is not a component`, help);
    else if (found.includes(component)) say(path, `\`${component}\` stands twice`, 'name it once');
    else found.push(component);
  }
  return found;
}

function effectsOf(members: Members, say: SayProblem): number {
  const help = `write \`none\` or a list of ${effectBits.map((one) => `\`${one}\``).join(', ')}`;
  const form = members.get('effects');
  if (form === 'none') return 0;
  if (!isList(form) || form.length === 0) {
    members.say('effects', '`effects` must be `none` or a list', help);
    return 0;
  }
  let effects = 0;
  for (const [i, item] of form.entries()) {
    const bit = typeof item === 'string' ? effectBits.indexOf(item) : -1;
    if (bit < 0)
      say([...members.at('effects'), i], `${typeof item === 'string' ? quoted(item) : 'this'} is not an effect`, help);
    effects |= bit < 0 ? 0 : 1 << bit;
  }
  return effects;
}

function scopeOf(members: Members, mutating: boolean, effects: number): Scope {
  const scope = (members.number('scope', 0, 3) ?? 3) as Scope;
  const least = leastScope(mutating, effects);
  if (scope < least.scope)
    members.say('scope', `scope ${scope} is less than R15 asks for: ${least.why}`, `write \`scope: ${least.scope}\``);
  return scope;
}

/** R15: what a state change needs at least. */
function leastScope(mutating: boolean, effects: number): { readonly scope: Scope; readonly why: string } {
  if (!mutating) return { scope: 0, why: '' };
  if ((effects & IMMEDIATE) !== 0) return { scope: 3, why: 'it changes something at once' };
  if ((effects & AFTER_RESET) !== 0) return { scope: 2, why: 'it changes something with a reset' };
  return { scope: 3, why: 'it changes state and no effect says when' };
}

function checkEffects(members: Members, mutating: boolean, effects: number, executesOn: readonly Component[]): void {
  if (!mutating && (effects & (IMMEDIATE | AFTER_RESET)) !== 0) {
    members.say(
      'effects',
      'a command that changes nothing has no such effects',
      'write `mutating: true`, or `effects: none`',
    );
  }
  if ((effects & AFTER_RESET & ~1) !== 0 && (effects & RESET_BITS_VALID) === 0) {
    members.say('effects', 'effects after a reset count only with `reset-bits-valid`', 'add `reset-bits-valid`');
  }
  // R17: only the switch's own slot has somebody who watches it.
  if ((effects & BACKGROUND) !== 0 && executesOn.some((component) => component !== 'switch')) {
    members.say(
      'effects',
      'background operations are followed on the switch alone',
      'leave it raw: nobody would learn how it ended',
    );
  }
}

function radiusOf(members: Members, mutating: boolean): string {
  const radius = members.word('radius', RADII, mutating ? undefined : 'query-only') ?? 'opaque';
  if (mutating && radius === 'query-only') {
    members.say('radius', 'a state change disturbs somebody', 'write `target`, `whole-switch` or `opaque`');
  } else if (!mutating && (radius === 'target' || radius === 'whole-switch')) {
    members.say('radius', 'a read disturbs nobody', 'write `query-only`; `opaque` where bytes decide what is read');
  }
  return radius;
}

function reviewOf(members: Members, today: string | undefined): Review {
  const reviewer = line(members, 'reviewer', 120, 'write who read the document and answers for this row');
  const reference = line(members, 'reference', 200, "write the vendor's document, its revision and the section");
  const reason = line(members, 'reason', 300, 'write what this is needed for');
  const help = 'write the day of the review as `2026-11-23`';
  const date = members.text('date', help) ?? '';
  if (date !== '' && !isDay(date)) members.say('date', `${quoted(date)} is not a day`, help);
  else if (today !== undefined && date > today) members.say('date', `${quoted(date)} is in the future`, help);
  return { reviewer, date, reference, reason };
}

function isDay(text: string): boolean {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}
