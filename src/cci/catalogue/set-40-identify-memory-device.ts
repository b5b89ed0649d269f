import { ascii, bits, empty, layout, u } from '../layout.ts';
import { row } from './row.ts';

/** Command set 40h: Identify Memory Device. */
export const set40 = [
  row({
    opcode: 0x4000,
    slug: 'identify-memory-device',
    name: 'Identify Memory Device',
    set: 'identify-memory-device',
    spec: 'r3.1 8.2.9.9.1.1',
    status: 'verified',
    executesOn: ['ld', 'sld', 'fm-owned-ld', 'gfd'],
    support: { deviceMailbox: 'M', type3Mctp: 'M', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'never',
    mutating: false,
    effects: 0x0000,
    radius: 'query-only',
    scope: 0,
    allowlisted: 'tunnelled',
    request: empty,
    response: layout(67, 69, [
      ascii('fw_revision', 16),
      u(8, 'total_capacity', { help: 'in units of 256 MiB' }),
      u(8, 'volatile_only_capacity', { help: 'in units of 256 MiB' }),
      u(8, 'persistent_only_capacity', { help: 'in units of 256 MiB' }),
      u(8, 'partition_alignment', { help: 'in units of 256 MiB' }),
      u(2, 'informational_event_log_size'),
      u(2, 'warning_event_log_size'),
      u(2, 'failure_event_log_size'),
      u(2, 'fatal_event_log_size'),
      u(4, 'lsa_size'),
      u(3, 'poison_list_maximum_media_error_records'),
      u(2, 'inject_poison_limit'),
      bits(1, 'poison_handling_capabilities', { injects_persistent_poison: [0, 0], scans_for_poison: [1, 1] }),
      bits(1, 'qos_telemetry_capabilities', { egress_port_congestion: [0, 0], temporary_throughput_reduction: [1, 1] }),
      u(2, 'dynamic_capacity_event_log_size', { optional: true }),
    ]),
  }),
] as const;
