import { describe, expect, it } from 'vitest';
import { hex16 } from '../../../src/cci/index.ts';
import { Rig } from './rig.ts';

/**
 * The requests that the test programs of one client library send, with its fixed numbers, in its order. They were
 * written for real devices; here they have to come through on the topology made for them.
 */
type Request = readonly [what: string, opcode: number, payload: string, returnCode?: number];

const zeros = (count: number): string => '00'.repeat(count);

const fabricManager: readonly Request[] = [
  ['identify switch', 0x5100, ''],
  ['state of the active ports', 0x5101, '0400010203'],
  ['control of port 0', 0x5102, '0000'],
  ['configuration of port 0', 0x5103, zeros(8)],
  ['secret state', 0x5104, ''],
  ['set a secret of zeros', 0x5105, zeros(16)],
  ['secret state of VCS 0', 0x5106, '00'],
  ['secret of VCS 0', 0x5107, '00'],
  ['VCS 0', 0x5200, '00ff0100'],
  ['bind vPPB 0 to LD 0 of port 0', 0x5201, zeros(6), 1],
  ['unbind it again, waiting for the link', 0x5202, zeros(3), 1],
  ['configuration of LD 0 of port 0', 0x5301, zeros(12)],
  ['memory of LD 0 of port 0, no bytes', 0x5302, zeros(16)],
  ['AER event of VCS 0', 0x5203, zeros(40)],
];

const everyMld: readonly Request[] = [
  ['LD info', 0x5400, ''],
  ['allocations of 16 LDs', 0x5401, '0010'],
  ['QoS control', 0x5403, ''],
  ['the same QoS control', 0x5404, '000a1908000000'],
  ['QoS status', 0x5405, ''],
  ['bandwidth of 16 LDs', 0x5406, '1000'],
  ['the same bandwidth', 0x5407, `1000${'10'.repeat(16)}`],
  ['bandwidth limits of 16 LDs', 0x5408, '1000'],
  ['the same limits', 0x5409, `1000${zeros(16)}`],
  ['heads of LDs', 0x5500, '0008'],
  ['eight heads', 0x5501, '0008'],
  ['DCD info', 0x5600, ''],
  ['regions of host 0', 0x5601, '00000800'],
  ['a block size of zero, which no region has', 0x5602, zeros(16), 2],
  ['extents of host 0', 0x5603, `0000000008000000${zeros(4)}`],
  ['no capacity for host 0', 0x5604, zeros(32)],
  ['no capacity back from host 0', 0x5605, zeros(32)],
  ['a reference to no tag', 0x5606, zeros(16), 2],
  ['tags', 0x5608, '0000000010000000'],
];

const generic: readonly Request[] = [
  ['identify', 0x0001, ''],
  ['background status', 0x0002, ''],
  ['message limit', 0x0003, ''],
  ['the same message limit', 0x0004, '0d'],
  ['abort of nothing', 0x0005, '', 0x20],
  ['timestamp', 0x0300, ''],
  ['the same timestamp', 0x0301, zeros(8)],
  ['events', 0x0100, '00'],
  ['clear all events', 0x0101, '000100000000'],
  ['MCTP interrupt policy', 0x0104, ''],
  ['the same policy', 0x0105, '0000'],
  ['event notification', 0x0106, '0000'],
  ['firmware info', 0x0200, ''],
  ['an image of zeros into slot 2', 0x0201, `00020000${zeros(124 + 128)}`],
  ['activate the active slot', 0x0202, '0001'],
  ['logs', 0x0400, ''],
  ['sub-list of logs', 0x0405, '1000'],
  ['capabilities of the CEL', 0x0402, '0da9c0b5bf414b788f7996b1623b3f17'],
  ['clear the vendor debug log', 0x0403, '5e1819d911a9400c811fd60719403d86'],
  ['populate the vendor debug log', 0x0404, '5e1819d911a9400c811fd60719403d86'],
  ['features in 16 bytes', 0x0500, '1000000000000000'],
];

