import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Dialect, encodeMessage, fromHex, toHex } from '../../src/cci/index.ts';
import {
  type Assembly,
  defaultMctpLimits,
  MCTP_TYPE,
  PACKET_SIZE,
  type Packet,
  PacketReader,
  packetize,
  Reassembler,
  trimMessage,
} from '../../src/cci/mctp.ts';

const request = { destination: 0, source: 0, tagOwner: true, tag: 0 };

function message(payload: Uint8Array, dialect: Dialect = 'spec'): Uint8Array {
  return encodeMessage(
    { category: 'request', tag: 1, opcode: 0x5101, background: false, returnCode: 0, vendorStatus: 0, payload },
    dialect,
  );
}

function packetsOf(bytes: Uint8Array): readonly Packet[] {
  const packets = new PacketReader().push(bytes);
  if (!packets.ok) throw new Error(packets.error.message);
  return packets.value;
}

function lastOf(reassembler: Reassembler, packets: readonly Packet[], nowMs = 0): Assembly | undefined {
  let last: Assembly | undefined;
  for (const packet of packets) last = reassembler.accept(packet, nowMs);
  return last;
}

describe('packetize: the bytes other tools put on the wire', () => {
  it('makes the one packet of Identify, padded to 68 bytes', () => {
    const { bytes, nextSequence } = packetize(
      request,
      MCTP_TYPE.fmApi,
      fromHex('00 00 00 01 00 00 00 00 00 00 00 00') as Uint8Array,
      0,
    );
    expect(bytes.length).toBe(PACKET_SIZE);
    expect(toHex(bytes.subarray(0, 17))).toBe('010000c8' + '07' + '000000010000000000000000');
    expect(nextSequence).toBe(1);
  });

  it('gives a 32-port reply nine packets with the flag bytes of section 1', () => {
    const { bytes } = packetize(
      { ...request, tagOwner: false },
      MCTP_TYPE.fmApi,
      message(new Uint8Array(4 + 32 * 16)),
      0,
    );
    const flags = Array.from({ length: bytes.length / PACKET_SIZE }, (_, i) => bytes[i * PACKET_SIZE + 3] ?? 0);
    expect(toHex(Uint8Array.from(flags))).toBe('801020300010203040');
  });

  it('gives a request for 255 ports five packets: 88 18 28 38 48', () => {
    const { bytes } = packetize(request, MCTP_TYPE.fmApi, message(new Uint8Array(256)), 0);
    const flags = Array.from({ length: bytes.length / PACKET_SIZE }, (_, i) => bytes[i * PACKET_SIZE + 3] ?? 0);
    expect(toHex(Uint8Array.from(flags))).toBe('8818283848');
  });
});

describe('PacketReader: segments of a TCP stream', () => {
  it('finds the same packets however the stream is cut', () => {
    const { bytes } = packetize(request, MCTP_TYPE.fmApi, message(new Uint8Array(300)), 0);
    const whole = packetsOf(bytes);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const reader = new PacketReader();
        const packets: Packet[] = [];
        let at = 0;
        for (let i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          const found = reader.push(bytes.subarray(at, at + size));
          if (!found.ok) throw new Error(found.error.message);
          packets.push(...found.value);
          at += size;
        }
        expect(packets).toEqual(whole);
        expect(reader.waiting).toBe(0);
      }),
    );
  });

  it.each([0, 2, 15])('closes on header version %i, at the first byte', (version) => {
    const result = new PacketReader().push(Uint8Array.of(version));
    expect(result).toMatchObject({ ok: false, error: { code: 'version' } });
  });

  it('takes the reserved bits of byte 0 and any EID', () => {
    const bytes = packetize({ ...request, source: 77, destination: 200 }, 7, message(new Uint8Array(0)), 0).bytes;
    bytes[0] = 0xf1;
    expect(packetsOf(bytes)[0]).toMatchObject({ source: 77, destination: 200 });
  });
});

