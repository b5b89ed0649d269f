import { describe, expect, it } from 'vitest';
import { catalogue, isTyped, type Params, rowByOpcode, type TypedSlug, uuidBytes } from '../../../src/cci/index.ts';
import { Rig, type Shipped } from './rig.ts';

const CEL = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
const DUMP = 'b3fab4cf-01b6-4332-943e-5e9962f23567';
const DEBUG = '5e1819d9-11a9-400c-811f-d60719403d86';
const SCRUB = '96dad7d6-fde8-482b-a733-75774e06db8a';
const TAG = uuidBytes('00112233-4455-6677-8899-aabbccddeeff') ?? new Uint8Array(16);
const NO_TAG = new Uint8Array(16);
const PASS = new Uint8Array(32).fill(7);
const line = { flags: 0, physical_address_63_6: 4n };
const mode = { interrupt_mode: 'msi-or-msi-x', interrupt_message_number: 0 } as const;
const policy = {
  informational_log: true,
  warning_log: true,
  failure_log: true,
  fatal_log: true,
  dynamic_capacity_log: false,
  background_operation_completed: true,
};
const read = {
  register_number: 0,
  extended_register_number: 0,
  first_dword_byte_enable: 15,
  transaction_type: 'read',
} as const;
const qos = {
  qos_telemetry_control: { egress_port_congestion_enable: true, temporary_throughput_reduction_enable: false },
  egress_moderate_percentage: 10,
  egress_severe_percentage: 50,
  backpressure_sample_interval: 4,
} as const;
const share = {
  host_id: 0,
  selection_policy: 'contiguous',
  region: 1,
  length: 1n << 28n,
  tag: TAG,
  extents: [],
} as const;

interface Case {
  readonly slug: TypedSlug;
  readonly via: string;
  readonly on: Shipped;
  readonly before?: (rig: Rig) => void;
  readonly run: (rig: Rig) => void;
}

const cases: Case[] = [];

/** A command that must succeed, on the component that has it, after what has to come before it. */
function command<S extends TypedSlug>(
  slug: S,
  params: Params<S>,
  where: { readonly via?: string; readonly on?: Shipped; readonly before?: (rig: Rig) => void } = {},
): void {
  const via = where.via ?? '';
  cases.push({
    slug,
    via,
    on: where.on ?? 'small',
    ...(where.before === undefined ? {} : { before: where.before }),
    run: (rig) => {
      rig.run(slug, params, via);
    },
  });
}

