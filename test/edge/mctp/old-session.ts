import type { OldCommand } from './tools.ts';

const len = (bytes: number): string => Buffer.from([bytes & 0xff, bytes >> 8]).toString('hex');
const request = (opcode: string, payload = ''): string => {
  const size = payload.replaceAll(/\s+/g, '').length / 2;
  return `000000 ${opcode} ${len(size)} 00 0000 0000 ${payload}`;
};
/** A command for the device behind a port, in the old form of tunnels. */
const tunnel = (port: string, opcode: string, payload = ''): string => {
  const inner = request(opcode, payload).replaceAll(/\s+/g, '');
  return request('0053', `${port} 00 ${len(inner.length / 2 + 1)} 08 ${inner}`);
};
const zeros = (count: number): string => '00'.repeat(count);
const every255 = Array.from({ length: 255 }, (_, i) => i.toString(16).padStart(2, '0')).join('');

/** A session of the old tool, command by command: what its own examples do, on config/topologies/default-32.yaml. */
export const oldSession: readonly OldCommand[] = [
  { what: 'identify', message: request('0100') },
  { what: 'background status before anything ran', message: request('0200') },
  { what: 'response message limit', message: request('0300') },
  { what: 'switch identity', message: request('0051') },
  { what: 'one port', message: request('0151', '01 01') },
  { what: 'two ports', message: request('0151', '02 04 0e') },
  { what: 'all ports: 255 of them, as it always asks', message: request('0151', `ff ${every255}`) },
  { what: 'a port that is not there', message: request('0151', '01 c8') },
  { what: 'VCS 0', message: request('0052', '00 ff 01 00') },
  { what: 'VCS 1 from its fifth vPPB', message: request('0052', '04 ff 01 01') },
  { what: 'a VCS that is not there', message: request('0052', '00 ff 01 63') },
  { what: 'bind LD 2 of the MLD at port 14', message: request('0152', '00 04 0e 00 02 00') },
  { what: 'background status after a bind', message: request('0200') },
  { what: 'the vPPB is bound', message: request('0052', '00 ff 01 00') },
  { what: 'bind it again, which the switch refuses', message: request('0152', '00 04 0e 00 02 00') },
  { what: 'unbind it, as it does by default: surprise removal', message: request('0252', '00 04 02') },
  { what: 'background status after an unbind', message: request('0200') },
  { what: 'bind a port without LDs', message: request('0152', '00 05 06 00 ff ff') },
  { what: 'unbind it, managed', message: request('0252', '00 05 01') },
  { what: 'unbind what is not bound', message: request('0252', '00 09 02') },
  { what: 'hold a port in reset', message: request('0251', '07 00') },
  { what: 'the port is in reset', message: request('0151', '01 07') },
  { what: 'let it go', message: request('0251', '07 01') },
  { what: 'reset a PPB', message: request('0251', '08 02') },
  { what: 'reset a bound port, which the switch refuses', message: request('0251', '04 00') },
  { what: 'read configuration space of a port', message: request('0351', '07 00 f0 00 00 00 00 00') },
  { what: 'write it', message: request('0351', '07 04 f0 80 a4 a3 a2 a1') },
  { what: 'read it back', message: request('0351', '07 04 f0 00 00 00 00 00') },
  { what: 'read configuration space of an LD', message: request('0153', '0e 00 f0 00 03 00 00 00 00 00 00 00') },
  { what: 'write it', message: request('0153', '0e 10 f0 80 03 00 00 00 a4 a3 a2 a1') },
  { what: 'the LD of a port that has none', message: request('0153', '06 00 f0 00 00 00 00 00 00 00 00 00') },
  { what: 'write memory of an LD', message: request('0253', `0e 00 f0 8f 03 00 04 00 ${zeros(8)} 04 03 02 01`) },
  {
    what: 'read it, with the data it sends along for no reason',
    message: request('0253', `0e 00 f0 0f 03 00 04 00 ${zeros(8)} de ad be ef`),
  },
  { what: 'read 4 KiB of it', message: request('0253', `0e 00 f0 0f 03 00 00 10 ${zeros(8)} ${'5a'.repeat(4096)}`) },
  {
    what: 'read memory of an LD that is bound, which the switch refuses',
    message: request('0253', `0e 00 f0 0f 00 00 04 00 ${zeros(8)} ${zeros(4)}`),
  },
  { what: 'an AER event of one bit', message: request('0352', `00 01 00 00 00 10 00 00 ${zeros(32)}`) },
  { what: 'an AER event of no bit', message: request('0352', `00 01 00 00 00 00 00 00 ${zeros(32)}`) },
  { what: 'LD info', message: tunnel('0e', '0054') },
  { what: 'LD info of a port without an MLD', message: tunnel('1f', '0054') },
  { what: 'LD allocations', message: tunnel('0e', '0154', '00 10') },
  { what: 'some of them', message: tunnel('0e', '0154', '04 03') },
  { what: 'set LD allocations', message: tunnel('14', '0254', `01 03 00 00 04${zeros(15)}`) },
  { what: 'QoS control', message: tunnel('0e', '0354') },
  { what: 'set QoS control', message: tunnel('0e', '0454', '03 0a 19 08 00 00 02') },
  { what: 'QoS status', message: tunnel('0e', '0554') },
  { what: 'QoS allocated bandwidth', message: tunnel('0e', '0654', '10 00') },
  { what: 'set QoS allocated bandwidth', message: tunnel('0e', '0754', '02 00 40 40') },
  { what: 'QoS bandwidth limit', message: tunnel('0e', '0854', '10 00') },
  { what: 'set QoS bandwidth limit', message: tunnel('0e', '0954', '02 00 80 80') },
  { what: 'LD info of an upstream port', message: tunnel('00', '0054') },
  { what: 'LD info of a port that is not there', message: tunnel('28', '0054') },
  { what: 'bind in a VCS that is not there', message: request('0152', '09 04 0e 00 02 00') },
  { what: 'bind a vPPB that is not there', message: request('0152', '00 28 0e 00 02 00') },
  { what: 'bind a port that is not there', message: request('0152', '00 05 28 00 00 00') },
  { what: 'bind an LD that is not there', message: request('0152', '00 05 0e 00 28 00') },
  { what: 'bind an empty port', message: request('0152', '00 05 1f 00 ff ff') },
  { what: 'unbind it', message: request('0252', '00 05 02') },
  { what: 'unbind in a VCS that is not there', message: request('0252', '09 05 02') },
  { what: 'unbind a vPPB that is not there', message: request('0252', '00 28 02') },
  { what: 'unbind the first vPPB', message: request('0252', '01 00 02') },
  { what: 'reset a port that is not there', message: request('0251', '28 02') },
  { what: 'reset an upstream port', message: request('0251', '00 02') },
  { what: 'configuration space of a port that is not there', message: request('0351', '28 00 f0 00 00 00 00 00') },
  {
    what: 'configuration space of an LD that is not there',
    message: request('0153', '0e 00 f0 00 28 00 00 00 00 00 00 00'),
  },
  { what: 'memory of a port that is not there', message: request('0253', `28 00 f0 0f 03 00 04 00 ${zeros(12)}`) },
  {
    what: 'an AER event on a vPPB that is not there',
    message: request('0352', `00 28 00 00 01 00 00 00 ${zeros(32)}`),
  },
  { what: 'LD allocations from beyond the last', message: tunnel('0e', '0154', '20 10') },
  { what: 'MCTP: get EID', message: '80 02', type: 0 },
  { what: 'MCTP: get version of 07h', message: '80 04 07', type: 0 },
  { what: 'MCTP: get version of 08h', message: '80 04 08', type: 0 },
  { what: 'MCTP: get version of MCTP', message: '80 04 ff', type: 0 },
  { what: 'MCTP: get types', message: '80 05', type: 0 },
  { what: 'a response message limit that is none', message: request('0400', '02') },
  { what: 'the largest response message limit', message: request('0400', '0d') },
  { what: 'a smaller response message limit', message: request('0400', '0a') },
];

