import type { Node } from 'yaml';
import { err, ok, type Result } from '../../cci/index.ts';
import { closest } from '../load/closest.ts';
import { ErrorList, type LoadError, visible } from '../load/error.ts';
import { hasHidden, linesOf, readPlainFile, textOf } from '../load/file.ts';
import { isTenantName } from '../names.ts';
import type { Fabric, FabricSwitch, ResourcePath } from '../types.ts';
import { OwnedFabric } from './fabric.ts';
import { isSwitchName, parsePath } from './path.ts';
import { type Place, YamlWalk } from './yaml-walk.ts';

/** Where a fabric comes from: the path of a file, or a text with the name to use in errors. */
export type FabricSource = string | { readonly text: string; readonly name?: string };

const FILE_BYTES_MAX = 1 << 20;
const ID_MAX = 255;
const COUNT_MAX = 256;
/** Enough for a rack of large switches; a file that asks for more has a slip in a range. */
const OBJECTS_MAX = 200_000;
/** In a larger fabric a near miss is not looked for. */
const SUGGEST_FROM = 2000;

const help = {
  root: 'the file has two parts: `switches:` and `tenants:`',
  switch: 'write `sw0:` and below it `ports:` and `vcss:`',
  ports: 'write a list such as `- { ids: 0-2 }` or `- { ids: 3, lds: 4 }`',
  vcss: 'write a list such as `- { ids: 0-1, vppbs: 4 }`',
  tenants: 'write `acme:` and below it `owns:` with a list of paths',
  owns: 'write a list such as `- /switches/sw0/ports/2`',
  ids: `write one id such as \`3\` or a range such as \`0-2\`, from 0 to ${ID_MAX}, without leading zeros`,
} as const;

/**
 * Loads `config/fabric.yaml`: which objects exist and which tenant owns each. Rules: `policy.md` section 2. Never throws.
 * On failure all mistakes of the file, in its order.
 */
export function loadFabric(source: FabricSource): Result<Fabric, readonly LoadError[]> {
  const errors = new ErrorList();
  const file = typeof source === 'string' ? source : (source.name ?? 'fabric.yaml');
  const text = textOfSource(source, file, errors);
  if (text === undefined) return err(errors.list());
  for (const [line, number] of linesOf(text)) hasHidden(line, file, number, errors);
  const walk = new YamlWalk(file, text, errors);
  const fabric = errors.size === 0 ? readFabric(walk) : undefined;
  return fabric === undefined || errors.size > 0 ? err(errors.list()) : ok(fabric);
}

function textOfSource(source: FabricSource, file: string, errors: ErrorList): string | undefined {
  if (typeof source === 'string') {
    const bytes = readPlainFile(source, file, FILE_BYTES_MAX, errors);
    return bytes === undefined ? undefined : textOf(bytes, file, errors);
  }
  return textOf(new TextEncoder().encode(source.text), file, errors, FILE_BYTES_MAX);
}

function readFabric(walk: YamlWalk): Fabric | undefined {
  let switches: Map<string, FabricSwitch> | undefined;
  let tenants: Node | null | undefined;
  for (const { key, keyPlace, value } of walk.entries(walk.root, 'the file', help.root)) {
    if (key === 'switches') switches = readSwitches(walk, value);
    else if (key === 'tenants') tenants = value;
    else unknownKey(walk, keyPlace, key, ['switches', 'tenants'], help.root);
  }
  if (switches === undefined || tenants === undefined) {
    const missing = switches === undefined ? 'switches' : 'tenants';
    walk.report('fabric', walk.place(walk.root), `\`${missing}:\` is missing`, help.root);
    return undefined;
  }
  // Owners are held against objects: with a mistake in those, every path would be reported once more.
  if (walk.errors.size > 0) return undefined;
  const { names, owned } = readTenants(walk, tenants, switches);
  return new OwnedFabric(names, switches, owned);
}