command('identify', {});
command('background-operation-status', {});
command('get-response-message-limit', {});
command('set-response-message-limit', { response_message_limit: 10 });
command(
  'request-abort-background-operation',
  {},
  {
    via: 'port:2',
    before: (rig) => rig.run('sanitize', {}, 'port:2'),
  },
);
command('get-event-records', { event_log: 'informational' });
command('clear-event-records', { event_log: 'warning', clear_event_flags: true, event_record_handles: [] });
command('get-event-interrupt-policy', {}, { via: 'port:2' });
command(
  'set-event-interrupt-policy',
  { informational_settings: mode, warning_settings: mode, failure_settings: mode, fatal_settings: mode },
  { via: 'port:2' },
);
command('get-mctp-event-interrupt-policy', {});
command('set-mctp-event-interrupt-policy', { event_interrupt_settings: policy });
command('event-notification', { event: policy });
command('get-fw-info', {});
command('transfer-fw', { action: 'full', slot: 2, offset: 0, data: new TextEncoder().encode('v2') });
command('activate-fw', { action: 'next-cold-reset', slot: 1 });
command('get-timestamp', {});
command('set-timestamp', { timestamp: 1n });
command('get-supported-logs', {});
command('get-log', { log_identifier: CEL, offset: 0, length: 4 });
command('get-log-capabilities', { log_identifier: CEL });
command('clear-log', { log_identifier: DEBUG });
command('populate-log', { log_identifier: DUMP });
command('get-supported-logs-sub-list', { max_supported_log_entries: 1, start_log_entry_index: 1 });
command('get-supported-features', { count: 4096, starting_feature_index: 0 }, { via: 'port:2' });
command('get-feature', { feature_identifier: SCRUB, offset: 0, count: 4, selection: 'current' }, { via: 'port:2' });
command(
  'set-feature',
  {
    feature_identifier: SCRUB,
    set_feature_flags: { action: 'full', saved_across_reset: false },
    offset: 0,
    version: 1,
    feature_data: Uint8Array.of(1, 2, 3, 4),
  },
  { via: 'port:2' },
);
command('perform-maintenance', {
  maintenance_operation_class: 'no-operation',
  maintenance_operation_subclass: 0,
  maintenance_operation_parameters: new Uint8Array(0),
});
command('identify-memory-device', {}, { via: 'port:3/ld:1' });
command('get-partition-info', {}, { via: 'port:2' });
command('set-partition-info', { volatile_capacity: 1n, flags: true }, { via: 'port:2' });
command('get-lsa', { offset: 0, length: 16 }, { via: 'port:2' });
command('set-lsa', { offset: 8, data: Uint8Array.of(1, 2) }, { via: 'port:2' });
command('get-health-info', {}, { via: 'port:3/ld:1' });
command('get-alert-configuration', {}, { via: 'port:2' });
const alert = {
  life_used: true,
  device_over_temperature: false,
  device_under_temperature: false,
  corrected_volatile_memory_error: false,
  corrected_persistent_memory_error: false,
};
command(
  'set-alert-configuration',
  {
    valid_alert_actions: alert,
    enable_alert_actions: alert,
    life_used_programmable_warning_threshold: 50,
    over_temperature_programmable_warning_threshold: 0,
    under_temperature_programmable_warning_threshold: 0,
    corrected_volatile_error_warning_threshold: 0,
    corrected_persistent_error_warning_threshold: 0,
  },
  { via: 'port:2' },
);
command('get-shutdown-state', {}, { via: 'port:2' });
command('set-shutdown-state', { state: true }, { via: 'port:2' });
const range = { physical_address: { restart_request: false, physical_address_63_6: 0n }, physical_address_length: 64n };
command('get-poison-list', range, { via: 'port:2' });
command('inject-poison', { physical_address: line }, { via: 'port:2' });
command('clear-poison', { physical_address: line, write_data: new Uint8Array(64) }, { via: 'port:2' });
const span = { physical_address: { flags: 0, physical_address_63_6: 0n }, physical_address_length: 64n };
command('get-scan-media-capabilities', span, { via: 'port:2' });
command('scan-media', { ...span, flags: false }, { via: 'port:2' });
command(
  'get-scan-media-results',
  {},
  {
    via: 'port:2',
    before: (rig) => {
      rig.run('scan-media', { ...span, flags: false }, 'port:2');
      rig.pass(1000);
    },
  },
);
command('sanitize', {}, { via: 'port:3/ld:1' });
command('secure-erase', {}, { via: 'port:2' });
command(
  'media-operations',
  {
    media_operation_class: 'general',
    media_operation_subclass: 0,
    dpa_range_list: [],
    operation_specific_arguments: Uint8Array.of(0, 0, 8, 0),
  },
  { via: 'port:2' },
);
command('get-security-state', {}, { via: 'port:2' });
const setPass = { passphrase_type: 'user', current_passphrase: PASS, new_passphrase: PASS } as const;
command('set-passphrase', setPass, { via: 'port:2' });
command(
  'disable-passphrase',
  { passphrase_type: 'user', current_passphrase: PASS },
  {
    via: 'port:2',
    before: (rig) => rig.run('set-passphrase', setPass, 'port:2'),
  },
);
command(
  'unlock',
  { current_passphrase: PASS },
  {
    via: 'port:5',
    before: (rig) => {
      rig.run('set-passphrase', setPass, 'port:5');
      rig.control.powerCyclePort(5);
      rig.pass(1000);
    },
  },
);
command('freeze-security-state', {}, { via: 'port:2' });
command('passphrase-secure-erase', { passphrase_type: 'user', current_passphrase: PASS }, { via: 'port:2' });
command(
  'security-send',
  { security_protocol: 0xf0, sp_specific: 0, security_protocol_data: Uint8Array.of(1) },
  { via: 'port:2' },
);
command('security-receive', { security_protocol: 0, sp_specific: 0 }, { via: 'port:2' });
command('get-sld-qos-control', {}, { via: 'port:2' });
command('set-sld-qos-control', qos, { via: 'port:2' });
command('get-sld-qos-status', {}, { via: 'port:2' });
command(
  'get-dynamic-capacity-configuration',
  { region_count: 8, starting_region_index: 0 },
  { via: 'port:5', on: 'dcd-pool' },
);
command(
  'get-dynamic-capacity-extent-list',
  { extent_count: 8, starting_extent_index: 0 },
  { via: 'port:5', on: 'dcd-pool' },
);
const offer = (rig: Rig): void => {
  rig.run(
    'initiate-dynamic-capacity-add',
    { host_id: 0, selection_policy: 'free', region: 0, length: 1n << 30n, tag: NO_TAG, extents: [] },
    'port:5',
  );
};
const first = [{ starting_dpa: 1n << 30n, length: 1n << 30n }];
command(
  'add-dynamic-capacity-response',
  { flags: false, updated_extents: first },
  {
    via: 'port:5',
    on: 'dcd-pool',
    before: offer,
  },
);
command(
  'release-dynamic-capacity',
  { flags: false, updated_extents: first },
  {
    via: 'port:5',
    on: 'dcd-pool',
    before: (rig) => {
      offer(rig);
      rig.run('add-dynamic-capacity-response', { flags: false, updated_extents: first }, 'port:5');
    },
  },
);
command('identify-switch-device', {});
command('get-physical-port-state', { port_id_list: [0, 1, 2, 3, 4, 5, 6, 7] });
command('physical-port-control', { ppb_id: 5, port_opcode: 'reset-ppb' });
command('send-ppb-cxl-io-configuration-request', { ppb_id: 5, request_control: read, transaction_data: 0 });
command('get-domain-validation-sv-state', {});
command('set-domain-validation-sv', { secret_value_uuid: CEL });
command('get-vcs-domain-validation-sv-state', { vcs_id: 0 });
command('get-domain-validation-sv', { vcs_id: 0 }, { before: (rig) => rig.control.setSecret(0, CEL) });
command('get-virtual-cxl-switch-info', { starting_vppb: 0, vppb_list_limit: 255, vcs_id_list: [0, 1] });
command('bind-vppb', { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 });
command('unbind-vppb', { vcs_id: 0, vppb_id: 1, option: 'surprise-hot-remove' });
command('generate-aer-event', {
  vcs_id: 0,
  vppb_instance: 0,
  aer_error: { error_bit_position: 4, uncorrectable: true },
  aer_header: new Uint8Array(32),
});
command('tunnel-management-command', {
  port_or_ld_id: 3,
  target_type: 'port-or-ld',
  command_payload: Uint8Array.of(0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
});
command('send-ld-cxl-io-configuration-request', { ppb_id: 3, request_control: read, ld_id: 1, transaction_data: 0 });
command('send-ld-cxl-io-memory-request', {
  port_id: 3,
  request_control: { first_dword_byte_enable: 15, last_dword_byte_enable: 15, transaction_type: 'read' },
  ld_id: 1,
  transaction_length: 4096,
  transaction_address: 0n,
  transaction_data: new Uint8Array(0),
});
command('get-ld-info', {}, { via: 'port:3' });
command('get-ld-allocations', { start_ld_id: 0, ld_allocation_list_limit: 16 }, { via: 'port:3' });
command(
  'set-ld-allocations',
  { start_ld_id: 1, ld_allocation_list: [{ range_1_allocation_multiplier: 8n, range_2_allocation_multiplier: 8n }] },
  { via: 'port:3' },
);
command('get-qos-control', {}, { via: 'port:3' });
command('set-qos-control', { ...qos, reqcmpbasis: 0, completion_collection_interval: 1 }, { via: 'port:3' });
command('get-qos-status', {}, { via: 'port:3' });
command('get-qos-allocated-bw', { number_of_lds: 4, start_ld_id: 0 }, { via: 'port:3' });
command('set-qos-allocated-bw', { start_ld_id: 1, qos_allocation_fractions: [10, 20] }, { via: 'port:3' });
command('get-qos-bw-limit', { number_of_lds: 2, start_ld_id: 1 }, { via: 'port:3' });
command('set-qos-bw-limit', { start_ld_id: 0, qos_limit_fractions: [200] }, { via: 'port:3' });
command(
  'get-multi-headed-info',
  { start_ld_id: 0, ld_map_list_limit: 255 },
  { via: 'port:22/ldpool', on: 'default-32' },
);
command('get-head-info', { start_head: 0, number_of_heads: 2 }, { via: 'port:22', on: 'default-32' });
command('get-dcd-info', {}, { via: 'port:4', on: 'dcd-pool' });
command(
  'get-host-dc-region-configuration',
  { host_id: 1, region_count: 8, starting_region_index: 0 },
  { via: 'port:4', on: 'dcd-pool' },
);
command(
  'set-dc-region-configuration',
  { region_id: 0, region_block_size: 1n << 29n, sanitize_on_release: true },
  { via: 'port:4', on: 'dcd-pool' },
);
command(
  'get-dc-region-extent-lists',
  { host_id: 0, extent_count: 10, starting_extent_index: 0 },
  { via: 'port:4', on: 'dcd-pool' },
);
command('initiate-dynamic-capacity-add', share, { via: 'port:4', on: 'dcd-pool' });
const shared = (rig: Rig): void => {
  rig.run('initiate-dynamic-capacity-add', share, 'port:4');
  rig.pass(100);
};
command(
  'initiate-dynamic-capacity-release',
  {
    host_id: 0,
    flags: { removal_policy: 'tag-based', forced_removal: true, sanitize_on_release: false },
    length: 1n << 28n,
    tag: TAG,
    extents: [],
  },
  { via: 'port:4', on: 'dcd-pool', before: shared },
);
command('dynamic-capacity-add-reference', { tag: TAG }, { via: 'port:4', on: 'dcd-pool', before: shared });
command(
  'dynamic-capacity-remove-reference',
  { tag: TAG },
  {
    via: 'port:4',
    on: 'dcd-pool',
    before: (rig) => {
      shared(rig);
      rig.run('dynamic-capacity-add-reference', { tag: TAG }, 'port:4');
    },
  },
);
command(
  'dynamic-capacity-list-tags',
  { starting_index: 0, max_tags: 8 },
  { via: 'port:4', on: 'dcd-pool', before: shared },
);
command('identify-pbr-switch', {}, { on: 'default-32' });

describe('every command of the catalogue that has a codec is answered by a component that offers it', () => {
  it.each(cases)('$slug through `$via` of $on', ({ on, before, run }) => {
    // `all`: a tunnel stands for the device mailbox and the host mailbox, which nothing else leads to here.
    const rig = new Rig(on, { support: 'all' });
    before?.(rig);
    run(rig);
  });

  it('leaves none out', () => {
    const missing = catalogue.filter((row) => isTyped(row) && !cases.some(({ slug }) => slug === row.slug));
    expect(missing.map((row) => row.slug)).toEqual([]);
  });
});

describe('the CEL of a component says what it answers, no more and no less', () => {
  const components: readonly (readonly [Shipped, string])[] = [
    ['small', ''],
    ['default-32', ''],
    ['small', 'port:2'],
    ['small', 'port:3'],
    ['small', 'port:3/ld:1'],
    ['small', 'port:3/ldpool'],
    ['default-32', 'port:22'],
    ['default-32', 'port:22/ldpool'],
    ['dcd-pool', 'port:4'],
    ['dcd-pool', 'port:4/ld:0'],
    ['dcd-pool', 'port:5'],
    ['dcd-pool', 'port:6/ldpool'],
  ];

  it.each(components)('%s `%s`', (on, via) => {
    const rig = new Rig(on);
    const { supported_log_entries: logs } = rig.run('get-supported-logs', {}, via);
    const length = logs.find((log) => log.log_identifier === CEL)?.log_size ?? 0;
    const cel = rig.run('get-log', { log_identifier: CEL, offset: 0, length }, via).log_data;
    const listed = new Set<number>();
    for (let at = 0; at < cel.length; at += 4) listed.add((cel[at] ?? 0) + (cel[at + 1] ?? 0) * 256);
    expect(listed.size).toBeGreaterThan(10);
    for (let code = 0; code <= 0xffff; code++) {
      // Outside the defined commands a sample is enough.
      if (rowByOpcode(code) === undefined && code % 61 !== 0) continue;
      // An impossible length refuses a command that is there before it does anything.
      const answered = rig.code(code, new Uint8Array(5000).fill(0xff), via);
      const there = answered !== 0x0003 && answered !== 0x0015;
      if (there !== listed.has(code)) throw new Error(`${code.toString(16)}: listed ${!there}, answered ${answered}`);
    }
  });
});
