import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage, fromHex, HEADER_SIZE, readUint, toHex, writeUint } from '../../src/cci/index.ts';
import { PACKET_SIZE } from '../../src/cci/mctp.ts';
import { fromClient, toDevice } from '../../src/cci/mctp-dialect.ts';
import { segments } from '../../src/cci/mctp-segments.ts';

const bytes = (hex: string): Uint8Array => {
  const found = fromHex(hex.replaceAll(/\s+/g, ''));
  if (found === undefined) throw new Error(`not hex: ${hex}`);
  return found;
};

function taken(hex: string) {
  const request = fromClient(bytes(hex), 'jackrabbit');
  if (!request.ok) throw new Error(request.error.message);
  return request.value;
}

function sent(opcode: number, payload: string) {
  const request = toDevice(opcode, bytes(payload), 'jackrabbit');
  if (!request.ok) throw new Error(request.error.message);
  return request.value;
}

const specReply = (tag: number, opcode: number, payload: string, returnCode = 0, background = false): Uint8Array =>
  encodeMessage({
    category: 'response',
    tag,
    opcode,
    background,
    returnCode,
    vendorStatus: 0,
    payload: bytes(payload),
  });

const layer = { returnCode: 0, vendorStatus: 0, background: false };

describe('a client of the old dialect', () => {
  it('is given the header it reads: category in the high nibble, background in bit 0', () => {
    const request = taken('00 05 00 01 51 02 00 00 00 00 00 00 01 03');
    expect(toHex(request.message)).toBe('000500015102000000000000' + '0103');
    expect(toHex(request.reply(specReply(5, 0x5101, '00000000', 1, true)))).toBe(
      '100500015104000101000000' + '00000000',
    );
  });

  it('has the type byte of its tunnels taken off, and put on again in the reply (D03)', () => {
    const request = taken(
      '00 00 00 00 53 11 00 00 00 00 00 00 | 01 00 0d 00 08 | 00 00 00 00 54 00 00 00 00 00 00 00'.replaceAll('|', ''),
    );
    expect(toHex(request.message)).toBe('000000005310000000000000' + '01000c00' + '000000005400000000000000');
    const reply = request.reply(
      specReply(0, 0x5300, '17000000' + '01000000540b000000000000' + '0000000400000000040003'),
    );
    expect(toHex(reply)).toBe(
      '10000000531c000000000000' + '1800000008' + '10000000540b000000000000' + '0000000400000000040003',
    );
  });

  it('sees the code of what failed inside a tunnel, and a refusal of the whole without anything inside', () => {
    const tunnel = '00 00 00 00 53 11 00 00 00 00 00 00 01 00 0d 00 08 00 07 00 01 00 00 00 00 00 00 00 00';
    const inside = taken(tunnel).reply(specReply(0, 0x5300, '0c000000' + '010700010000000003000000'));
    expect(toHex(inside)).toBe('100000005311000000000000' + '0d00000008' + '100700010000000003000000');
    expect(toHex(taken(tunnel).reply(specReply(0, 0x5300, '', 2)))).toBe('100000005300000002000000');
  });

  it('gets Identify without the component type (D09), behind a tunnel too', () => {
    const identity = '98 1e 01 00 00 00 00 00 88 77 66 55 44 33 22 11 0a';
    const reply = taken('00 01 00 01 00 00 00 00 00 00 00 00').reply(specReply(1, 0x0001, `${identity}00`));
    expect(reply.length).toBe(HEADER_SIZE + 17);
    expect(toHex(reply.subarray(HEADER_SIZE))).toBe(toHex(bytes(identity)));
  });

  it('may ask for message limits that r3.1 does not know, and hears what it asked for (D15)', () => {
    const request = taken('00 00 00 04 00 01 00 00 00 00 00 00 0d');
    expect(toHex(request.message)).toBe('000000040001000000000000' + '0a');
    expect(toHex(request.reply(specReply(0, 0x0004, '0a')))).toBe('100000040001000000000000' + '0d');
    expect(toHex(taken('00 00 00 04 00 01 00 00 00 00 00 00 15').message)).toBe('000000040001000000000000' + '15');
    expect(toHex(taken('00 00 00 04 00 01 00 00 00 00 00 00 09').message)).toBe('000000040001000000000000' + '09');
    expect(toHex(taken('00 00 00 04 00 02 00 00 00 00 00 00 0d 0d').message)).toBe('000000040002000000000000' + '0d0d');
    const odd = taken('00 00 00 04 00 00 00 00 00 00 00 00');
    expect(toHex(odd.reply(specReply(0, 0x0004, '0a')))).toBe('100000040001000000000000' + '0a');
    expect(toHex(odd.message)).toBe('000000040000000000000000');
  });

  it('names an AER error by its register, of which one bit at most can be said in the specification (D13)', () => {
    const aer = (error: number): Uint8Array => {
      const payload = new Uint8Array(40);
      writeUint(payload, 4, 4, error);
      return encodeMessage(
        { category: 'request', tag: 0, opcode: 0x5203, background: false, returnCode: 0, vendorStatus: 0, payload },
        'jackrabbit',
      );
    };
    for (const error of [0, ...Array.from({ length: 32 }, (_, bit) => 2 ** bit)]) {
      const request = fromClient(aer(error), 'jackrabbit');
      if (!request.ok) throw new Error(request.error.message);
      const payload = request.value.message.subarray(HEADER_SIZE);
      const said = readUint(payload, 4, 4);
      expect(said & 0x7fff_ffe0, `register ${error}`).toBe(0);
      expect(readUint(sent(0x5203, toHex(payload)).payload, 4, 4)).toBe(error);
    }
    expect(fromClient(aer(3), 'jackrabbit').ok).toBe(false);
    // Of a wrong size: whoever decides says so.
    expect(taken('00 00 00 03 52 01 00 00 00 00 00 00 00').message.length).toBe(13);
    expect(sent(0x5203, '00').payload.length).toBe(1);
  });

  it('is refused what is no request, and a tunnel in the form of the other dialect', () => {
    expect(fromClient(bytes('10 00 00 01 00 00 00 00 00 00 00 00'), 'jackrabbit').ok).toBe(false);
    expect(
      fromClient(
        bytes('00 00 00 00 53 10 00 00 00 00 00 00 01 00 0c 00 00 00 00 00 54 00 00 00 00 00 00 00'),
        'jackrabbit',
      ).ok,
    ).toBe(false);
  });

  it('is never given bytes that answer something else', () => {
    const request = taken('00 00 00 00 53 11 00 00 00 00 00 00 01 00 0d 00 08 00 07 00 01 00 00 00 00 00 00 00 00');
    expect(() => request.reply(bytes('00'))).toThrow('cannot be read');
    expect(() => request.reply(specReply(0, 0x5300, '0c000000' + '010800010000000003000000'))).toThrow(
      'cannot be read',
    );
  });
});