/** Not equal by design: identities, and what changes the wiring past every policy. */
export const neverEqual: readonly OldCommand[] = [
  { what: 'MCTP: get UUID', message: '80 03', type: 0 },
  { what: 'MCTP: set EID', message: '80 01 00 22', type: 0 },
  { what: 'emulator: show devices', message: request('0100'), type: 0x70 },
];

/** Refused by the broker with the code that the device would have given, which the tool shows in the same words. */
export const sameWords: readonly OldCommand[] = [{ what: 'LD info of a single device', message: tunnel('04', '0054') }];

/** What ends the switch of the old dialect when it is sent there, or keeps it from ever answering again. */
export const crashing: readonly OldCommand[] = [
  { what: 'message type 08h', message: request('0100'), type: 8 },
  { what: 'message type 55h', message: request('0100'), type: 0x55 },
  { what: 'the emulator type 70h', message: request('0200', '01'), type: 0x70 },
  { what: 'a tunnel of no size', message: request('0053', '0e 00 00 00') },
  { what: 'a tunnel that is shorter than a header', message: request('0053', '0e 00 05 00 08 00 00 00 00') },
  {
    what: 'a tunnel that is larger than it is',
    message: request('0053', '0e 00 ff ff 08 00 00 00 00 54 00 00 00 00 00 00 00'),
  },
  { what: 'a tunnel of 4 KiB', message: tunnel('0e', '0254', `10 00 ${zeros(4090)}`) },
  { what: 'LD memory of more than 4 KiB', message: request('0253', `0e 00 f0 0f 03 00 01 10 ${zeros(8)}`) },
  { what: 'LD memory of 64 KiB', message: request('0253', `0e 00 f0 0f 03 00 ff ff ${zeros(8)}`) },
  {
    what: 'LD memory over the end of 2^64',
    message: request('0253', '0e 00 f0 0f 03 00 10 00 f8 ff ff ff ff ff ff ff'),
  },
  { what: 'a port control that is none', message: request('0251', '06 03') },
  { what: 'another port control that is none', message: request('0251', '06 ff') },
  { what: 'a request that says it is a response', message: request('0100').replace('000000', '100000') },
  { what: 'opcode 0000h', message: request('0000') },
  { what: 'an opcode nobody has', message: request('ff51') },
  { what: 'a vendor opcode', message: request('03c0') },
  { what: 'a length over what follows', message: '000000 0151 ff00 00 0000 0000 01 01' },
  { what: 'the 15-byte form of LD memory', message: request('0253', `0e 00 00 03 00 04 00 ${zeros(8)}`) },
];