const memory: readonly Request[] = [
  ['identify memory device', 0x4000, ''],
  ['partitions', 0x4100, ''],
  ['labels', 0x4102, '0000000000010000'],
  ['health', 0x4200, ''],
  ['alerts', 0x4201, ''],
  ['no change of alerts', 0x4202, zeros(12)],
  ['shutdown state', 0x4203, ''],
  ['poison in 64 KiB', 0x4300, `${zeros(8)}0000010000000000`],
  ['inject poison at 1000h', 0x4301, '0010000000000000'],
  ['clear it', 0x4302, `0010000000000000${zeros(64)}`],
  ['scan capabilities', 0x4303, `${zeros(8)}0000010000000000`],
  ['security state', 0x4500, ''],
  ['a partition', 0x4101, '100000000000000000'],
  ['labels back', 0x4103, zeros(8 + 256)],
  ['the same shutdown state', 0x4204, '00'],
  ['scan', 0x4304, `${zeros(8)}000001000000000000`, 1],
  ['scan results', 0x4305, ''],
  ['sanitize', 0x4400, '', 1],
  ['secure erase', 0x4401, ''],
  ['media operations there are', 0x4402, '000000000000000000001000'],
  ['set a passphrase of zeros', 0x4501, zeros(96)],
  ['disable it', 0x4502, zeros(64)],
  ['erase with any passphrase', 0x4505, zeros(64)],
  ['freeze', 0x4504, ''],
  ['send nothing', 0x4600, zeros(8)],
  ['receive the list of protocols', 0x4601, zeros(8)],
  ['dynamic capacity', 0x4800, '0800'],
  ['extents', 0x4801, '0800000000000000'],
  ['answer with no extents', 0x4802, zeros(8)],
  ['release no extents', 0x4803, zeros(8)],
];

const mailbox: readonly Request[] = [
  ['interrupt policy', 0x0102, ''],
  ['the same policy', 0x0103, zeros(5)],
];

const sld: readonly Request[] = [
  ['SLD QoS control', 0x4700, ''],
  ['the same control', 0x4701, '000a1908'],
  ['SLD QoS status', 0x4702, ''],
];

describe('test programs of other projects come through on conformance.yaml', () => {
  it.each([
    ['the switch', '', [...generic, ...fabricManager]],
    ['an MLD', 'port:1', [...generic, ...everyMld, ...memory]],
    ['an LD of it', 'port:1/ld:0', [...generic, ...mailbox, ...memory]],
    ['an SLD', 'port:2', [...generic, ...mailbox, ...memory, ...sld]],
  ] as const)('%s', (_name, via, requests) => {
    const rig = new Rig('conformance');
    for (const [what, opcode, payload, returnCode = 0] of requests) {
      const reply = rig.send(opcode, payload, via);
      expect(`${hex16(opcode)} ${what}: ${reply.layers.at(-1)?.returnCode}`).toBe(
        `${hex16(opcode)} ${what}: ${returnCode}`,
      );
      rig.pass(1);
    }
  });

  it('every command of the MLD still goes through the second head while PERST holds the first', () => {
    const rig = new Rig('conformance');
    rig.run('physical-port-control', { ppb_id: 0, port_opcode: 'assert-perst' });
    expect(rig.code(0x0001, '', 'port:0')).toBe(2);
    expect(rig.code(0x0001, '', 'port:1')).toBe(0);
    // Nobody completes a request on a link that is down.
    const control = {
      register_number: 0,
      extended_register_number: 0,
      first_dword_byte_enable: 15,
      transaction_type: 'read',
    } as const;
    const read = { ppb_id: 0, request_control: control, ld_id: 0, transaction_data: 0 };
    expect(rig.run('send-ld-cxl-io-configuration-request', read).return_data).toBe(0xffffffff);
  });
});