describe('Reassembler: messages of a connection', () => {
  it('gives back every message of either dialect, whatever the padding', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 8192 }),
        fc.constantFrom<Dialect>('spec', 'jackrabbit'),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 0, max: 255 }),
        (payload, dialect, sequence, padding) => {
          const body = message(payload, dialect);
          const { bytes } = packetize({ ...request, tag: 5, source: 9 }, MCTP_TYPE.cci, body, sequence);
          const used = Math.floor(body.length / 64) * PACKET_SIZE + 4 + 1 + (body.length % 64);
          bytes.fill(padding, Math.min(used, bytes.length));
          const last = lastOf(new Reassembler(dialect), packetsOf(bytes));
          if (last?.kind !== 'message') throw new Error(JSON.stringify(last));
          expect(last.message).toMatchObject({ type: 8, tag: 5, source: 9, tagOwner: true });
          const trimmed = trimMessage(last.message, dialect);
          if (!trimmed.ok) throw new Error('short');
          expect(toHex(trimmed.value)).toBe(toHex(body));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps messages of two tags and two sources apart when their packets alternate', () => {
    const reassembler = new Reassembler('spec');
    const sent = [
      packetize({ ...request, tag: 1 }, 7, message(Uint8Array.from({ length: 100 }, () => 1)), 0).bytes,
      packetize({ ...request, tag: 2 }, 7, message(Uint8Array.from({ length: 100 }, () => 2)), 0).bytes,
      packetize({ ...request, tag: 1, source: 3 }, 7, message(Uint8Array.from({ length: 100 }, () => 3)), 0).bytes,
    ].map(packetsOf);
    const first = sent.map((packets) => packets[0] && reassembler.accept(packets[0], 0).kind);
    const second = sent.map((packets) => packets[1] && reassembler.accept(packets[1], 0));
    expect(first).toEqual(['incomplete', 'incomplete', 'incomplete']);
    expect(second.map((result) => (result && result.kind === 'message' ? result.message.body[12] : undefined))).toEqual(
      [1, 2, 3],
    );
    expect(reassembler.openCount).toBe(0);
  });

  it('drops a message with a sequence gap, and a first packet begins anew', () => {
    const reassembler = new Reassembler('spec');
    const packets = packetsOf(packetize(request, 7, message(new Uint8Array(200)), 0).bytes);
    const [a, , c] = packets;
    if (a === undefined || c === undefined) throw new Error('too few packets');
    reassembler.accept(a, 0);
    expect(reassembler.accept(c, 0)).toEqual({ kind: 'dropped', reason: 'gap' });
    expect(reassembler.accept(c, 0)).toEqual({ kind: 'dropped', reason: 'no-start' });
    expect(lastOf(reassembler, packets)?.kind).toBe('message');
  });

  it('forgets a message that does not end in time', () => {
    const reassembler = new Reassembler('spec');
    const [a, b] = packetsOf(packetize(request, 7, message(new Uint8Array(200)), 0).bytes);
    if (a === undefined || b === undefined) throw new Error('too few packets');
    reassembler.accept(a, 0);
    expect(reassembler.accept(b, defaultMctpLimits.assemblyMs)).toEqual({ kind: 'dropped', reason: 'no-start' });
  });

  it('refuses a message that declares more than the cap before it is collected', () => {
    const body = message(new Uint8Array(0));
    body[5] = 0x01;
    body[6] = 0x20;
    const [packet] = packetsOf(packetize(request, 7, body, 0).bytes);
    if (packet === undefined) throw new Error('no packet');
    expect(new Reassembler('spec').accept({ ...packet, last: false }, 0)).toEqual({
      kind: 'dropped',
      reason: 'too-long',
    });
  });

  it('refuses packets that go on behind the declared end', () => {
    const reassembler = new Reassembler('spec');
    const [packet] = packetsOf(packetize(request, 7, message(new Uint8Array(4)), 0).bytes);
    if (packet === undefined) throw new Error('no packet');
    reassembler.accept({ ...packet, last: false }, 0);
    const next = { ...packet, first: false, last: false, sequence: 1 };
    expect(reassembler.accept(next, 0)).toEqual({ kind: 'dropped', reason: 'too-long' });
  });

  it('holds at most `maxOpen` incomplete messages, so a peer cannot fill the memory', () => {
    const reassembler = new Reassembler('spec');
    const results: string[] = [];
    for (let source = 0; source < 40; source++) {
      const [packet] = packetsOf(packetize({ ...request, source }, 7, message(new Uint8Array(200)), 0).bytes);
      if (packet !== undefined) results.push(reassembler.accept(packet, 0).kind);
    }
    expect(results.filter((kind) => kind === 'incomplete')).toHaveLength(defaultMctpLimits.maxOpen);
    expect(reassembler.openCount).toBe(defaultMctpLimits.maxOpen);
  });

  it('never throws and never holds more than its caps, whatever packets come', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 67, maxLength: 67 }), { maxLength: 60 }), (tails) => {
        const reader = new PacketReader();
        const reassembler = new Reassembler('spec');
        for (const tail of tails) {
          const packets = reader.push(Uint8Array.of(1, ...tail));
          if (packets.ok) for (const packet of packets.value) reassembler.accept(packet, 0);
          expect(reassembler.openCount).toBeLessThanOrEqual(defaultMctpLimits.maxOpen);
        }
      }),
    );
  });
});

describe('trimMessage: the true length is in the CCI header', () => {
  it('leaves a control message as it came: its length is not on the wire', () => {
    const body = Uint8Array.of(0x80, 0x02, 0, 0);
    const message = { type: MCTP_TYPE.control, destination: 0, source: 0, tagOwner: true, tag: 0, body };
    expect(trimMessage(message)).toEqual({ ok: true, value: body });
  });

  it.each([52, 116, 180])('sees the byte that one packetiser loses with a payload of %i', (size) => {
    const body = message(new Uint8Array(size));
    const cut = body.subarray(0, body.length - 1);
    const last = lastOf(new Reassembler('spec'), packetsOf(packetize(request, 7, cut, 0).bytes));
    if (last?.kind !== 'message') throw new Error('no message');
    expect(trimMessage(last.message)).toEqual({
      ok: false,
      error: { code: 'short', declared: 12 + size, received: 12 + size - 1 },
    });
  });

  it('reads the length bits of byte 7 where each dialect has them (D02)', () => {
    const limits = { ...defaultMctpLimits, maxPayload: 1 << 21 };
    const body = message(new Uint8Array(0x10000), 'jackrabbit');
    expect(body[7]).toBe(0x08);
    const last = lastOf(new Reassembler('jackrabbit', limits), packetsOf(packetize(request, 7, body, 0).bytes));
    expect(last?.kind === 'message' && trimMessage(last.message, 'jackrabbit').ok).toBe(true);
  });
});
