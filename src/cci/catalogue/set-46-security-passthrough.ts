import { bytes, empty, layout, reserved, u } from '../layout.ts';
import { row } from './row.ts';

/** Command set 46h: Security Passthrough. */
export const set46 = [
  row({
    opcode: 0x4600,
    slug: 'security-send',
    name: 'Security Send',
    set: 'security-passthrough',
    spec: 'r3.1 8.2.9.9.7.1',
    status: 'verified',
    executesOn: ['ld', 'sld', 'fm-owned-ld'],
    support: { deviceMailbox: 'O', type3Mctp: 'O4', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'never',
    mutating: true,
    effects: 0x0020,
    radius: 'opaque',
    scope: 3,
    // Passphrases and the security protocol are between a device and its host: not ours to relay.
    grant: 'never',
    request: layout(8, null, [
      u(1, 'security_protocol'),
      u(2, 'sp_specific'),
      reserved(5),
      bytes('security_protocol_data', 'rest', { secret: true }),
    ]),
    response: empty,
  }),
  row({
    opcode: 0x4601,
    slug: 'security-receive',
    name: 'Security Receive',
    set: 'security-passthrough',
    spec: 'r3.1 8.2.9.9.7.2',
    status: 'verified',
    executesOn: ['ld', 'sld', 'fm-owned-ld'],
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'never',
    mutating: false,
    effects: 0x0000,
    radius: 'query-only',
    scope: 3,
    // Passphrases and the security protocol are between a device and its host: not ours to relay.
    grant: 'never',
    request: layout(8, 8, [u(1, 'security_protocol'), u(2, 'sp_specific'), reserved(5)]),
    response: layout(0, null, [bytes('security_protocol_data', 'rest', { secret: true })]),
  }),
] as const;
