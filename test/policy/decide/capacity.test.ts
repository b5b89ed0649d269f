import { describe, expect, test } from 'vitest';
import { exampleTopology } from '../../support/fake-policy.ts';
import { ask, type Question, verdictOf } from './ask.ts';

// Dynamic capacity of an MLD that tenants share: host h is that of LD h, tags are whose they were first.
// In the example, port 5 is such an MLD: acme has LDs 0 and 3, globex LD 1, nobody LD 2.

const sw = '/switches/sw0';
const tag = 'a1'.repeat(16);
const tagText = 'a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1';
const other = 'b2'.repeat(16);
const none = '00'.repeat(16);
const tagOf = (tenant: string) => ({ tagOwners: { [`5/${tagText}`]: tenant } });
const extent = { starting_dpa: '0', length: '1', tag: none, shared_extent_sequence: 0 };

const add = (host: number, text = none, more: object = {}): Question => ({
  named: 'initiate-dynamic-capacity-add',
  params: { host_id: host, selection_policy: 'free', region: 0, length: 1, tag: text, ...more },
  via: 'port:5',
});
const release = (host: number, text = none, more: object = {}): Question => ({
  named: 'initiate-dynamic-capacity-release',
  params: {
    host_id: host,
    flags: { removal_policy: 'tag-based', forced_removal: false, sanitize_on_release: false },
    length: 1,
    tag: text,
    ...more,
  },
  via: 'port:5',
});
const reference = (text = tag): Question => ({
  named: 'dynamic-capacity-add-reference',
  params: { tag: text },
  via: 'port:5',
});
const prescribed = (host: number, text: string): Question =>
  add(host, none, { selection_policy: 'prescriptive', extents: [{ ...extent, tag: text }] });

const cases: readonly (readonly [string, Question, string])[] = [
  ['capacity for a host of his', add(0), 'allow'],
  ['capacity for a host of another', add(1), 'EPERM ownership -> EPERM 2'],
  ['capacity for a host of nobody', add(2), 'EPERM ownership -> EPERM 2'],
  ['capacity for a host that is not there', add(9), 'EPERM ownership -> EPERM 2'],
  ['a tag that nobody has', add(0, tag), 'allow'],
  ['a tag of his', { ...add(0, tag), topology: tagOf('acme') }, 'allow'],
  ['a tag of another', { ...add(0, tag), topology: tagOf('globex') }, 'EPERM ownership -> EPERM 2'],
  [
    'shared access by a tag of his',
    { ...add(3, tag, { selection_policy: 'enable-shared-access' }), topology: tagOf('acme') },
    'allow',
  ],
  [
    'shared access by a tag of nobody',
    add(3, tag, { selection_policy: 'enable-shared-access' }),
    'EPERM ownership -> EPERM 2',
  ],
  ['places in memory that all share', prescribed(0, none), 'EPERM ownership -> EPERM 2'],
  ['a release from a host of his', release(0), 'allow'],
  ['a release from a host of another', release(1), 'EPERM ownership -> EPERM 2'],
  ['a release by a tag of his', { ...release(0, tag), topology: tagOf('acme') }, 'allow'],
  ['a release by a tag of nobody', release(0, tag), 'EPERM ownership -> EPERM 2'],
  [
    'a release of places',
    release(0, none, { flags: { removal_policy: 'prescriptive' }, extents: [extent] }),
    'EPERM ownership -> EPERM 2',
  ],
  ['a reference to a tag of his', { ...reference(), topology: tagOf('acme') }, 'allow'],
  ['a reference to a tag of another', { ...reference(), topology: tagOf('globex') }, 'EPERM ownership -> EPERM 2'],
  ['a reference to a tag of nobody', reference(), 'EPERM ownership -> EPERM 2'],
  [
    'the blocks of a region',
    {
      named: 'set-dc-region-configuration',
      params: { region_id: 0, region_block_size: '2097152', sanitize_on_release: false },
      via: 'port:5',
    },
    'EPERM ownership -> EPERM 2',
  ],
  ['what the device has', { named: 'get-dcd-info', via: 'port:5' }, 'allow'],
  [
    'the tags of the device',
    { named: 'dynamic-capacity-list-tags', params: { starting_index: 4, max_tags: 1 }, via: 'port:5' },
    'allow',
  ],
  [
    'the regions of a host of his',
    {
      named: 'get-host-dc-region-configuration',
      params: { host_id: 3, region_count: 1, starting_region_index: 0 },
      via: 'port:5',
    },
    'allow',
  ],
  [
    'the regions of a host of another',
    {
      named: 'get-host-dc-region-configuration',
      params: { host_id: 1, region_count: 1, starting_region_index: 0 },
      via: 'port:5',
    },
    'EPERM ownership -> EPERM 2',
  ],
];

