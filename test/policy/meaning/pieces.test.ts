import { describe, expect, test } from 'vitest';
import {
  bits,
  builtinCommands,
  count,
  isTyped,
  layout,
  list,
  reserved,
  rowBySlug,
  type TypedRow,
  u,
} from '../../../src/cci/index.ts';
import { invocations } from '../../../src/policy/meaning/invocations.ts';
import { leastRequest } from '../../../src/policy/meaning/least-request.ts';
import { Partition } from '../../../src/policy/meaning/partition.ts';
import { ResourceWords } from '../../../src/policy/meaning/resource-words.ts';
import { gateOf, type Resource, Universe } from '../../../src/policy/meaning/resources.ts';
import { TenantRows } from '../../../src/policy/meaning/tenant-table.ts';
import type { ResourcePath } from '../../../src/policy/types.ts';
import { fabric } from '../load/fixture.ts';

describe('numbers that are split by what they are told apart by', () => {
  test('stand in blocks, ascending', () => {
    const partition = new Partition(6);
    expect(partition.blocks()).toEqual([[0, 1, 2, 3, 4, 5]]);
    partition.split([1, 3, 5]);
    partition.split([]);
    partition.split([0, 1, 2, 3, 4, 5]);
    partition.split([0, 1]);
    expect(partition.blocks()).toEqual([[2, 4], [3, 5], [0], [1]]);
    partition.split([2, 4, 3]);
    expect(partition.blocks()).toEqual([[2, 4], [5], [0], [1], [3]]);
  });
});

describe('resources in the words of grants', () => {
  const resource = (shown: string): Resource => ({ path: shown as ResourcePath, shown, gates: ['all'] });
  const all = [
    '/switches/a',
    '/switches/a/ports/1',
    '/switches/a/ports/1/lds/0',
    '/switches/a/ports/1/heads/*',
    '/switches/a/ports/2',
    '/switches/b',
    '/switches/b/ports/1',
  ];
  const words = new ResourceWords(all.map(resource));
  const own = new Set([
    '/switches/a/ports/1',
    '/switches/a/ports/1/lds/0',
    '/switches/a/ports/1/heads/*',
    '/switches/b/ports/1',
  ]);

  test.each<[readonly string[], readonly string[]]>([
    [['/switches/a/ports/1'], ['/switches/a/ports/1']],
    [
      ['/switches/a/ports/1', '/switches/a/ports/1/lds/0'],
      ['/switches/a/ports/1', '/switches/a/ports/1/lds/0'],
    ],
    [all.slice(1, 4), ['/switches/a/ports/1/*']],
    [all.slice(0, 5), ['/switches/a/*']],
    [all.slice(1, 5), ['/switches/a/ports/1/*', '/switches/a/ports/2']],
    [all, ['/switches/a/*', '/switches/b/*']],
    [[...own], ['own']],
    [
      [...own, '/switches/a/ports/2'],
      ['own', '/switches/a/ports/2'],
    ],
    [
      [...own, '/switches/a/ports/2', '/switches/a', '/switches/b'],
      ['/switches/a/*', '/switches/b/*'],
    ],
    [[], []],
  ])('%j: %j', (shown, expected) => {
    expect(words.of(shown.map(resource), own)).toEqual(expected);
  });

  test('are no `own` where only one thing is, or nothing', () => {
    expect(words.of([resource('/switches/b/ports/1')], new Set(['/switches/b/ports/1']))).toEqual([
      '/switches/b/ports/1',
    ]);
    expect(words.of([resource('/switches/b/ports/1')], new Set())).toEqual(['/switches/b/ports/1']);
  });
});

