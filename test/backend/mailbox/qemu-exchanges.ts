export const CEL_UUID = '0da9c0b5bf414b788f7996b1623b3f17';
const CEL = '01000000 02000000 00030000 01030800 00040000 01040000 00510000 01510000 00530000';

export interface Exchange {
  readonly name: string;
  readonly opcode: number;
  readonly request: string;
  readonly returnCode: number;
  readonly reply: string;
}

/**
 * Commands that the emulated device survives, and its replies as measured on QEMU 10.0.2 with the default options of
 * `spawn`. Payloads are hex. Get Timestamp and Set Timestamp (0300h, 0301h) are not here: they abort QEMU.
 */
export const EXCHANGES: readonly Exchange[] = [
  {
    name: 'Identify: the IDs and the serial number of the upstream port, 512-byte messages, a switch',
    opcode: 0x0001,
    request: '',
    returnCode: 0,
    reply: 'e51928a1 00000000 8877665544332211 09 00',
  },
  { name: 'Background Operation Status', opcode: 0x0002, request: '', returnCode: 0, reply: '0000000000000000' },
  {
    name: 'Get Supported Logs: one log, the CEL, 36 bytes',
    opcode: 0x0400,
    request: '',
    returnCode: 0,
    reply: `0100 000000000000 ${CEL_UUID} 24000000`,
  },
  {
    name: 'Get Log: the whole CEL in one piece from offset 0',
    opcode: 0x0401,
    request: `${CEL_UUID} 00000000 24000000`,
    returnCode: 0,
    reply: CEL,
  },
  {
    name: 'Get Log of an unknown log',
    opcode: 0x0401,
    request: `${'00'.repeat(16)} 00000000 24000000`,
    returnCode: 0x0017,
    reply: '',
  },
  {
    name: 'Identify Switch Device: 4 ports, 1 VCS, 4 vPPBs, all bound',
    opcode: 0x5100,
    request: '',
    returnCode: 0,
    reply: `00 00 04 01 0f ${'00'.repeat(31)} 01 ${'00'.repeat(31)} 0400 0400 04`,
  },
  {
    name: 'Get Physical Port State: an upstream port, two memory devices, an empty port',
    opcode: 0x5101,
    request: '04 00 01 02 03',
    returnCode: 0,
    reply: `04000000
      00 04 02 00 00 02 10 10 1f 05 05 07 00 0000 00
      01 03 02 00 05 02 10 10 3f 06 05 07 00 0000 03
      02 03 02 00 05 02 10 10 3f 06 05 07 00 0000 03
      03 03 02 00 00 02 10 10 3f 06 06 07 00 0000 03`,
  },
  {
    name: 'Get Physical Port State of a port that is not there',
    opcode: 0x5101,
    request: '01 77',
    returnCode: 2,
    reply: '',
  },
  { name: 'Get Physical Port State without its payload', opcode: 0x5101, request: '', returnCode: 0x16, reply: '' },
  { name: 'Identify with a payload', opcode: 0x0001, request: '00', returnCode: 0x16, reply: '' },
  { name: 'Get Virtual CXL Switch Info, not emulated', opcode: 0x5200, request: '', returnCode: 3, reply: '' },
  ...[1, 2].map((port) => ({
    name: `Identify tunnelled to the memory device below port ${port}`,
    opcode: 0x5300,
    request: `0${port} 00 0c00 00 2b 00 0100 000000 0000 0000`,
    returnCode: 0,
    reply: `1e00 0000 01 2b 00 0100 120000 0000 0000 8680 930d f41a 0011 0${port}eeffc000000000 09 03`,
  })),
  {
    name: 'a tunnelled command that fails inside: outer success, inner 0003h',
    opcode: 0x5300,
    request: '01 00 0c00 00 2b 00 0040 000000 0000 0000',
    returnCode: 0,
    reply: '0c00 0000 01 2b 00 0040 000000 0300 0000',
  },
  {
    name: 'a tunnel to the empty port',
    opcode: 0x5300,
    request: '03 00 0c00 00 2b 00 0100 000000 0000 0000',
    returnCode: 2,
    reply: '',
  },
  {
    name: 'a tunnel to the upstream port',
    opcode: 0x5300,
    request: '00 00 0c00 00 2b 00 0100 000000 0000 0000',
    returnCode: 2,
    reply: '',
  },
];

/** Bytes from hex digits; white space is for the reader. */
export const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replace(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
export const hex = (payload: Uint8Array): string =>
  Array.from(payload, (byte) => byte.toString(16).padStart(2, '0')).join('');