function readSwitches(walk: YamlWalk, node: Node | null): Map<string, FabricSwitch> {
  const switches = new Map<string, FabricSwitch>();
  let objects = 0;
  for (const { key: name, keyPlace, value } of walk.entries(node, '`switches`', help.switch)) {
    if (!isSwitchName(name)) {
      walk.report('fabric', keyPlace, `\`${visible(name)}\` is not a name for a switch`, nameHelp('sw0'));
      continue;
    }
    const ports = new Map<number, { lds: number }>();
    const vcss = new Map<number, { vppbs: number }>();
    const before = walk.errors.size;
    for (const part of walk.entries(value, `switch \`${name}\``, help.switch)) {
      if (part.key === 'ports') {
        readObjects(walk, part.value, 'port', 'lds', help.ports, (id, lds) => ports.set(id, { lds }));
      } else if (part.key === 'vcss') {
        readObjects(walk, part.value, 'VCS', 'vppbs', help.vcss, (id, vppbs) => vcss.set(id, { vppbs }));
      } else {
        unknownKey(walk, part.keyPlace, part.key, ['ports', 'vcss'], help.switch);
      }
    }
    if (ports.size === 0 && walk.errors.size === before)
      walk.report('fabric', keyPlace, `switch \`${name}\` has no ports`, help.ports);
    for (const { lds } of ports.values()) objects += lds + 2;
    for (const { vppbs } of vcss.values()) objects += vppbs + 1;
    if (objects > OBJECTS_MAX) {
      walk.report('fabric', keyPlace, `more than ${OBJECTS_MAX} objects up to here`, 'check the ranges and counts');
      return switches;
    }
    switches.set(name, { name, ports, vcss });
  }
  if (switches.size === 0) walk.report('fabric', walk.place(node), '`switches:` names no switch', help.switch);
  return switches;
}

/** A list of `{ ids, COUNT }`: ports with LDs, VCSs with vPPBs. */
function readObjects(
  walk: YamlWalk,
  node: Node | null,
  noun: 'port' | 'VCS',
  countKey: 'lds' | 'vppbs',
  example: string,
  enter: (id: number, count: number) => void,
): void {
  const seen = new Set<number>();
  for (const item of walk.items(node, `the list of ${noun}s`, example)) {
    let ids: { readonly range: readonly [number, number]; readonly place: Place } | undefined;
    let hasIds = false;
    let count: number | undefined = countKey === 'lds' ? 0 : undefined;
    for (const { key, keyPlace, value } of walk.entries(item, `a ${noun}`, example)) {
      const place = walk.place(value);
      if (key === 'ids') {
        hasIds = true;
        const text = walk.text(value, '`ids`', help.ids);
        if (text === undefined) continue;
        const range = idRange(text);
        if (range === undefined) walk.report('fabric', place, `\`${visible(text)}\` is not an id or a range`, help.ids);
        else ids = { range, place };
      } else if (key === countKey) {
        const text = walk.text(value, `\`${countKey}\``, example);
        if (text === undefined) continue;
        count = positive(text);
        if (count === undefined) {
          walk.report(
            'fabric',
            place,
            `\`${visible(text)}\` is not a number of ${countKey}`,
            `write a number from 1 to ${COUNT_MAX}`,
          );
        }
      } else {
        unknownKey(walk, keyPlace, key, ['ids', countKey], example);
      }
    }
    if (!hasIds) walk.report('fabric', walk.place(item), `a ${noun} without \`ids\``, example);
    if (ids === undefined) continue;
    if (count === undefined) {
      walk.report('fabric', walk.place(item), `${noun} without a right \`${countKey}\``, example);
      continue;
    }
    for (let id = ids.range[0]; id <= ids.range[1]; id += 1) {
      if (seen.has(id)) walk.report('duplicate', ids.place, `${noun} ${id} is listed twice`, 'list each id once');
      seen.add(id);
      enter(id, count);
    }
  }
}

function readTenants(
  walk: YamlWalk,
  node: Node | null,
  switches: ReadonlyMap<string, FabricSwitch>,
): { readonly names: readonly string[]; readonly owned: ReadonlyMap<string, string> } {
  const names: string[] = [];
  const claims: Claim[] = [];
  for (const { key: tenant, keyPlace, value } of walk.entries(node, '`tenants`', help.tenants)) {
    if (!isTenantName(tenant)) {
      walk.report('fabric', keyPlace, `\`${visible(tenant)}\` is not a name for a tenant`, nameHelp('acme'));
      continue;
    }
    names.push(tenant);
    for (const part of walk.entries(value, `tenant \`${tenant}\``, help.tenants)) {
      if (part.key !== 'owns') {
        unknownKey(walk, part.keyPlace, part.key, ['owns'], help.tenants);
        continue;
      }
      for (const item of walk.items(part.value, `what \`${tenant}\` owns`, help.owns)) {
        const path = walk.text(item, 'a path', help.owns);
        if (path !== undefined) claims.push({ tenant, path, place: walk.place(item) });
      }
    }
  }
  return { names, owned: settle(walk, claims, switches) };
}