describe('what ownership lets a tenant name', () => {
  test.each<[string, ResourcePath, string]>([
    ['acme', '/switches/sw0/ports/2', 'all'],
    ['acme', '/switches/sw0/ports/2/heads/1', 'all'],
    ['acme', '/switches/sw0/ports/3/lds/0', 'all'],
    ['acme', '/switches/sw0/ports/3', 'none'],
    ['acme', '/switches/sw0/ports/4', 'none'],
    ['acme', '/switches/sw0', 'query'],
    ['fabric', '/switches/sw0', 'all'],
    ['fabric', '/switches/sw0/ports/2', 'all'],
    ['fabric', '/switches/sw0/ports/99', 'none'],
    ['acme', '/switches/sw1', 'none'],
    ['umbrella', '/switches/sw0', 'none'],
    ['umbrella', '/switches/sw0/ports/2', 'none'],
  ])('%s, %s: %s', (tenant, path, gate) => {
    expect(gateOf(fabric, tenant, path)).toBe(gate);
  });

  test('are his own objects, what may come to be below them, and the switch', () => {
    const universe = new Universe(
      [fabric],
      ['/switches/sw0/ports/2/heads/99999', '/switches/sw0/ports/99/heads/1', 'own'],
    );
    expect(universe.of('acme').map(({ shown, gates }) => `${shown} ${gates.join()}`)).toEqual([
      '/switches/sw0 query',
      ...[0, 2].map((id) => `/switches/sw0/ports/${id} all`),
      ...[0, 1].map((id) => `/switches/sw0/ports/3/lds/${id} all`),
      '/switches/sw0/vcss/0 all',
      ...[0, 1, 2, 3].map((id) => `/switches/sw0/vcss/0/vppbs/${id} all`),
      '/switches/sw0/ports/2/heads/99999 all',
      ...[0, 2].flatMap((id) => ['heads', 'hosts', 'tags'].map((word) => `/switches/sw0/ports/${id}/${word}/* all`)),
    ]);
    const paths = universe.of('acme').map(({ path }) => path);
    expect(paths).toContain('/switches/sw0/ports/2/heads/99998');
    expect(paths).toContain('/switches/sw0/ports/0/heads/99999');
    expect(paths).toContain('/switches/sw0/ports/0/tags/ffffffff-ffff-ffff-ffff-ffffffffffff');
    expect(universe.of('acme')).toBe(universe.of('acme'));
    expect(universe.of('umbrella')).toEqual([]);
  });
});

describe('rows of a tenant under two policies', () => {
  const rule = (order: number, row: string) =>
    ({ order, file: 'f', line: order, row: row.split(' '), selector: { kind: 'slug', slug: 'x', opcode: 1 } }) as never;
  test.each<[readonly string[], readonly string[], boolean]>([
    [['r t own x allow'], ['r t own x allow'], true],
    [['r t own x allow', 'r t /a x deny'], ['r t /a x deny', 'r t own x allow'], true],
    [['r t own x allow'], ['r t own x deny'], false],
    [['r t own x allow'], [], false],
    [[], [], true],
  ])('%j and %j are the same: %s', (one, other, expected) => {
    const rows = new TenantRows([one, other].map((texts) => texts.map((text, i) => rule(i, text))));
    expect(rows.areSame()).toBe(expected);
    expect(rows.sides).toEqual([0, 1]);
  });
});

describe('the least request', () => {
  const row = (request: TypedRow['request']): TypedRow => ({ ...(rowBySlug('bind-vppb') as TypedRow), request });

  test('has neither reserved bytes nor counters among its parameters, and no wish that is none of them', () => {
    const request = layout(0, null, [
      u(1, 'a'),
      reserved(2),
      count(1, 'n'),
      list('ids', u(1, 'id'), { counter: 'n' }),
      bits(1, 'flags', { on: [0, 0], size: [1, 3] }),
      u(1, 'code', { enum: 'port_control_opcode' }),
    ]);
    const made = leastRequest(row(request), { ids: [7, 8], n: 9, other: 1 });
    expect(made?.params).toStrictEqual({ a: 0, ids: [7, 8], flags: { on: false, size: 0 }, code: 'assert-perst' });
    expect(made?.payload).toEqual(Uint8Array.of(0, 0, 0, 2, 7, 8, 0, 0));
  });

  test('is there for every command that needs nothing listed', () => {
    const without = builtinCommands.rows
      .filter((one): one is TypedRow => isTyped(one))
      .filter((one) => leastRequest(one, {}) === undefined)
      .map(({ slug }) => slug);
    expect(without).toEqual(['get-physical-port-state', 'get-virtual-cxl-switch-info']);
  });
});

