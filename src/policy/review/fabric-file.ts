import type { Node } from 'yaml';
import { YamlWalk } from '../fabric/yaml-walk.ts';
import { ErrorList } from '../load/error.ts';
import { FABRIC_TENANT, type Fabric, type ResourcePath } from '../types.ts';
import { listWords, resourceWords } from '../words/index.ts';
import { type Finding, finding, type Place } from './finding.ts';

/** The text of a fabric file that was loaded without a mistake. */
export interface FabricText {
  readonly name: string;
  readonly text: string;
}

interface ListedObjects {
  readonly place: Place;
  readonly paths: readonly ResourcePath[];
}

/** What is to be said about the fabric file: tenants that may do nothing, objects that belong to nobody. */
export function reviewFabric(
  { name, text }: FabricText,
  fabric: Fabric,
  withRules: ReadonlySet<string>,
): readonly Finding[] {
  const walk = new YamlWalk(name, text, new ErrorList());
  const placeOf = (node: Node | null): Place => {
    const { line, column, source } = walk.place(node);
    return { file: name, line, column, text: source.replace(/\n[\s\S]*$/, '') };
  };
  const findings: Finding[] = [];
  const objects: ListedObjects[] = [];
  const reserved = new Set<string>();
  for (const { key, keyPlace, value } of walk.entries(walk.root, '', '')) {
    const top: Place = { file: name, line: keyPlace.line, column: keyPlace.column, text: key };
    if (key === 'switches') objects.push(...listedObjects(walk, value, placeOf));
    else findings.push(...reviewTenants(walk, value, { name, top, withRules }, reserved));
  }
  for (const { place, paths } of objects) {
    const nobodys = paths.filter((path) => fabric.ownerOf(path) === FABRIC_TENANT && !isReserved(path, reserved));
    // A port whose LDs have owners is theirs.
    const left = nobodys.filter((path) => !isShared(path, fabric));
    const shown = left.filter((path) => !left.some((other) => path.startsWith(`${other}/`)));
    if (shown.length === 0) continue;
    findings.push(
      finding(
        'resource-nobody-owns',
        place,
        `${listWords(shown.map(resourceWords))} ${shown.length === 1 ? 'belongs' : 'belong'} to no tenant, and so to the operators`,
        'list it under a tenant; under `fabric` where it is meant for the operators',
      ),
    );
  }
  return findings;
}

function reviewTenants(
  walk: YamlWalk,
  node: Node | null,
  { name, top, withRules }: { readonly name: string; readonly top: Place; readonly withRules: ReadonlySet<string> },
  reserved: Set<string>,
): readonly Finding[] {
  const places = new Map<string, Place>();
  for (const { key, keyPlace, value } of walk.entries(node, '', '')) {
    places.set(key, { file: name, line: keyPlace.line, column: keyPlace.column, text: key });
    if (key !== FABRIC_TENANT) continue;
    for (const part of walk.entries(value, '', '')) {
      for (const item of walk.items(part.value, '', '')) reserved.add(String(walk.text(item, '', '')));
    }
  }
  // The operators' tenant is there without being listed.
  if (!places.has(FABRIC_TENANT)) places.set(FABRIC_TENANT, top);
  return [...places].flatMap(([tenant, place]) =>
    withRules.has(tenant)
      ? []
      : [
          finding(
            'tenant-without-rules',
            place,
            `no row grants anything to ${tenant}`,
            `write \`tenants/${tenant}.csv\`, beginning with \`p, role:reader, ${tenant}, own, class:allowlisted, allow\``,
          ),
        ],
  );
}

/** Entries of `ports:` and `vcss:` with the objects that each of them lists. */
function listedObjects(
  walk: YamlWalk,
  node: Node | null,
  placeOf: (node: Node | null) => Place,
): readonly ListedObjects[] {
  const found: ListedObjects[] = [];
  for (const { key: name, value } of walk.entries(node, '', '')) {
    for (const part of walk.entries(value, '', '')) {
      const below = part.key === 'ports' ? 'lds' : 'vppbs';
      for (const item of walk.items(part.value, '', '')) {
        const fields = new Map(
          walk.entries(item, '', '').map((field) => [field.key, String(walk.text(field.value, '', ''))]),
        );
        const [first = 0, last = first] = String(fields.get('ids')).split('-').map(Number);
        const parts = below === 'lds' ? Number(fields.get('lds') ?? 0) : 0;
        const paths: ResourcePath[] = [];
        for (let id = first; id <= last; id += 1) {
          paths.push(`/switches/${name}/${part.key}/${id}` as ResourcePath);
          for (let ld = 0; ld < parts; ld += 1) paths.push(`/switches/${name}/ports/${id}/lds/${ld}`);
        }
        found.push({ place: placeOf(item), paths });
      }
    }
  }
  return found;
}

function isReserved(path: string, reserved: ReadonlySet<string>): boolean {
  return reserved.has(path) || reserved.has(path.replace(/\/lds\/\d+$/, ''));
}

function isShared(path: ResourcePath, fabric: Fabric): boolean {
  const [, , name, part, id, below] = path.split('/');
  if (part !== 'ports' || below !== undefined) return false;
  const lds = Number(fabric.switches.get(String(name))?.ports.get(Number(id))?.lds);
  return Array.from({ length: lds }, (_, ld): ResourcePath => `${path}/lds/${ld}`).some(
    (ld) => fabric.ownerOf(ld) !== FABRIC_TENANT,
  );
}