describe('capacity of a shared MLD', () => {
  test.each(cases)('%s', (_name, question, expected) => {
    const answer = ask(question);
    expect(verdictOf(answer)).toBe(expected);
    if (expected === 'allow') expect(['own', 'query']).toContain(answer.decision.facts.reach);
  });

  test('is granted on the part of the device that is his, for tags too', () => {
    const { decision } = ask({ ...add(0, tag), topology: tagOf('acme') });
    expect(decision.facts.touched).toEqual([`${sw}/ports/5/hosts/0`, `${sw}/ports/5/tags/${tagText}`]);
    expect(decision.grants.map(({ resource }) => resource)).toEqual([`${sw}/ports/5/hosts/0`, `${sw}/ports/5/lds/0`]);
  });

  test('a tag that an extent brings is touched as well', () => {
    const question = { ...prescribed(0, other), via: 'port:3', topology: {} };
    expect(ask(question).decision.facts.touched).toEqual([
      `${sw}/ports/3`,
      `${sw}/ports/3/hosts/0`,
      `${sw}/ports/3/tags/b2b2b2b2-b2b2-b2b2-b2b2-b2b2b2b2b2b2`,
    ]);
  });

  test('the list of tags is asked for as a whole, and cut afterwards', () => {
    const named = 'dynamic-capacity-list-tags';
    const { decision } = ask({ named, params: { starting_index: 4, max_tags: 1 }, via: 'port:5' });
    expect([...decision.command.payload]).toEqual([0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  });

  test('an operator who names a tag that nobody recorded reaches beyond himself', () => {
    const { decision } = ask({ ...reference(), tenant: 'fabric' });
    expect(decision.facts.tenants).toContain('fabric');
  });
});

describe('a device with two heads', () => {
  // Port 3 of acme and port 4 of globex lead to one device; so do 5 and 8, an MLD.
  const devices = {
    ...exampleTopology.devices,
    3: { device: 'sld', beside: [4] },
    4: { device: 'sld', beside: [3] },
    5: { device: 'mld', ldCount: 4, beside: [8] },
    8: { device: 'mld', ldCount: 4, beside: [5] },
  } as const;
  const at = (question: Question): Question => ({ ...question, topology: { devices } });

  test.each([
    ['its health', at({ named: 'get-health-info', via: 'port:3' })],
    ['its memory', at({ named: 'sanitize', via: 'port:3' })],
    ['an LD that the other port has as well', at({ named: 'identify', via: 'port:5/ld:3' })],
    ['capacity of a host', at({ ...add(0), via: 'port:3' })],
  ])('%s is nobody’s who has one of the ports only', (_name, question) => {
    expect(verdictOf(ask(question))).toBe('EPERM ownership -> EPERM 2');
  });

  test.each([
    ['who it is', at({ named: 'identify', via: 'port:3' })],
    ['the state of his own head', at({ named: 'get-physical-port-state', params: { port_id_list: [3] } })],
  ])('%s is told to each', (_name, question) => {
    expect(verdictOf(ask(question))).toBe('allow');
  });

  test('a reset of one head is felt behind the other', () => {
    const { decision } = ask(at({ named: 'physical-port-control', params: { ppb_id: 3, port_opcode: 'reset-ppb' } }));
    expect(decision.facts.tenants).toEqual(['acme', 'globex']);
    expect(decision.facts.reach).toBe('cross-tenant');
  });
});