interface Claim {
  readonly tenant: string;
  readonly path: string;
  readonly place: Place;
}

/** Who owns what, with every conflict reported at the later line. */
function settle(
  walk: YamlWalk,
  claims: readonly Claim[],
  switches: ReadonlyMap<string, FabricSwitch>,
): ReadonlyMap<string, string> {
  const everything = new OwnedFabric([], switches, new Map());
  const owned = new Map<string, Claim>();
  /** The first owned LD of each port. */
  const firstPart = new Map<string, Claim>();
  for (const claim of claims) {
    const { path, place, tenant } = claim;
    const parsed = parsePath(path);
    if (parsed === undefined) {
      walk.report(
        'resource',
        place,
        `\`${visible(path)}\` is not a path`,
        `${help.owns}, with ids without leading zeros`,
      );
      continue;
    }
    if (parsed.kind !== 'port' && parsed.kind !== 'ld' && parsed.kind !== 'vcs') {
      walk.report(
        'ownership',
        place,
        `\`${path}\` can't be owned by itself`,
        'owned are ports, LDs and VCSs; what is below them comes with them',
      );
      continue;
    }
    if (!everything.exists(path as ResourcePath)) {
      const near = closest(path, everything.objects.length > SUGGEST_FROM ? [] : everything.objects);
      walk.report(
        'resource',
        place,
        `\`${path}\` is not an object of \`switches:\``,
        near ? `did you mean \`${near}\`?` : help.owns,
      );
      continue;
    }
    const before = owned.get(path);
    if (before !== undefined) {
      walk.report(
        'ownership',
        place,
        `\`${path}\` already belongs to \`${before.tenant}\` (line ${before.place.line})`,
        'give each object one owner',
      );
      continue;
    }
    owned.set(path, claim);
    if (parsed.kind === 'ld' && parsed.parent !== undefined) {
      const port = owned.get(parsed.parent);
      if (port !== undefined) partOwned(walk, place, path, port);
      if (!firstPart.has(parsed.parent)) firstPart.set(parsed.parent, claim);
    }
    const part = firstPart.get(path);
    if (part !== undefined) wholeOwned(walk, place, path, tenant, part);
  }
  return new Map([...owned].map(([path, { tenant }]) => [path, tenant]));
}

function partOwned(walk: YamlWalk, place: Place, path: string, port: Claim): void {
  walk.report(
    'ownership',
    place,
    `\`${path}\` is part of \`${port.path}\`, which belongs to \`${port.tenant}\` (line ${port.place.line})`,
    'a port has one owner, or none and its LDs have owners: remove one of the two lines',
  );
}

function wholeOwned(walk: YamlWalk, place: Place, path: string, tenant: string, part: Claim): void {
  walk.report(
    'ownership',
    place,
    `\`${path}\` can't belong to \`${tenant}\`: its part \`${part.path}\` belongs to \`${part.tenant}\` (line ${part.place.line})`,
    'a port has one owner, or none and its LDs have owners: remove one of the two lines',
  );
}

function unknownKey(walk: YamlWalk, place: Place, key: string, known: readonly string[], otherwise: string): void {
  const near = closest(key, known);
  walk.report(
    'fabric',
    place,
    `unknown key \`${visible(key)}\``,
    near === undefined ? otherwise : `did you mean \`${near}\`?`,
  );
}

function nameHelp(example: string): string {
  return `write lower-case letters, digits and \`-\`, a letter first, such as \`${example}\``;
}

function idRange(text: string): readonly [number, number] | undefined {
  const match = /^(0|[1-9][0-9]{0,2})(?:-(0|[1-9][0-9]{0,2}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last <= ID_MAX ? [first, last] : undefined;
}

function positive(text: string): number | undefined {
  const value = /^[1-9][0-9]{0,2}$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value <= COUNT_MAX ? value : undefined;
}
