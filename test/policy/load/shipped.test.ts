import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Condition, MandatoryFacts, RuleEngine } from '../../../src/policy/engine.ts';
import { parseLine } from '../../../src/policy/load/csv.ts';
import { ErrorList } from '../../../src/policy/load/error.ts';
import { formatLoadError, loadPolicy } from '../../../src/policy/load/index.ts';
import { shippedMandatory } from '../../../src/policy/load/shipped-mandatory.ts';
import type { ResourcePath } from '../../../src/policy/types.ts';
import { callerOf, commandOf, fabric, rawOf, shipped } from './fixture.ts';

async function shippedEngine(profile: 'host' | 'bmc'): Promise<RuleEngine> {
  const loaded = await loadPolicy({ directory: 'policies', fabric, profile });
  if (!loaded.ok) throw new Error(loaded.error.map(formatLoadError).join('\n'));
  return loaded.value;
}

const host = await shippedEngine('host');
const bmc = await shippedEngine('bmc');

describe('the shipped policy', () => {
  test('is loaded in both profiles, whole', () => {
    expect(host.loosened).toEqual([]);
    expect(bmc.loosened).toEqual([]);
    expect(host.counters.tenants).toBe(3);
    expect(host.id).toMatch(/^[0-9a-f]{64}$/);
  });

  test('has the mandatory rows that the product knows as shipped, and no others', () => {
    const errors = new ErrorList();
    const lines = (shipped['mandatory.csv'] ?? '').split('\n');
    const rows = lines.flatMap((line, index) => parseLine(line, 'mandatory.csv', index + 1, errors)?.fields ?? []);
    const columns = Array.from({ length: rows.length / 10 }, (_, i) =>
      rows.slice(i * 10, i * 10 + 9).map(({ text }) => text),
    );
    expect(columns).toEqual(shippedMandatory);
  });

  test('has an id that changes with any byte of a file, its name, or an owner', async () => {
    const idOf = async (files: Record<string, string>, of = fabric): Promise<string> => {
      const loaded = await loadPolicy({ files, fabric: of, profile: 'host' });
      return loaded.ok ? loaded.value.id : loaded.error.map(formatLoadError).join('\n');
    };
    const files = { ...shipped };
    const same = { ...files, 'mandatory.csv': Buffer.from(files['mandatory.csv'] ?? '').toString() };
    const commented = { ...files, 'tenants/acme.csv': `${files['tenants/acme.csv']}#` };
    const { 'tenants/globex.csv': moved = '', ...rest } = files;
    const renamed = {
      ...rest,
      'tenants/fabric.csv': files['tenants/fabric.csv'] ?? '',
      'tenants/acme.csv': files['tenants/acme.csv'] ?? '',
    };
    const ownedElse = Object.create(fabric, {
      ownerOf: { value: () => 'globex' },
      tenants: { value: fabric.tenants },
    }) as typeof fabric;
    const ids = await Promise.all([
      idOf(files),
      idOf(same),
      idOf(commented),
      idOf(renamed),
      idOf({ ...files, 'tenants/globex.csv': `${moved} ` }),
      idOf(files, ownedElse),
    ]);
    expect(ids[0]).toBe(host.id);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(5);
  });
});

const operators = { groups: ['operators'] };
const bindPath: ResourcePath = '/switches/sw0/vcss/0/vppbs/1';

