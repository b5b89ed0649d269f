import { entry } from '../casbin/entry.ts';
import { coveringPatterns, coversPath, OWN } from '../casbin/resource.ts';
import { type GrantRule, sourceOf } from '../casbin/rules.ts';
import { FABRIC_TENANT, type Fabric, type ResourcePath } from '../types.ts';
import { at } from './at.ts';
import type { NameClass } from './callers.ts';
import { Changes } from './change.ts';
import { type Companions, ldsBehind, placeOf } from './invocations.ts';
import { gateOf, type ResourceClass, type Universe } from './resources.ts';
import type { SearchContext } from './search.ts';
import type { Selections } from './selections.ts';
import { type Cell, type TenantRows, TenantTable } from './tenant-table.ts';

/** Why no caller of a tenant can be granted something, by rows and ownership alone. */
export interface Obstacle {
  readonly because: 'never' | 'ownership' | 'no-row' | 'nobody' | 'deny' | 'mandatory' | 'decision';
  /** One sentence. */
  readonly text: string;
  /** Rows that it rests on. */
  readonly sources: readonly string[];
}

/** An object that a question is about, and its class. */
export interface Place {
  readonly path: ResourcePath;
  readonly resource: ResourceClass;
}

/** One tenant's rows, callers and objects, laid out for questions. */
export class TenantDesk {
  readonly name: string;
  readonly callers: readonly NameClass[];
  readonly #fabric: Fabric;
  readonly #selections: Selections;
  readonly #rows: TenantRows;
  readonly #table: TenantTable;
  readonly #resources: readonly ResourceClass[];
  readonly #changes: Changes;
  readonly #cells = new Map<ResourceClass, readonly Cell[]>();

  constructor(
    { engine, callers }: SearchContext,
    selections: Selections,
    name: string,
    rows: TenantRows,
    universe: Universe,
  ) {
    this.name = name;
    this.#fabric = engine.fabric;
    this.#selections = selections;
    this.#rows = rows;
    this.#table = new TenantTable(rows, selections);
    this.#resources = universe.classes(name, (side, pattern) => rows.has(side, pattern));
    this.callers = callers.classes(name);
    this.#changes = new Changes(this.callers, 1);
  }

  /** The objects of a RESOURCE text that the tenant may name; the path itself even where he may not. */
  places(text: string): readonly Place[] {
    const found = this.#resources.flatMap((resource) =>
      resource.members.filter(({ path }) => coversPath(text, path)).map(({ path }) => ({ path, resource })),
    );
    return found.length > 0 || text.endsWith('/*') ? found : [this.#place(text as ResourcePath)];
  }

  #place(path: ResourcePath): Place {
    const covering = coveringPatterns(path);
    const patterns = this.#fabric.ownerOf(path) === this.name ? [...covering, OWN] : covering;
    const gates = [gateOf(this.#fabric, this.name, path)];
    const members = [{ path, shown: path, gates }];
    return { path, resource: { members, gates, patterns: [patterns.filter((one) => this.#rows.has(0, one))] } };
  }

  /** Classes of names that are allowed by themselves, by rows and ownership alone; 0 is the tenant's own group. */
  allowedNames({ resource }: Pick<Place, 'resource'>, atoms: readonly number[]): readonly number[] {
    const cells = entry(this.#cells, resource, () => this.#table.cells(resource, 0));
    const found = new Set<number>();
    for (const block of this.#table.blocksOf(atoms)) {
      const allowed = this.#changes.allowed(0, at(cells, block));
      for (const [name, isAllowed] of allowed.entries()) if (isAllowed) found.add(name);
    }
    return [...found];
  }

  /** One of each kind of slots, and of what can be put into one, on which the command could be granted. */
  companions(atoms: readonly number[]): Companions {
    const found = { vppbs: new Map<string, ResourcePath>(), ends: new Map<string, ResourcePath>() };
    for (const [number, resource] of this.#resources.entries()) {
      if (this.allowedNames({ resource }, atoms).length === 0) continue;
      for (const { path } of resource.members) {
        const kind = placeOf(path).kind;
        if (kind !== 'vppb' && kind !== 'port' && kind !== 'ld') continue;
        // What the decision may look at beside rows: which switch, and whose it is and what is behind it.
        const key = JSON.stringify([number, kind, path.split('/', 3), this.#owners(path)]);
        entry(kind === 'vppb' ? found.vppbs : found.ends, key, () => path);
      }
    }
    return { vppbs: [...found.vppbs.values()], ends: [...found.ends.values()] };
  }

  #owners(path: ResourcePath): readonly (string | undefined)[] {
    const place = placeOf(path);
    const lds = place.kind === 'port' ? ldsBehind(this.#fabric, place) : 0;
    const behind = Array.from({ length: lds }, (_, ld) => this.#fabric.ownerOf(`${path}/lds/${ld}`));
    return [this.#fabric.ownerOf(path), ...new Set(behind)];
  }

  /** Why rows and ownership let nobody of the tenant do it; undefined where they let somebody. */
  obstacle(place: Place, command: string, atoms: readonly number[]): Obstacle | undefined {
    const { path, resource } = place;
    if (atoms.length === 0) {
      return { because: 'never', text: `\`${command}\` can't be granted to anybody`, sources: [] };
    }
    if (this.allowedNames(place, atoms).length > 0) return undefined;
    const isQuery = atoms.some((i) => this.#selections.atoms[i]?.query === true);
    if (resource.gates[0] === 'none' || (resource.gates[0] === 'query' && !isQuery))
      return this.#foreign(path, command);
    const allowing = this.#rowsAbout(resource, atoms, 'allow');
    if (allowing.length === 0) {
      return { because: 'no-row', text: `no row of ${this.name} allows \`${command}\` on ${path}`, sources: [] };
    }
    const roles = new Set(allowing.map(({ row }) => row[0]));
    const isHeld = this.callers.some((one) => [...roles].some((role) => one.roles[0]?.has(role) === true));
    const sources = allowing.map(sourceOf);
    if (!isHeld) {
      const text = `only ${[...roles].join(', ')} may run \`${command}\` on ${path}, which nobody of ${this.name} has`;
      return { because: 'nobody', text, sources };
    }
    const denying = this.#rowsAbout(resource, atoms, 'deny').map(sourceOf);
    const text = `whoever may run \`${command}\` on ${path} by one row of ${this.name} is denied it by another`;
    return { because: 'deny', text, sources: [...sources, ...denying] };
  }

  #foreign(path: ResourcePath, command: string): Obstacle {
    const owner = this.#fabric.ownerOf(path);
    const text =
      owner === FABRIC_TENANT && placeOf(path).kind === 'switch'
        ? `\`${command}\` on the switch itself is for ${FABRIC_TENANT} alone`
        : `${path} belongs to ${owner}: no row can give it to ${this.name}`;
    return { because: 'ownership', text, sources: [] };
  }

  #rowsAbout(resource: ResourceClass, atoms: readonly number[], effect: 'allow' | 'deny'): readonly GrantRule[] {
    const wanted = new Set(atoms);
    return at(resource.patterns, 0)
      .flatMap((pattern) => this.#rows.under(0, pattern))
      .filter(({ row, selector }) => row[4] === effect && this.#reaches(row[3], selector, effect, wanted));
  }

  #reaches(
    text: string,
    selector: GrantRule['selector'],
    effect: 'allow' | 'deny',
    wanted: ReadonlySet<number>,
  ): boolean {
    return this.#selections.of(0, text, selector, effect).some((atom) => wanted.has(atom));
  }
}
