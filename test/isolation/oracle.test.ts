import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../src/cci/index.ts';
import { type Bound, disclosedBy, type Ground, mayReach, openReply, readOwnership, walk } from '../support/oracle.ts';

const own = readOwnership(await readFile(new URL('../../config/fabric.yaml', import.meta.url), 'utf8'));
const ground: Ground = {
  devices: new Map([
    [2, 0],
    [3, 4],
    [4, 0],
    [5, 0],
    [7, 2],
  ]),
  bindings: new Map<string, Bound>([
    ['0.0', { port: 2, ld: undefined }],
    ['0.1', { port: 3, ld: 0 }],
    ['0.2', 'unbound'],
    ['0.3', 'changing'],
    ['1.0', { port: 4, ld: undefined }],
    ['1.1', { port: 3, ld: 2 }],
  ]),
};
const hex = (text: string) => fromHex(text.replaceAll(' ', '')) ?? new Uint8Array(0);
const IDENTIFY_LD1 = hex('03001C00 002200005310000000000000 01000C00 003300010000000000000000');

describe('the worked examples of the reference', () => {
  test('Get Physical Port State of port 3 names port 3', () => {
    expect(walk(0x5101, hex('0103'))).toMatchObject({ kind: 'terminal', path: [], opcode: 0x5101 });
    expect(mayReach('acme', 0x5101, hex('0103'), own, ground)).toEqual({ may: true });
    expect(mayReach('acme', 0x5101, hex('020304'), own, ground).may).toBe(false);
  });

  test('Identify through two tunnels ends at LD 1 of port 3', () => {
    expect(walk(0x5300, IDENTIFY_LD1)).toMatchObject({
      path: [
        { kind: 'port', id: 3 },
        { kind: 'ld', id: 1 },
      ],
      opcode: 1,
    });
    expect(mayReach('acme', 0x5300, IDENTIFY_LD1, own, ground)).toEqual({ may: true });
    expect(mayReach('globex', 0x5300, IDENTIFY_LD1, own, ground).may).toBe(false);
  });

  test('the reply through two tunnels is opened to the Identify inside', () => {
    const reply = hex(
      '011100005332000000000000 2E000000 012200005322000000000000 1E000000 013300010012000000000000 981E010000000000887766554433221 10A03',
    );
    expect(openReply(reply)).toMatchObject({ codes: [0, 0, 0] });
    expect(openReply(reply)?.payload).toHaveLength(18);
  });
});

/** What acme may and may not have on the wire, in the example fabric: he has port 2, LDs 0 and 1 of port 3 and VCS 0. */
const cases: readonly (readonly [name: string, opcode: number, payload: string, may: boolean])[] = [
  ['state of a port of his', 0x5101, '0102', true],
  ['state of a port of another', 0x5101, '0104', false],
  ['state of a port of nobody', 0x5101, '0105', false],
  ['state of a port that is not there', 0x5101, '0163', false],
  ['PERST on a port of his', 0x5102, '0200', true],
  ['PERST on a shared port', 0x5102, '0300', false],
  ['bind of an LD of his', 0x5201, '000203000100', true],
  ['bind of an LD of another', 0x5201, '000203000200', false],
  ['bind of LD 257, which is not LD 1', 0x5201, '000203000101', false],
  ['bind of a shared port as a whole', 0x5201, '00020300ffff', false],
  ['bind into a VCS of another', 0x5201, '010203000100', false],
  ['bind into a vPPB that is not there', 0x5201, '000903000100', false],
  ['unbind of what is his', 0x5202, '000102', true],
  ['unbind while it changes hands', 0x5202, '000302', false],
  ['unbind in a VCS of another', 0x5202, '010102', false],
  ['VCS info of his and of another', 0x5200, '00ff020001', false],
  ['configuration of an LD of his that a host of his uses', 0x5301, '0300f000 0000 0000 00000000', true],
  ['configuration of the FM-owned LD', 0x5301, '0300f000 ffff 0000 00000000', false],
  ['memory of an LD of another', 0x5302, '0300f00f 0200 0400 0000000000000000', false],
  ['a vendor command', 0xc000, '', false],
  ['LD allocations of his LDs', 0x5300, '03000e00 000000015402000000000000 0002', true],
  ['LD allocations that end at another', 0x5300, '03000e00 000000015402000000000000 0003', false],
  ['LD information of a shared device', 0x5300, '03000c00 000000005400000000000000', true],
  ['bandwidth limits of one LD of his', 0x5300, '03000f00 000000095403000000000000 010140', true],
  ['bandwidth limits of his and another', 0x5300, '03001000 000000095404000000000000 02014040', false],
  ['QoS control of a shared device', 0x5300, '03001300 000000045407000000000000 00010200000000', false],
  [
    'the LD pool of a shared device',
    0x5300,
    '03001c00 000000005310000000000000 00010c00 000000010000000000000000',
    false,
  ],
  ['a tunnel whose inner length lies', 0x5300, '03000c00 000000015402000000000000', false],
  ['a tunnel whose size lies', 0x5300, '03000d00 000000005400000000000000', false],
  ['a tunnel with a type byte', 0x5300, '03000d00 08000000005400000000000000', false],
];

test.each(cases)('%s', (_name, opcode, payload, may) => {
  expect(mayReach('acme', opcode, hex(payload), own, ground).may).toBe(may);
});

test('a command on what is his that disturbs the host of another is refused', () => {
  const elsewhere: Ground = { ...ground, bindings: new Map([['1.3', { port: 3, ld: 1 }]]) };
  const sanitize = hex('03001C00 000000005310000000000000 01000C00 000000440000000000000000');
  expect(mayReach('acme', 0x5300, sanitize, own, ground)).toEqual({ may: true });
  expect(mayReach('acme', 0x5300, sanitize, own, elsewhere).may).toBe(false);
});

describe('replies', () => {
  const asked = (opcode: number, payload: string) => walk(opcode, hex(payload));

  test('a bit of a foreign port in the switch identity is found', () => {
    const reply = new Uint8Array(73);
    reply.set([0, 0, 3, 1, 0b0000_1101], 0);
    reply[36] = 1;
    expect(disclosedBy('acme', asked(0x5100, ''), reply, own, ground)).toEqual([]);
    reply[4] = 0b0001_1101;
    expect(disclosedBy('acme', asked(0x5100, ''), reply, own, ground)).toContain('port 4 in the bitmap');
  });

  test('an allocation of a foreign LD that is not zero is found', () => {
    const reply = new Uint8Array(4 + 3 * 16);
    reply.set([4, 0, 0, 3]);
    reply[4] = 1;
    const request = asked(0x5300, '03000e00 000000015402000000000000 0003');
    expect(disclosedBy('acme', request, reply, own, ground)).toEqual([]);
    reply[4 + 2 * 16] = 1;
    expect(disclosedBy('acme', request, reply, own, ground)).toEqual(['LD 2 of port 3']);
  });

  test('the block of a foreign VCS is found', () => {
    const reply = Uint8Array.of(1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 255, 0);
    expect(disclosedBy('acme', asked(0x5200, '00ff0101'), reply, own, ground)).toEqual(['block of vcs 1']);
    expect(disclosedBy('globex', asked(0x5200, '00ff0101'), reply, own, ground)).toEqual([]);
  });
});
