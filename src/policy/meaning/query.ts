import type { Decision } from '../types.ts';
import type { NameClass } from './callers.ts';
import { commandName } from './command-name.ts';
import type { Desk } from './desk.ts';
import { placeOf } from './invocations.ts';
import type { Asker, Question } from './question.ts';
import { type AskedCommand, search, type Wanted } from './search.ts';
import type { Obstacle, Place, TenantDesk } from './tenant-desk.ts';
import { type Witness, witnessOf } from './witness.ts';

/** The answer to a question, with its proof. */
export interface Answer {
  readonly yes: boolean;
  /** `can`: the first that was found. `who`: one for each class of names that is enough by itself, or together. */
  readonly witnesses: readonly (Witness & { readonly also: readonly string[] })[];
  /** Where the answer is no: everything that stands against it, each said once. */
  readonly obstacles: readonly Obstacle[];
}

/**
 * Answers a question of `cci policy query`. A yes comes with somebody for whom the decision itself allows the command. A no
 * holds for every caller that the rows can produce, every way to run the command, every binding, and the laxest posture of
 * the profile.
 */
export function answer(desk: Desk, question: Question): Answer {
  return question.kind === 'who' ? answerWho(desk, question) : answerCan(desk, question);
}

function answerCan(desk: Desk, question: Question): Answer {
  const obstacles = new Map<string, Obstacle>();
  const note = (obstacle: Obstacle): void => {
    obstacles.set(`${obstacle.because} ${obstacle.text}`, obstacle);
  };
  for (const tenant of tenantsOf(desk, question.who)) {
    const own = desk.tenant(tenant);
    const wanted = wantedOf(own, question);
    if (wanted.length === 0) note({ because: 'nobody', text: `nobody of ${tenant} has that role`, sources: [] });
    for (const each of wanted) {
      const found = firstOf(desk, own, question, each, note);
      if (found !== undefined) return { yes: true, witnesses: [{ ...found, also: [] }], obstacles: [] };
    }
  }
  return { yes: false, witnesses: [], obstacles: [...obstacles.values()] };
}

/** One for each class of names that is enough by itself; where none is, one caller for whom several are. */
function answerWho(desk: Desk, question: Question): Answer {
  const obstacles = new Map<string, Obstacle>();
  const note = (obstacle: Obstacle): void => {
    obstacles.set(`${obstacle.because} ${obstacle.text}`, obstacle);
  };
  const witnesses = desk.context.engine.fabric.tenants.flatMap((tenant) => {
    const own = desk.tenant(tenant);
    const one = (names: readonly string[]): Witness | undefined =>
      firstOf(desk, own, question, { mode: 'only', names }, note);
    const everybody = one([]);
    if (everybody !== undefined) return [{ ...everybody, also: [] }];
    const alone = own.callers.slice(1).flatMap(({ names: [name = '', ...also] }) => {
      const found = one([name]);
      return found === undefined ? [] : [{ ...found, also }];
    });
    if (alone.length > 0) return alone;
    const together = firstOf(desk, own, question, { mode: 'with', names: [] }, note);
    return together === undefined ? [] : [{ ...together, also: [] }];
  });
  const yes = witnesses.length > 0;
  return { yes, witnesses, obstacles: yes ? [] : [...obstacles.values()] };
}

/** Tenants that a question is about; those whose rows speak of the name first. */
function tenantsOf(desk: Desk, who: Asker): readonly string[] {
  const { tenants } = desk.context.engine.fabric;
  if (who.kind === 'anyone') return tenants;
  if (who.tenant !== undefined) return [who.tenant];
  const isNamed = (tenant: string): boolean =>
    desk.tenant(tenant).callers.some(({ names }) => who.kind === 'name' && names.includes(who.name));
  return [...tenants.filter(isNamed), ...tenants.filter((tenant) => !isNamed(tenant))];
}

function wantedOf(own: TenantDesk, { who, ever }: Question): readonly Wanted[] {
  const mode = ever ? 'with' : 'only';
  switch (who.kind) {
    case 'anyone':
    case 'tenant':
      return [{ mode, names: [] }];
    case 'name':
      return [{ mode, names: [who.name] }];
    case 'role':
      return own.callers
        .filter(({ roles }) => roles[0]?.has(who.name) === true)
        .map(({ names, kind }: NameClass) => ({ mode, names: kind === 'tenant' ? [] : names.slice(0, 1) }));
  }
}

function firstOf(
  desk: Desk,
  own: TenantDesk,
  { command: text, selector, resource }: Question,
  wanted: Wanted,
  note: (obstacle: Obstacle) => void,
): Witness | undefined {
  const { context } = desk;
  const places = own.places(resource);
  if (places.length === 0) {
    note({ because: 'ownership', text: `nothing below ${resource.slice(0, -2)} belongs to ${own.name}`, sources: [] });
  }
  for (const command of desk.commands(text, selector)) {
    const atoms = desk.atomsOf(command);
    const name = commandName(command);
    const companions = own.companions(atoms);
    for (const place of places) {
      const obstacle = own.obstacle(place, name, atoms);
      if (obstacle !== undefined) note(obstacle);
      // A tag can be recorded as his on a device that he shares: that is the decision's to tell.
      if (obstacle !== undefined && placeOf(place.path).kind !== 'tag') continue;
      const found = search(context, own.name, command, place.path, companions, wanted);
      if ('principal' in found) return witnessOf(context.engine, context.profile, found);
      for (const each of reasonsOf(place, name, command, found.decision)) note(each);
    }
  }
  return undefined;
}

/** What stood against the way that came closest. */
function reasonsOf(
  { path }: Place,
  name: string,
  { submittedAs }: AskedCommand,
  decision: Decision | undefined,
): readonly Obstacle[] {
  const never = `\`${name}\` never touches ${path}`;
  if (decision === undefined || decision.reasons.length === 0)
    return [{ because: 'decision', text: never, sources: [] }];
  return decision.reasons.map(({ step, rule, text, source }) => ({
    because: step === 'mandatory' || (step === 'raw-gate' && submittedAs === 'raw') ? 'mandatory' : 'decision',
    text: `\`${name}\` on ${path}: ${text} (${rule})`,
    sources: source === undefined ? [] : [source],
  }));
}