describe('the shipped tenants', () => {
  test.each([
    [
      'an operator of acme binds his own LD',
      callerOf('acme', operators),
      '/switches/sw0/ports/3/lds/1',
      'bind-vppb',
      true,
    ],
    ['... and unbinds his own vPPB', callerOf('acme', operators), bindPath, 'unbind-vppb', true],
    ['... and reads his logs', callerOf('acme', operators), '/switches/sw0/ports/2', 'get-log', true],
    ['... and resets nothing', callerOf('acme', operators), '/switches/sw0/ports/2', 'physical-port-control', false],
    ["... nothing of globex's", callerOf('acme', operators), '/switches/sw0/ports/3/lds/2', 'bind-vppb', false],
    ['... nor what is spare', callerOf('acme', operators), '/switches/sw0/ports/5', 'bind-vppb', false],
    [
      "every caller of acme reads what is acme's",
      callerOf('acme'),
      '/switches/sw0/ports/2',
      'get-physical-port-state',
      true,
    ],
    ['... and the switch itself', callerOf('acme'), '/switches/sw0', 'identify-switch-device', true],
    ['... and binds nothing', callerOf('acme'), bindPath, 'bind-vppb', false],
    [
      'a group of the same name at another issuer is another group',
      callerOf('acme', { ...operators, issuer: 'https://elsewhere' }),
      bindPath,
      'bind-vppb',
      false,
    ],
    ["an operator of globex is none of acme's", callerOf('globex', operators), bindPath, 'bind-vppb', false],
    ['... and binds his own', callerOf('globex', operators), '/switches/sw0/ports/4', 'bind-vppb', true],
    [
      'an administrator of the fabric binds for a tenant',
      callerOf('fabric', { groups: ['fabric-admins'] }),
      '/switches/sw0/ports/3/lds/2',
      'bind-vppb',
      true,
    ],
    [
      '... and resets what is spare',
      callerOf('fabric', { groups: ['fabric-admins'] }),
      '/switches/sw0/ports/5',
      'physical-port-control',
      true,
    ],
    [
      '... and not what a tenant has',
      callerOf('fabric', { groups: ['fabric-admins'] }),
      '/switches/sw0/ports/4',
      'physical-port-control',
      false,
    ],
    [
      'everybody of the fabric looks at everything',
      callerOf('fabric'),
      '/switches/sw0/ports/99',
      'get-physical-port-state',
      true,
    ],
    ['... and changes nothing', callerOf('fabric'), '/switches/sw0/ports/5', 'bind-vppb', false],
    [
      'fabric-admins of a tenant are nobody',
      callerOf('acme', { groups: ['fabric-admins'] }),
      bindPath,
      'bind-vppb',
      false,
    ],
  ] as const)('%s', (_name, caller, resource, slug, allowed) => {
    expect(host.grant(caller, resource, commandOf(slug)).allowed).toBe(allowed);
  });
});

const calm: MandatoryFacts = {
  level: 'none',
  underLockdown: 'allow',
  taint: [],
  profile: 'host',
  tenant: 'acme',
  reach: 'own',
  command: commandOf('bind-vppb'),
  conditions: new Set(),
};
const given = (...conditions: Condition[]) => ({ conditions: new Set(conditions) });
const read = commandOf('get-physical-port-state');

/** What is different from a calm day, and which rules then deny, in the order of the file. */
const table: readonly (readonly [name: string, facts: Partial<MandatoryFacts>, ids: readonly string[]])[] = [
  ['an own bind', {}, []],
  ['an own bind under integrity', { level: 'integrity' }, []],
  ['an own bind under confidentiality', { level: 'confidentiality' }, []],
  [
    'L1 a raw command under integrity',
    { level: 'integrity', command: rawOf(0xc010), profile: 'bmc', tenant: 'fabric' },
    ['L1'],
  ],
  ['L1 and P1 the same in profile host', { level: 'integrity', command: rawOf(0xc010) }, ['L1', 'P1']],
  [
    'L2 configuration requests of a port',
    { level: 'integrity', command: commandOf('send-ppb-cxl-io-configuration-request') },
    ['L2'],
  ],
  [
    'L2 configuration requests of an LD',
    { level: 'integrity', command: commandOf('send-ld-cxl-io-configuration-request') },
    ['L2'],
  ],
  [
    'L2 memory requests of an LD',
    { level: 'confidentiality', command: commandOf('send-ld-cxl-io-memory-request') },
    ['L2'],
  ],
  ['no L2 without lockdown', { command: commandOf('send-ld-cxl-io-memory-request') }, []],
  ['L3 firmware transfer', { level: 'integrity', command: commandOf('transfer-fw') }, ['L3']],
  ['L3 firmware activation', { level: 'integrity', command: commandOf('activate-fw') }, ['L3']],
  ['no L3 for reading about firmware', { level: 'confidentiality', command: commandOf('get-fw-info') }, []],
  ['L4 injected errors', { level: 'integrity', command: commandOf('generate-aer-event') }, ['L4']],
  ['L4 injected poison', { level: 'integrity', command: commandOf('inject-poison') }, ['L4']],
  [
    'L4 a feature with immediate effect',
    { level: 'integrity', command: commandOf('set-feature'), ...given('immediate-effect') },
    ['L4'],
  ],
  ['no L4 for another feature', { level: 'integrity', command: commandOf('set-feature') }, []],
  [
    'L5 a change that leaves the tenant',
    { level: 'integrity', tenant: 'fabric', reach: 'cross-tenant', ...given('leaves-tenant', 'crosses-tenants') },
    ['L5'],
  ],
  [
    'no L5 for an operator with grants, under integrity',
    { level: 'integrity', tenant: 'fabric', reach: 'cross-tenant', ...given('crosses-tenants') },
    [],
  ],
  [
    'L5 for anybody, under confidentiality',
    { level: 'confidentiality', tenant: 'fabric', reach: 'cross-tenant', ...given('crosses-tenants') },
    ['L5'],
  ],
  ['L6 another log', { level: 'confidentiality', command: commandOf('get-log'), ...given('other-log') }, ['L6']],
  ['no L6 for the CEL', { level: 'confidentiality', command: commandOf('get-log') }, []],
  ['no L6 under integrity', { level: 'integrity', command: commandOf('get-log'), ...given('other-log') }, []],
  ['L6 label storage', { level: 'confidentiality', command: commandOf('get-lsa') }, ['L6']],
  ['L6 secret values', { level: 'confidentiality', command: commandOf('get-domain-validation-sv') }, ['L6']],
  ['L6 state dumps', { level: 'confidentiality', command: commandOf('populate-log') }, ['L6']],
  ['L8 reads only', { level: 'integrity', underLockdown: 'reads' }, ['L8']],
  ['L8 reads are left', { level: 'integrity', underLockdown: 'reads', command: read }, []],
  ['L8 nothing', { level: 'integrity', underLockdown: 'off', command: read }, ['L8']],
  ['no L8 without lockdown', { underLockdown: 'off', command: read }, []],
  ['T1 state that moved by itself', { taint: ['X'] }, ['T1']],
  ['T1 a malformed reply', { taint: ['J', 'M'] }, ['T1']],
  ['no T1 for reads', { taint: ['X', 'M'], command: read }, []],
  ['no T1 for other letters', { taint: ['R', 'V', 'J', 'O', 'C', 'E', 'F', 'A', 'B'] }, []],
  ['P1 no raw command in profile host, for operators either', { command: rawOf(0xc010), tenant: 'fabric' }, ['P1']],
  ['no P1 in profile bmc', { command: rawOf(0xc010), tenant: 'fabric', profile: 'bmc' }, []],
  ['P2 a tenant disturbs another', { reach: 'cross-tenant' }, ['P2']],
  ['P2 in profile bmc too', { reach: 'cross-tenant', profile: 'bmc' }, ['P2']],
  ['P2 and P3 a tenant acts on the switch', { reach: 'switch' }, ['P2', 'P3']],
  ['no P2 for operators', { reach: 'cross-tenant', tenant: 'fabric' }, []],
  ['P3 operators do not act on the switch in profile host', { reach: 'opaque', tenant: 'fabric' }, ['P3']],
  ['no P3 in profile bmc', { reach: 'opaque', tenant: 'fabric', profile: 'bmc' }, []],
  ['no P for queries', { reach: 'query', command: read }, []],
  [
    'B1 a request to what a host holds',
    { command: commandOf('send-ld-cxl-io-memory-request'), ...given('bound') },
    ['B1'],
  ],
  ['no B1 for a bind', { ...given('bound') }, []],
  [
    'B2 a reset of a bound port without MLD',
    { command: commandOf('physical-port-control'), ...given('bound-without-mld') },
    ['B2'],
  ],
  ['Q1 what the device must not be sent', { command: read, ...given('quirk') }, ['Q1']],
];