describe('a client of the specification', () => {
  it('is passed on as it is, both ways', () => {
    const message = bytes('00 05 00 01 51 02 00 00 00 00 cd ab 01 03');
    const request = fromClient(message, 'spec');
    if (!request.ok) throw new Error('refused');
    expect(request.value.message).toBe(message);
    expect(request.value.reply(message)).toBe(message);
  });
});

describe('a device of the old dialect', () => {
  it('is sent tunnels with the type byte, and read without it', () => {
    const request = sent(0x5300, '01000c00' + '000900005400000000000000');
    expect(toHex(request.payload)).toBe('01000d0008' + '000900005400000000000000');
    const reply = request.reply({ ...layer, payload: bytes('0f00000008' + '100900005402000000000000' + 'aabb') });
    expect(toHex(reply)).toBe('0e000000' + '010900005402000000000000' + 'aabb');
  });

  it('that answers a tunnel with nonsense is not believed', () => {
    const request = sent(0x5300, '01000c00' + '000900005400000000000000');
    expect(request.reply({ ...layer, payload: bytes('0e000000' + '010900005402000000000000' + 'aabb') }).length).toBe(
      0,
    );
  });

  it('has a component type added to its Identify by where it was asked', () => {
    const identity = bytes('98 1e 01 00 00 00 00 00 88 77 66 55 44 33 22 11 0a');
    expect(
      sent(0x0001, '')
        .reply({ ...layer, payload: identity })
        .at(-1),
    ).toBe(0);
    const tunnel = sent(0x5300, '01000c00' + '000900010000000000000000');
    const inner = `1e00000008${toHex(bytes('10 09 00 01 00 11 00 00 00 00 00 00'))}${toHex(identity)}`;
    expect(toHex(tunnel.reply({ ...layer, payload: bytes(inner) })).slice(-2)).toBe('03');
    // A newer one says it itself; a refusal says nothing.
    expect(
      sent(0x0001, '')
        .reply({ ...layer, payload: Uint8Array.of(...identity, 7) })
        .at(-1),
    ).toBe(7);
    expect(sent(0x0001, '').reply({ ...layer, returnCode: 3, payload: new Uint8Array(0) }).length).toBe(0);
  });

  it('gets nothing that does not decode, and nothing longer than its tunnels hold', () => {
    expect(toDevice(0x5300, bytes('01'), 'jackrabbit').ok).toBe(false);
    const most = 65535;
    const tunnel = new Uint8Array(4 + most);
    writeUint(tunnel, 2, 2, most);
    tunnel.set(bytes('00 00 00 01 43'), 4);
    writeUint(tunnel, 4 + 5, 2, most - HEADER_SIZE);
    expect(toDevice(0x5300, tunnel, 'spec').ok).toBe(true);
    expect(toDevice(0x5300, tunnel, 'jackrabbit').ok).toBe(false);
  });

  it('of the specification is sent what it was sent', () => {
    const request = toDevice(0x5101, bytes('0103'), 'spec');
    if (!request.ok) throw new Error('refused');
    expect(request.value).toMatchObject({ opcode: 0x5101, payload: bytes('0103') });
    expect(toHex(request.value.reply({ ...layer, payload: bytes('0102') }))).toBe('0102');
  });
});

describe('bytes of strangers', () => {
  it('never make the translation throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom('spec', 'jackrabbit'), (message, dialect) => {
        fromClient(message, dialect);
        toDevice(0x5300, message, dialect);
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe('segments', () => {
  it('end between packets, and leave nothing out', () => {
    const message = Uint8Array.from({ length: 65 * PACKET_SIZE }, (_, i) => i & 0xff);
    const pieces = segments(message);
    expect(pieces.length).toBe(4);
    for (const piece of pieces) expect(piece.length % PACKET_SIZE).toBe(0);
    expect(Buffer.concat(pieces)).toEqual(Buffer.from(message));
    expect(segments(message.subarray(0, PACKET_SIZE)).length).toBe(1);
  });
});