describe('ways to run a command on an object', () => {
  const companions = {
    vppbs: ['/switches/sw0/vcss/0/vppbs/1', '/switches/sw1/vcss/0/vppbs/1'],
    ends: ['/switches/sw0/ports/2', '/switches/sw0/ports/3/lds/1', '/switches/sw1/ports/2'],
  } as const;
  const waysOf = (slug: string, path: ResourcePath): readonly string[] => {
    const one = rowBySlug(slug);
    const found = invocations(fabric, { opcode: Number(one?.opcode), row: one }, 'typed', path, companions);
    return found.map(({ submission, assumed, params }) => {
      const hops = submission.command.hops.map((hop) =>
        'port' in hop ? hop.port : 'ld' in hop ? `ld${hop.ld}` : 'pool',
      );
      const bound = [...(assumed.bindings ?? [])].flatMap(([vcs, slots]) =>
        [...slots].map(([vppb, binding]) => ` with ${vcs}/${vppb} ${JSON.stringify(binding)}`),
      );
      return `[${hops.join('/')}] ${JSON.stringify(params)}${bound.join('')}`;
    });
  };
  const twice = (...ways: readonly string[]): readonly string[] => ways.flatMap((way) => [way, way]);

  test.each<[string, ResourcePath, readonly string[]]>([
    ['identify', '/switches/sw0', twice('[] {}')],
    ['identify', '/switches/sw0/ports/2', twice('[] {}', '[2] {}', '[2/pool] {}')],
    ['identify', '/switches/sw0/ports/3/lds/1', twice('[] {}', '[] {}', '[3/ld1] {}', '[3] {}', '[3/pool] {}')],
    ['identify', '/switches/sw0/ports/3/ldpool', twice('[3] {}', '[3/pool] {}')],
    ['get-physical-port-state', '/switches/sw0/vcss/0', []],
    ['bind-vppb', '/switches/sw0/ports/2', ['[] {"vcs_id":0,"vppb_id":1,"physical_port_id":2,"ld_id":65535}']],
    [
      'bind-vppb',
      '/switches/sw0/ports/3/lds/2',
      [
        '[] {"vcs_id":0,"vppb_id":1,"physical_port_id":3,"ld_id":2}',
        '[] {"vcs_id":0,"vppb_id":1,"physical_port_id":3,"ld_id":65535}',
      ],
    ],
    [
      'bind-vppb',
      '/switches/sw0/vcss/1/vppbs/2',
      [
        '[] {"vcs_id":1,"vppb_id":2,"physical_port_id":2,"ld_id":65535}',
        '[] {"vcs_id":1,"vppb_id":2,"physical_port_id":3,"ld_id":1}',
      ],
    ],
    ['bind-vppb', '/switches/sw0/vcss/1', []],
    [
      'unbind-vppb',
      '/switches/sw0/ports/2',
      ['[] {"vcs_id":0,"vppb_id":1,"option":"wait-for-link-down"} with 0/1 {"kind":"port","port":2}'],
    ],
    [
      'unbind-vppb',
      '/switches/sw0/vcss/1/vppbs/2',
      [
        '[] {"vcs_id":1,"vppb_id":2,"option":"wait-for-link-down"}',
        '[] {"vcs_id":1,"vppb_id":2,"option":"wait-for-link-down"} with 1/2 {"kind":"port","port":2}',
        '[] {"vcs_id":1,"vppb_id":2,"option":"wait-for-link-down"} with 1/2 {"kind":"ld","port":3,"ld":1}',
      ],
    ],
    ['unbind-vppb', '/switches/sw0', []],
    [
      'get-head-info',
      '/switches/sw0/ports/7/heads/4',
      twice(...['7', '7/pool', '7/ld0', '7/ld1'].map((hops) => `[${hops}] {"start_head":4,"number_of_heads":1}`)),
    ],
    [
      'get-dc-region-extent-lists',
      '/switches/sw0/ports/7/hosts/5',
      twice(...['7', '7/pool'].map((hops) => `[${hops}] {"host_id":5,"extent_count":0,"starting_extent_index":0}`)),
    ],
    ['get-domain-validation-sv', '/switches/sw0/vcss/1', twice('[] {"vcs_id":1}')],
    [
      'get-log',
      '/switches/sw0',
      ['0da9c0b5-bf41-4b78-8f79-96b1623b3f17', '5e1819d9-11a9-400c-811f-d60719403d86'].map(
        (log) => `[] {"log_identifier":"${log}","offset":0,"length":0}`,
      ),
    ],
  ])('%s on %s', (slug, path, expected) => {
    expect(waysOf(slug, path)).toEqual(expected);
  });

  test('of bytes without a layout are those of the object, without parameters', () => {
    const found = invocations(fabric, { opcode: 0xc010, row: undefined }, 'raw', '/switches/sw0/ports/2', companions);
    expect(found.map(({ submission }) => submission.command.hops.length)).toEqual([0, 0, 1, 1, 2, 2]);
    for (const one of found) {
      expect(one).not.toHaveProperty('params');
      expect(one.submission).toMatchObject({
        switch: 'sw0',
        submittedAs: 'raw',
        command: { opcode: 0xc010, payload: new Uint8Array(0) },
      });
      expect(one.submission.command.tags).toEqual(one.submission.command.hops.map(() => 1));
    }
  });
});