describe('the shipped mandatory rules', () => {
  test.each(table)('%s', (_name, facts, ids) => {
    expect(host.mandatory({ ...calm, ...facts }).map(({ id }) => id)).toEqual(ids);
  });

  test('refuse with the errno and the code on the wire of their letter', () => {
    const all = host.mandatory({
      ...calm,
      command: rawOf(0x5301),
      level: 'integrity',
      taint: ['X'],
      reach: 'opaque',
      ...given('bound', 'quirk'),
    });
    expect(all.map(({ id, errno, returnCode }) => [id, errno, returnCode])).toEqual([
      ['L1', 'EPERM', undefined],
      ['L2', 'EPERM', undefined],
      ['T1', 'EPERM', undefined],
      ['P1', 'EPERM', undefined],
      ['P2', 'EPERM', undefined],
      ['P3', 'EPERM', undefined],
      ['B1', 'EBUSY', 2],
      ['Q1', 'ENOTTY', 3],
    ]);
    const text = readFileSync('policies/mandatory.csv', 'utf8').split('\n');
    for (const { id, source, reason } of all) {
      const line = text[Number(source.split(':')[1]) - 1] ?? '';
      expect(line.startsWith(`p2, ${id},`)).toBe(true);
      expect(line).toContain(reason);
    }
  });

  test('refuse facts that they do not know', () => {
    const odd = (facts: object) => () => host.mandatory({ ...calm, ...facts });
    expect(odd({ level: 'high' })).toThrow(RangeError);
    expect(odd({ underLockdown: 'maybe' })).toThrow(RangeError);
    expect(odd({ taint: ['Z'] })).toThrow(RangeError);
    expect(odd({ profile: 'laptop' })).toThrow(RangeError);
    expect(odd({ reach: 'far' })).toThrow(RangeError);
    expect(odd({ conditions: new Set(['tired']) })).toThrow(RangeError);
    expect(odd({ command: { opcode: 0x5201, slug: 'get-lsa', class: 'audited', scope: 0 } })).toThrow(RangeError);
  });
});
