import { describe, expect, test } from 'vitest';
import { parsePath } from '../../../src/policy/fabric/index.ts';
import { Extents } from '../../../src/policy/review/extent.ts';
import { Holders } from '../../../src/policy/review/holders.ts';
import type { ResourcePath } from '../../../src/policy/types.ts';
import { fabricOf } from '../load/fixture.ts';

/** Ids whose order as numbers is not that of their texts, and names that begin alike. */
const fabric = fabricOf(`switches:
  a:
    ports: [{ ids: 1 }, { ids: 2, lds: 11 }, { ids: 10-12 }]
    vcss: [{ ids: 1, vppbs: 1 }, { ids: 10, vppbs: 2 }]
  a1:
    ports: [{ ids: 1 }]
tenants:
  acme: { owns: [/switches/a/ports/1, /switches/a/ports/10] }
  globex: { owns: [/switches/a/ports/2/lds/1, /switches/a/ports/2/lds/10] }
  initech: { owns: [/switches/a/vcss/10] }
  umbrella: { owns: [/switches/a/ports/11, /switches/a1/ports/1] }
  idle: {}
`);
const extents = new Extents(fabric);
const unlisted = ['head', 'host', 'tag'];

/** What a RESOURCE column covers, looked for one object at a time. */
function slowly(isCovered: (path: string) => boolean, withUnlisted: boolean): Record<string, readonly string[]> {
  const found: Record<string, Set<string>> = {};
  for (const path of fabric.objects.filter(isCovered)) {
    const owner = String(fabric.ownerOf(path));
    const kinds = found[owner] ?? new Set();
    found[owner] = kinds;
    const kind = String(parsePath(path)?.kind);
    kinds.add(kind);
    if (kind === 'port' && withUnlisted) for (const more of unlisted) kinds.add(more);
  }
  return Object.fromEntries(Object.entries(found).map(([owner, kinds]) => [owner, [...kinds].toSorted()]));
}

function told(resource: string, tenant = 'acme'): Record<string, readonly string[]> {
  return Object.fromEntries([...extents.of(resource, tenant)].map(([owner, kinds]) => [owner, [...kinds].toSorted()]));
}

describe('a RESOURCE column covers', () => {
  test.each(fabric.objects)('%s, and with a star all below it', (path) => {
    expect(told(path)).toEqual(slowly((other) => other === path, false));
    expect(told(`${path}/*`)).toEqual(slowly((other) => other === path || other.startsWith(`${path}/`), true));
  });

  test('every switch, with a star alone', () => {
    expect(told('/switches/*')).toEqual(slowly(() => true, true));
  });

  test.each(['acme', 'globex', 'initech', 'umbrella', 'fabric', 'idle'])('what is own of %s', (tenant) => {
    expect(told('own', tenant)).toEqual(slowly((path) => fabric.ownerOf(path as ResourcePath) === tenant, true));
  });

  test.each([
    ['/switches/a/ports/1/heads/0', { acme: ['head'] }],
    ['/switches/a/ports/2/hosts/1', { globex: ['host'] }],
    ['/switches/a/ports/2/hosts/2', { fabric: ['host'] }],
    ['/switches/a/ports/3', {}],
    ['/switches/b', {}],
    ['/switches/a/ports', {}],
  ])('%s, which no file lists: %j', (path, expected) => {
    expect(told(path)).toEqual(expected);
  });
});

describe('kinds of what is below', () => {
  test.each([
    ['/switches/a', ['head', 'host', 'ld', 'ldpool', 'port', 'tag', 'vcs', 'vppb']],
    ['/switches/a1', ['head', 'host', 'port', 'tag']],
    ['/switches/a/ports/1', ['head', 'host', 'tag']],
    ['/switches/a/ports/2', ['head', 'host', 'ld', 'ldpool', 'tag']],
    ['/switches/a/ports/2/lds/1', []],
    ['/switches/a/vcss/1', ['vppb']],
    ['/switches/a/vcss/1/vppbs/0', []],
  ])('%s: %j', (path, kinds) => {
    expect([...extents.kindsBelow(path)].toSorted()).toEqual(kinds);
  });
});

describe('the deepest path that everything of a tenant lies below', () => {
  test.each([
    ['acme', '/switches/a/ports'],
    ['globex', '/switches/a/ports/2/lds'],
    ['initech', '/switches/a/vcss/10'],
    ['umbrella', '/switches'],
    ['idle', ''],
  ])('of %s is %s', (tenant, root) => {
    expect(extents.rootOf(tenant)).toBe(root);
    expect(extents.rootOf(tenant)).toBe(root);
  });
});

describe('who has a role', () => {
  const link = (name: string, role: string, tenant = 'acme') => ({ name, role, tenant });
  const holders = new Holders([
    link('group:tenant/acme', 'role:all'),
    link('role:all', 'role:below'),
    link('role:below', 'role:all'),
    link('user:https://idp#a', 'role:some'),
    link('role:some', 'role:more'),
    link('role:nobody', 'role:neither'),
    link('group:tenant/acme', 'role:some', 'globex'),
  ]);

  test.each([
    ['acme', 'role:all', true, true],
    ['acme', 'role:below', true, true],
    ['acme', 'role:some', false, true],
    ['acme', 'role:more', false, true],
    ['acme', 'role:nobody', false, false],
    ['acme', 'role:neither', false, false],
    ['globex', 'role:all', false, false],
    ['globex', 'role:some', false, true],
    ['initech', 'role:all', false, false],
  ])('in %s %s: everybody %s, somebody %s', (tenant, role, everybody, somebody) => {
    expect(holders.isEverybodys(tenant, role)).toBe(everybody);
    expect(holders.isHeld(tenant, role)).toBe(somebody);
  });

  test('has the roles of that role too, and those that everybody has', () => {
    expect([...holders.impliedBy('acme', 'role:some')].toSorted()).toEqual([
      'role:all',
      'role:below',
      'role:more',
      'role:some',
    ]);
    expect([...holders.impliedBy('globex', 'role:x')]).toEqual(['role:x']);
  });
});
