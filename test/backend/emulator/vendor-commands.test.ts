import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createEmulator, parseTopology, TopologyError } from '../../../src/backend/emulator/index.ts';
import { CEL_UUID, decodeCel, encodeRoute, fromHex, parseVia, toHex, uuidBytes } from '../../../src/cci/index.ts';
import { topologyPath } from './rig.ts';

const small = readFileSync(topologyPath('small'), 'utf8');
const withCommands = (lines: string) => parseTopology(`${small}\nvendor_commands:\n${lines}`, 'f.yaml');

const emulator = createEmulator(
  withCommands(`  - { opcode: '0xc010', request_bytes: 2, effects: 0x40, reply: 2a00 }
  - { opcode: '0xc011', on: [switch, sld], reply: echo }
  - { opcode: '0xc012', return_code: 2, reply: '00' }
  - { opcode: '0xffff', on: [sld] }
`),
);
const send = (opcode: number, hex: string) => {
  const { returnCode, payload } = emulator.execute(opcode, fromHex(hex) ?? new Uint8Array());
  return [returnCode, toHex(payload)];
};
const through = (via: string | undefined, opcode: number, payload: Uint8Array): Uint8Array => {
  const hops = via === undefined ? [] : (parseVia(via) ?? []);
  const outer = encodeRoute({ hops, tags: hops.map(() => 1), opcode, payload });
  return emulator.execute(outer.opcode, outer.payload).payload.slice(hops.length * 16);
};
const celOf = (via?: string) => {
  // The first of the supported logs is this one; its size follows its UUID.
  const size = through(via, 0x0400, new Uint8Array()).slice(24, 28);
  const request = new Uint8Array(24);
  request.set(uuidBytes(CEL_UUID) ?? []);
  request.set(size, 20);
  return decodeCel(through(via, 0x0401, request));
};

describe('commands of a vendor in a topology file', () => {
  it.each([
    ['fixed bytes', 0xc010, '0200', [0, '2a00']],
    ['a request of another length', 0xc010, '02', [0x16, '']],
    ['the request itself', 0xc011, '010203', [0, '010203']],
    ['a return code and no bytes', 0xc012, '', [2, '']],
    ['nothing on a component that does not have it', 0xffff, '', [3, '']],
    ['nothing for another opcode', 0xc013, '', [3, '']],
  ])('answer with %s', (_name, opcode, hex, expected) => {
    expect(send(opcode, hex)).toEqual(expected);
  });

  it('are in the Command Effects Log of the components that have them', () => {
    const vendor = (via?: string) => celOf(via).filter(({ opcode }) => opcode >= 0xc000);
    expect(vendor()).toEqual([
      { opcode: 0xc010, effects: 0x40 },
      { opcode: 0xc011, effects: 0 },
      { opcode: 0xc012, effects: 0 },
    ]);
    expect(vendor('port:2').map(({ opcode }) => opcode)).toEqual([0xc011, 0xffff]);
    expect(vendor('port:3')).toEqual([]);
  });

  it.each([
    ['an opcode of the specification', "  - { opcode: '0x5201' }", /vendor_commands.0.opcode/],
    ['an opcode twice', "  - { opcode: '0xc010' }\n  - { opcode: '0xc010' }", /`0xc010` stands twice/],
    ['half a byte', "  - { opcode: '0xc010', reply: '2' }", /vendor_commands.0.reply/],
    ['an unknown key', "  - { opcode: '0xc010', repply: '22' }", /repply/],
  ])('%s is refused with its place', (_name, lines, message) => {
    expect(() => withCommands(lines)).toThrow(TopologyError);
    expect(() => withCommands(lines)).toThrow(message);
  });
});
