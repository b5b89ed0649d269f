import { bits, bytes, count, layout, reserved, u } from '../layout.ts';
import { row } from './row.ts';

/** Command set 53h: MLD Port. */
export const set53 = [
  row({
    opcode: 0x5300,
    slug: 'tunnel-management-command',
    name: 'Tunnel Management Command',
    set: 'mld-port',
    spec: 'r3.1 7.6.7.3.1',
    status: 'verified',
    executesOn: ['switch', 'fm-owned-ld'],
    support: { deviceMailbox: 'P', type3Mctp: 'MO', switchHostMailbox: 'P', switchFmInterface: 'O' },
    background: 'never',
    mutating: 'by-content',
    effects: 0x0000,
    radius: 'opaque',
    // A layer touches nothing: the innermost command decides (policy section 2).
    scope: 0,
    request: layout(4, null, [
      u(1, 'port_or_ld_id', { target: 'tunnel-target' }),
      bits(1, 'target_type', { target_type: [0, 3, 'tunnel_target_type'] }),
      count(2, 'command_size'),
      // What is inside is logged layer by layer, with its own secrets masked.
      bytes('command_payload', { counter: 'command_size' }, { secret: true }),
    ]),
    response: layout(4, null, [
      count(2, 'response_size'),
      reserved(2),
      bytes('response_message', { counter: 'response_size' }, { secret: true }),
    ]),
  }),
  row({
    opcode: 0x5301,
    slug: 'send-ld-cxl-io-configuration-request',
    name: 'Send LD CXL.io Configuration Request',
    set: 'mld-port',
    spec: 'r3.1 7.6.7.3.2',
    status: 'verified',
    executesOn: ['switch'],
    support: { deviceMailbox: 'P', type3Mctp: 'P', switchHostMailbox: 'P', switchFmInterface: 'O' },
    background: 'never',
    mutating: 'by-content',
    effects: 0x0000,
    radius: 'whole-port',
    // Any register of the LD; FFFFh or the FM-owned LD reaches all of them (L2).
    scope: 3,
    request: layout(12, 12, [
      u(1, 'ppb_id', { target: 'ppb-id' }),
      bits(3, 'request_control', {
        register_number: [0, 7],
        extended_register_number: [8, 11],
        first_dword_byte_enable: [12, 15],
        transaction_type: [23, 23, 'config_transaction_type'],
      }),
      u(2, 'ld_id', { target: 'ld-id' }),
      reserved(2),
      u(4, 'transaction_data', { help: 'meaningful in a write' }),
    ]),
    response: layout(4, 4, [u(4, 'return_data')]),
  }),
  row({
    opcode: 0x5302,
    slug: 'send-ld-cxl-io-memory-request',
    name: 'Send LD CXL.io Memory Request',
    set: 'mld-port',
    spec: 'r3.1 7.6.7.3.3',
    status: 'verified',
    executesOn: ['switch'],
    support: { deviceMailbox: 'P', type3Mctp: 'P', switchHostMailbox: 'P', switchFmInterface: 'O' },
    background: 'never',
    mutating: 'by-content',
    effects: 0x0000,
    radius: 'opaque',
    // Raw MMIO: the doorbell of the device's own mailbox is within reach, a second command path (L2).
    scope: 3,
    request: layout(16, null, [
      u(1, 'port_id', { target: 'ppb-id' }),
      bits(3, 'request_control', {
        first_dword_byte_enable: [12, 15],
        last_dword_byte_enable: [16, 19],
        transaction_type: [23, 23, 'config_transaction_type'],
      }),
      u(2, 'ld_id', { target: 'ld-id' }),
      u(2, 'transaction_length', { max: 4096 }),
      u(8, 'transaction_address', { target: 'mmio-address' }),
      bytes('transaction_data', 'write-data', { help: 'meaningful in a write' }),
    ]),
    response: layout(4, null, [count(2, 'return_size'), reserved(2), bytes('return_data', { counter: 'return_size' })]),
  }),
] as const;
