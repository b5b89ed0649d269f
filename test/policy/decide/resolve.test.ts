import { describe, expect, test } from 'vitest';
import { catalogue } from '../../../src/cci/index.ts';
import { ldRangeOpcodes } from '../../../src/policy/decide/resolve-device.ts';
import { switchRuleOpcodes } from '../../../src/policy/decide/resolve-switch.ts';
import { ask, type Question, rawOpen, verdictOf } from './ask.ts';

const sw = '/switches/sw0';
const cel = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
const debugLog = '5e1819d9-11a9-400c-811f-d60719403d86';
const read = { register_number: 0, extended_register_number: 0, first_dword_byte_enable: 15, transaction_type: 'read' };
const memory = { first_dword_byte_enable: 15, last_dword_byte_enable: 15, transaction_type: 'read' };
const bind = (physical_port_id: number, ld_id: number, vcs_id = 0, vppb_id = 1) => ({
  vcs_id,
  vppb_id,
  physical_port_id,
  ld_id,
});
const tag = 'a1'.repeat(16);
const tagText = 'a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1';
const noTag = '00'.repeat(16);
const add = (selection_policy: string, text: string) => ({
  host_id: 2,
  selection_policy,
  region: 0,
  length: 1,
  tag: text,
});

/** By whom, what, and the touched set. */
const touched: readonly [string, Question, readonly string[]][] = [
  ['a query of the switch', { named: 'identify-switch-device' }, [sw]],
  ['the CEL of the switch', { named: 'get-log', params: { log_identifier: cel, offset: 0, length: 4 } }, [sw]],
  [
    'a list of ports, each once',
    { named: 'get-physical-port-state', params: { port_id_list: [3, 7, 3] } },
    [`${sw}/ports/3`, `${sw}/ports/7`],
  ],
  [
    'port control',
    { named: 'physical-port-control', params: { ppb_id: 3, port_opcode: 'reset-ppb' } },
    [`${sw}/ports/3`],
  ],
  [
    'a config request',
    {
      named: 'send-ppb-cxl-io-configuration-request',
      params: { ppb_id: 3, request_control: read, transaction_data: 0 },
    },
    [`${sw}/ports/3`],
  ],
  ['a VCS secret state', { named: 'get-vcs-domain-validation-sv-state', params: { vcs_id: 0 } }, [`${sw}/vcss/0`]],
  ['a VCS secret', { named: 'get-domain-validation-sv', params: { vcs_id: 0 } }, [`${sw}/vcss/0`]],
  [
    'a list of VCSs',
    { named: 'get-virtual-cxl-switch-info', params: { starting_vppb: 0, vppb_list_limit: 255, vcs_id_list: [0] } },
    [`${sw}/vcss/0`],
  ],
  ['bind of a port', { named: 'bind-vppb', params: bind(3, 0xffff) }, [`${sw}/vcss/0/vppbs/1`, `${sw}/ports/3`]],
  ['bind of an LD', { named: 'bind-vppb', params: bind(5, 3) }, [`${sw}/vcss/0/vppbs/1`, `${sw}/ports/5/lds/3`]],
  [
    'bind of a whole MLD',
    { named: 'bind-vppb', params: bind(8, 0xffff) },
    [`${sw}/vcss/0/vppbs/1`, `${sw}/ports/8`, `${sw}/ports/8/lds/0`, `${sw}/ports/8/lds/1`],
  ],
  [
    'unbind of nothing',
    { named: 'unbind-vppb', params: { vcs_id: 0, vppb_id: 2, option: 'managed-hot-remove' } },
    [`${sw}/vcss/0/vppbs/2`],
  ],
  ['an error for a host', { opcode: 0x5203, size: 40 }, [`${sw}/vcss/0`]],
  ['an error for a vPPB', { opcode: 0x5203, payload: `0002${'00'.repeat(38)}` }, [`${sw}/vcss/0/vppbs/2`]],
  [
    'config request to an LD',
    {
      named: 'send-ld-cxl-io-configuration-request',
      params: { ppb_id: 5, request_control: read, ld_id: 3, transaction_data: 0 },
    },
    [`${sw}/ports/5/lds/3`],
  ],
  [
    'config request to the FM-owned LD',
    {
      named: 'send-ld-cxl-io-configuration-request',
      params: { ppb_id: 8, request_control: read, ld_id: 0xffff, transaction_data: 0 },
    },
    [`${sw}/ports/8`, `${sw}/ports/8/lds/0`, `${sw}/ports/8/lds/1`],
  ],
  [
    'memory request to an LD',
    {
      named: 'send-ld-cxl-io-memory-request',
      params: { port_id: 5, request_control: memory, ld_id: 0, transaction_length: 4, transaction_address: 0 },
    },
    [`${sw}/ports/5/lds/0`],
  ],
  ['anything on an SLD', { named: 'identify', via: 'port:3' }, [`${sw}/ports/3`]],
  ['anything on an LD', { named: 'identify-memory-device', via: 'port:5/ld:3' }, [`${sw}/ports/5/lds/3`]],
  ['a read of the pool', { named: 'identify', via: 'port:8/ldpool' }, [`${sw}/ports/8/ldpool`]],
  [
    'a change through the pool',
    { named: 'request-abort-background-operation', via: 'port:8/ldpool' },
    [`${sw}/ports/8/ldpool`, `${sw}/ports/8`, `${sw}/ports/8/lds/0`, `${sw}/ports/8/lds/1`],
  ],
  ['a shared read of an MLD', { named: 'get-ld-info', via: 'port:5' }, [`${sw}/ports/5/lds/0`]],
  ["a shared read of one's own MLD", { named: 'get-ld-info', via: 'port:8' }, [`${sw}/ports/8`]],
  [
    'the CEL of a shared MLD',
    { named: 'get-log', params: { log_identifier: cel, offset: 0, length: 4 }, via: 'port:5' },
    [`${sw}/ports/5/lds/0`],
  ],
  [
    'a range of LDs',
    { named: 'get-ld-allocations', params: { start_ld_id: 0, ld_allocation_list_limit: 9 }, via: 'port:5' },
    [`${sw}/ports/5/lds/0`, `${sw}/ports/5/lds/3`],
  ],
  [
    'a write of named LDs',
    { named: 'set-qos-bw-limit', params: { start_ld_id: 3, qos_limit_fractions: [9] }, via: 'port:5' },
    [`${sw}/ports/5/lds/3`],
  ],
  [
    'a write that names none',
    { opcode: 0x5404, payload: '00010100000000', via: 'port:8' },
    [`${sw}/ports/8/lds/0`, `${sw}/ports/8/lds/1`],
  ],
  [
    'a write of an empty range',
    { opcode: 0x5407, payload: '0000', via: 'port:8' },
    [`${sw}/ports/8/lds/0`, `${sw}/ports/8/lds/1`],
  ],
  [
    'heads, seen from an LD',
    { named: 'get-multi-headed-info', params: { start_ld_id: 0, ld_map_list_limit: 1 }, via: 'port:8/ld:1' },
    [`${sw}/ports/8/lds/1`, `${sw}/ports/8/lds/0`],
  ],
  [
    'heads',
    { named: 'get-head-info', params: { start_head: 1, number_of_heads: 2 }, via: 'port:8' },
    [`${sw}/ports/8/heads/1`, `${sw}/ports/8/heads/2`],
  ],
  ['a DCD', { named: 'get-dcd-info', via: 'port:3' }, [`${sw}/ports/3`]],
  [
    'a host of a DCD',
    {
      named: 'get-dc-region-extent-lists',
      params: { host_id: 2, extent_count: 1, starting_extent_index: 0 },
      via: 'port:8',
    },
    [`${sw}/ports/8/hosts/2`],
  ],
  [
    'capacity for a host',
    { named: 'initiate-dynamic-capacity-add', params: add('free', noTag), via: 'port:3' },
    [`${sw}/ports/3`, `${sw}/ports/3/hosts/2`],
  ],
  [
    'tagged capacity for a host',
    { named: 'initiate-dynamic-capacity-add', params: add('free', tag), via: 'port:3' },
    [`${sw}/ports/3`, `${sw}/ports/3/hosts/2`, `${sw}/ports/3/tags/${tagText}`],
  ],
  [
    'capacity on an MLD',
    { named: 'initiate-dynamic-capacity-add', params: add('free', noTag), via: 'port:8' },
    [`${sw}/ports/8/hosts/2`],
  ],
  ['raw without a codec on the switch', { opcode: 0xc010, raw: true, tenant: 'fabric', posture: rawOpen }, [sw]],
  ['raw without a codec on an SLD', { opcode: 0xc010, raw: true, via: 'port:3', posture: rawOpen }, [`${sw}/ports/3`]],
  [
    'raw without a codec on an MLD',
    { opcode: 0xc010, raw: true, via: 'port:8', posture: rawOpen },
    [`${sw}/ports/8`, `${sw}/ports/8/lds/0`, `${sw}/ports/8/lds/1`],
  ],
  [
    'raw without a codec on an LD',
    { opcode: 0xc010, raw: true, via: 'port:5/ld:3', posture: rawOpen },
    [`${sw}/ports/5/lds/3`],
  ],
  [
    'raw without a codec on the pool',
    { opcode: 0xc010, raw: true, via: 'port:8/ldpool', posture: rawOpen },
    [`${sw}/ports/8/ldpool`, `${sw}/ports/8`, `${sw}/ports/8/lds/0`, `${sw}/ports/8/lds/1`],
  ],
  [
    'raw with a codec',
    { opcode: 0x5401, payload: '0001', raw: true, via: 'port:5', posture: rawOpen },
    [`${sw}/ports/5/lds/0`],
  ],
  [
    'a range past the end, for whoever sees all',
    {
      named: 'get-ld-allocations',
      params: { start_ld_id: 2, ld_allocation_list_limit: 255 },
      via: 'port:5',
      tenant: 'fabric',
    },
    [`${sw}/ports/5/lds/2`, `${sw}/ports/5/lds/3`],
  ],
  [
    'a range beyond the end, for whoever sees all',
    {
      named: 'get-ld-allocations',
      params: { start_ld_id: 9, ld_allocation_list_limit: 255 },
      via: 'port:5',
      tenant: 'fabric',
    },
    [`${sw}/ports/5/lds/9`],
  ],
  [
    'a range of none, for whoever sees all',
    { named: 'get-qos-bw-limit', params: { start_ld_id: 0, number_of_lds: 0 }, via: 'port:5', tenant: 'fabric' },
    [`${sw}/ports/5`],
  ],
  [
    'unbind of what is bound',
    { named: 'unbind-vppb', params: { vcs_id: 1, vppb_id: 1, option: 'managed-hot-remove' }, tenant: 'globex' },
    [`${sw}/vcss/1/vppbs/1`, `${sw}/ports/5/lds/1`],
  ],
  [
    'unbind of a bound port',
    { named: 'unbind-vppb', params: { vcs_id: 1, vppb_id: 0, option: 'managed-hot-remove' }, tenant: 'globex' },
    [`${sw}/vcss/1/vppbs/0`, `${sw}/ports/4`],
  ],
];

const foreign = 'EPERM ownership -> EPERM 2';
/** Refused, and what is said outside. */
const refused: readonly [string, Question, string][] = [
  [
    "another tenant's port",
    { named: 'physical-port-control', params: { ppb_id: 4, port_opcode: 'reset-ppb' } },
    foreign,
  ],
  [
    'a port that nobody has',
    { named: 'physical-port-control', params: { ppb_id: 99, port_opcode: 'reset-ppb' } },
    foreign,
  ],
  ['a shared port', { named: 'physical-port-control', params: { ppb_id: 5, port_opcode: 'reset-ppb' } }, foreign],
  ["another tenant's VCS", { named: 'get-vcs-domain-validation-sv-state', params: { vcs_id: 1 } }, foreign],
  ["bind into another tenant's VCS", { named: 'bind-vppb', params: bind(3, 0xffff, 1) }, foreign],
  ["bind of another tenant's port", { named: 'bind-vppb', params: bind(4, 0xffff) }, foreign],
  ["bind of another tenant's LD", { named: 'bind-vppb', params: bind(5, 1) }, foreign],
  ['bind of an LD of nobody', { named: 'bind-vppb', params: bind(5, 2) }, foreign],
  ['bind of an LD that the MLD lacks', { named: 'bind-vppb', params: bind(5, 4) }, foreign],
  ['bind of an LD of an SLD', { named: 'bind-vppb', params: bind(3, 0) }, foreign],
  ['bind of a whole shared MLD', { named: 'bind-vppb', params: bind(5, 0xffff) }, foreign],
  ['bind to a vPPB that the VCS lacks', { named: 'bind-vppb', params: bind(3, 0xffff, 0, 4) }, foreign],
  [
    "unbind of another tenant's vPPB",
    { named: 'unbind-vppb', params: { vcs_id: 1, vppb_id: 0, option: 'managed-hot-remove' } },
    foreign,
  ],
  [
    'bind where the device is not known',
    { named: 'bind-vppb', params: bind(3, 0xffff), topology: { devices: { 3: { device: 'unknown' } } } },
    'EBUSY target-unknown -> EBUSY 6',
  ],
  [
    'unbind of a binding in progress',
    {
      named: 'unbind-vppb',
      params: { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' },
      topology: { vcss: { 0: { usp: 0, vppbs: [{ kind: 'unknown' }] } } },
    },
    'EBUSY target-unknown -> EBUSY 6',
  ],
  [
    'unbind while the picture is out of date',
    {
      named: 'unbind-vppb',
      params: { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' },
      topology: { known: false },
    },
    'EBUSY target-unknown -> EBUSY 6',
  ],
  [
    'unbind from a VCS that was never read',
    { named: 'unbind-vppb', params: { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' }, topology: { vcss: {} } },
    'EBUSY target-unknown -> EBUSY 6',
  ],
  [
    "unbind of another tenant's port from one's own vPPB",
    {
      named: 'unbind-vppb',
      params: { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' },
      topology: { vcss: { 0: { usp: 0, vppbs: [{ kind: 'port', port: 4 }] } } },
    },
    foreign,
  ],
  [
    "unbind of another tenant's LD from one's own vPPB",
    {
      named: 'unbind-vppb',
      params: { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' },
      topology: { vcss: { 0: { usp: 0, vppbs: [{ kind: 'ld', port: 5, ld: 1 }] } } },
    },
    foreign,
  ],
  ['a tunnel to another tenant', { named: 'identify', via: 'port:4' }, foreign],
  [
    'a tunnel to what is not known',
    { named: 'identify', via: 'port:3', topology: { devices: { 3: { device: 'unknown' } } } },
    'EBUSY target-unknown -> EBUSY 6',
  ],
  ["a tunnel to another tenant's LD", { named: 'identify', via: 'port:5/ld:1' }, foreign],
  ['an LD that the MLD lacks', { named: 'identify', via: 'port:8/ld:2' }, foreign],
  ['an LD of an SLD', { named: 'identify', via: 'port:3/ld:0' }, 'ENOTTY offered -> EPERM 2'],
  ['the pool of a shared MLD', { named: 'identify', via: 'port:5/ldpool' }, foreign],
  ['device-wide reads of a shared MLD', { named: 'identify-memory-device', via: 'port:5' }, foreign],
  [
    'a log of a shared MLD',
    { named: 'get-log', params: { log_identifier: debugLog, offset: 0, length: 4 }, via: 'port:5' },
    foreign,
  ],
  ['sanitize of a shared MLD', { named: 'sanitize', via: 'port:5' }, foreign],
  [
    'a range with a foreign LD, written',
    { named: 'set-qos-bw-limit', params: { start_ld_id: 0, qos_limit_fractions: [9, 9] }, via: 'port:5' },
    foreign,
  ],
  [
    'a range beyond the device, written',
    { named: 'set-qos-bw-limit', params: { start_ld_id: 3, qos_limit_fractions: [9, 9] }, via: 'port:5' },
    foreign,
  ],
  [
    'a read of a foreign range, raw',
    { opcode: 0x5401, payload: '0002', raw: true, via: 'port:5', posture: rawOpen },
    foreign,
  ],
  ['raw without a codec on a shared MLD', { opcode: 0xc010, raw: true, via: 'port:5', posture: rawOpen }, foreign],
  ['raw ports, one of them foreign', { opcode: 0x5101, payload: '020304', raw: true, posture: rawOpen }, foreign],
  ['a malformed command to another tenant', { opcode: 0x5400, payload: '00', via: 'port:4' }, 'ENOMEM R5 -> EPERM 2'],
  [
    "a malformed command to one's own LD",
    { opcode: 0x4000, payload: '00', via: 'port:5/ld:3' },
    'ENOMEM R5 -> ENOMEM 22',
  ],
  ['a malformed command to a shared MLD', { opcode: 0x5400, payload: '00', via: 'port:5' }, 'ENOMEM R5 -> ENOMEM 22'],
  ['the switch itself, changed', { opcode: 0x0404, payload: debugLog.replaceAll('-', '') }, foreign],
  ['a log of the switch', { named: 'get-log', params: { log_identifier: debugLog, offset: 0, length: 4 } }, foreign],
  ['a switch that does not exist', { named: 'identify', switch: 'sw9' }, foreign],
  ["a switch named so that its path is one's own port", { named: 'identify', switch: 'sw0/ports/3' }, foreign],
  [
    'a reference to a tag that nobody recorded',
    { named: 'dynamic-capacity-remove-reference', params: { tag }, via: 'port:3' },
    foreign,
  ],
  [
    "a reference to another tenant's tag",
    {
      named: 'dynamic-capacity-add-reference',
      params: { tag },
      via: 'port:3',
      topology: { tagOwners: { [`3/${tagText}`]: 'globex' } },
    },
    foreign,
  ],
  [
    "another tenant's tag for one's own host",
    {
      named: 'initiate-dynamic-capacity-add',
      params: add('free', tag),
      via: 'port:3',
      topology: { tagOwners: { [`3/${tagText}`]: 'globex' } },
    },
    foreign,
  ],
  [
    'shared access to a tag that nobody recorded',
    { named: 'initiate-dynamic-capacity-add', params: add('enable-shared-access', noTag), via: 'port:3' },
    foreign,
  ],
  [
    'heads of a shared MLD, raw',
    { opcode: 0x5501, payload: '0001', raw: true, via: 'port:5', posture: rawOpen },
    foreign,
  ],
];

describe('what a command touches', () => {
  test.each(touched)('%s', (_name, question, expected) => {
    const answer = ask(question);
    expect(answer.decision.facts.touched).toEqual(expected);
    expect(verdictOf(answer)).toBe('allow');
    expect(answer.decision.grants.map(({ resource }) => resource)).toEqual(expected);
  });

  test.each(refused)('refused: %s', (_name, question, expected) => {
    expect(verdictOf(ask(question))).toBe(expected);
  });

  test('a tag that the tenant recorded is his to refer to', () => {
    const topology = { tagOwners: { [`3/${tagText}`]: 'acme' } };
    expect(verdictOf(ask({ named: 'dynamic-capacity-add-reference', params: { tag }, via: 'port:3', topology }))).toBe(
      'allow',
    );
  });

  test('a VCS that the fabric file lists and the device does not have yet still binds by ownership', () => {
    expect(verdictOf(ask({ named: 'bind-vppb', params: bind(3, 0xffff), topology: { vcss: {} } }))).toBe('allow');
  });

  test('an LD that only the device has is foreign: the file decides what exists', () => {
    const devices = { 8: { device: 'mld', ldCount: 3 } } as const;
    expect(verdictOf(ask({ named: 'identify', via: 'port:8/ld:2', topology: { devices } }))).toBe(foreign);
    expect(verdictOf(ask({ named: 'sanitize', via: 'port:8', topology: { devices } }))).toBe(foreign);
  });

  test('where the device is not known, an own LD is busy and a foreign one is foreign', () => {
    const topology = { devices: { 5: { device: 'unknown' } } } as const;
    expect(verdictOf(ask({ named: 'identify', via: 'port:5/ld:0', topology }))).toBe('EBUSY target-unknown -> EBUSY 6');
    expect(verdictOf(ask({ named: 'identify', via: 'port:5/ld:1', topology }))).toBe(foreign);
    expect(verdictOf(ask({ named: 'bind-vppb', params: bind(5, 0), topology }))).toBe(
      'EBUSY target-unknown -> EBUSY 6',
    );
    expect(verdictOf(ask({ named: 'bind-vppb', params: bind(5, 1), topology }))).toBe(foreign);
  });

  test.each([0x0001, 0x0002, 0x0003, 0x0300, 0x0400, 0x5100])(
    'every tenant may be granted %i on the switch',
    (opcode) => {
      expect(verdictOf(ask({ opcode }))).toBe('allow');
      expect(ask({ opcode }).decision.facts.touched).toEqual([sw]);
    },
  );

  test('and what logs can do, and their list in pieces', () => {
    expect(verdictOf(ask({ named: 'get-log-capabilities', params: { log_identifier: debugLog } }))).toBe('allow');
    expect(verdictOf(ask({ opcode: 0x0405, payload: '0100' }))).toBe('allow');
  });

  test('an unbind from what is attached to an unknown device waits until it is known', () => {
    const devices = { 3: { device: 'unknown' }, 5: { device: 'unknown' } } as const;
    for (const bound of [
      { kind: 'ld', port: 5, ld: 0 },
      { kind: 'port', port: 3 },
    ] as const) {
      const topology = { devices, vcss: { 0: { usp: 0, vppbs: [bound] } } };
      const unbind = { named: 'unbind-vppb', params: { vcs_id: 0, vppb_id: 0, option: 'managed-hot-remove' } };
      expect(verdictOf(ask({ ...unbind, topology }))).toBe('EBUSY target-unknown -> EBUSY 6');
    }
  });

  test('an LD that only the file has does not exist, but counts where all are touched', () => {
    const devices = { 8: { device: 'mld', ldCount: 1 } } as const;
    expect(verdictOf(ask({ named: 'identify', via: 'port:8/ld:1', topology: { devices } }))).toBe(foreign);
    const { decision } = ask({ named: 'bind-vppb', params: bind(8, 0xffff), topology: { devices } });
    expect(decision.facts.touched).toContain(`${sw}/ports/8/lds/1`);
  });

  test('a write to an MLD without any LD touches its port', () => {
    const spec = { ports: { 8: { owner: 'acme' } }, vcss: {} };
    const devices = { 8: { device: 'mld', ldCount: 0 } } as const;
    const { decision } = ask({ named: 'sanitize', via: 'port:8', spec, topology: { devices } });
    expect(decision.facts.touched).toEqual([`${sw}/ports/8`]);
  });

  test('every mark of the catalogue that names an object of the switch has a rule', () => {
    const marks = (opcode: number): readonly unknown[] => {
      const fields = catalogue.find((row) => row.opcode === opcode)?.request?.fields ?? [];
      return fields
        .map((field) => ('options' in field ? field.options : field))
        .map((at) => ('target' in at ? at.target : undefined));
    };
    const naming = catalogue
      .filter(
        (row) =>
          row.status === 'verified' &&
          (row.executesOn as readonly string[]).includes('switch') &&
          row.opcode !== 0x5300,
      )
      .map((row) => row.opcode)
      .filter((opcode) =>
        marks(opcode).some((mark) => ['ppb-id', 'vcs-id', 'vppb-id', 'ld-id'].includes(String(mark))),
      );
    expect([...switchRuleOpcodes].toSorted()).toEqual(naming.toSorted());
    const ranges = catalogue
      .filter((row) => row.status === 'verified' && !(row.executesOn as readonly string[]).includes('switch'))
      .map((row) => row.opcode)
      .filter((opcode) => marks(opcode).includes('ld-id'));
    expect([...ldRangeOpcodes].toSorted()).toEqual(ranges.toSorted());
  });
});
