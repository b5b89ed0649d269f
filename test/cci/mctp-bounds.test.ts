import { describe, expect, test } from 'vitest';
import { type Dialect, encodeMessage } from '../../src/cci/index.ts';
import {
  MCTP_TYPE,
  PACKET_SIZE,
  type Packet,
  PacketReader,
  packetize,
  Reassembler,
  trimMessage,
} from '../../src/cci/mctp.ts';
import { segments } from '../../src/cci/mctp-segments.ts';

// What a peer can make the broker hold: messages to the byte, other types that do not say how long they are, and tags
// that look like each other.

const limits = { maxPayload: 128, maxOpen: 2, assemblyMs: 1000 };
const address = { destination: 0, source: 0, tagOwner: true, tag: 0 };

function cci(size: number, dialect: Dialect = 'spec'): Uint8Array {
  const payload = new Uint8Array(size).fill(0xa5);
  return encodeMessage(
    { category: 'request', tag: 1, opcode: 0x5101, background: false, returnCode: 0, vendorStatus: 0, payload },
    dialect,
  );
}

function packetsOf(type: number, body: Uint8Array, from: object = {}): readonly Packet[] {
  const packets = new PacketReader().push(packetize({ ...address, ...from }, type, body, 0).bytes);
  if (!packets.ok) throw new Error(packets.error.message);
  return packets.value;
}

/** What the packets of one message led to: the kind of the last answer, or why one was dropped. */
function outcome(type: number, body: Uint8Array, dialect: Dialect = 'spec'): string {
  const reassembler = new Reassembler(dialect, limits);
  for (const packet of packetsOf(type, body)) {
    const answer = reassembler.accept(packet, 0);
    if (answer.kind === 'dropped') return answer.reason;
    if (answer.kind === 'message') return `message of ${answer.message.body.length}`;
  }
  return 'incomplete';
}

describe('a message', () => {
  test.each([
    ['a CCI message of the cap', MCTP_TYPE.fmApi, cci(128), 'message of 191'],
    ['a CCI message one byte over it', MCTP_TYPE.fmApi, cci(129), 'too-long'],
    ['one of type 8, one byte over it', MCTP_TYPE.cci, cci(129), 'too-long'],
    ['another type, as long as the cap allows', 5, new Uint8Array(127), 'message of 127'],
    ['another type, one packet longer', 5, new Uint8Array(128), 'too-long'],
    ['a short one of another type', 5, new Uint8Array(3), 'message of 63'],
  ])('%s', (_name, type, body, expected) => expect(outcome(type, body)).toBe(expected));

  test('of the old dialect has its length in other bits', () => {
    expect(outcome(MCTP_TYPE.fmApi, cci(128, 'jackrabbit'), 'jackrabbit')).toBe('message of 191');
    expect(outcome(MCTP_TYPE.fmApi, cci(129, 'jackrabbit'), 'jackrabbit')).toBe('too-long');
  });

  test('comes out byte by byte as it went in, however many packets it took', () => {
    const reassembler = new Reassembler('spec');
    const sent = cci(300);
    sent.set(
      Uint8Array.from({ length: 300 }, (_, index) => index & 0xff),
      12,
    );
    const packets = packetsOf(MCTP_TYPE.fmApi, sent);
    let at = 0;
    for (const packet of packets) {
      const answer = reassembler.accept(packet, 0);
      at += 1;
      if (at < packets.length) expect(answer.kind).toBe('incomplete');
      else expect(answer.kind === 'message' && trimMessage(answer.message)).toEqual({ ok: true, value: sent });
    }
    expect(reassembler.openCount).toBe(0);
  });

  test('that fills its packets to the last byte needs no more of them', () => {
    expect(packetize(address, 7, cci(51), 0).bytes).toHaveLength(PACKET_SIZE);
    expect(packetize(address, 7, cci(52), 0).bytes).toHaveLength(2 * PACKET_SIZE);
  });

  test('that goes on behind its declared end is dropped with its next packet, not later', () => {
    const reassembler = new Reassembler('spec', limits);
    const [first] = packetsOf(MCTP_TYPE.fmApi, cci(51));
    if (first === undefined) throw new Error('no packet');
    // Its 63 bytes are all there; one packet more may complete it, two may not.
    expect(reassembler.accept({ ...first, last: false }, 0).kind).toBe('incomplete');
    expect(reassembler.accept({ ...first, first: false, last: false, sequence: 1 }, 0)).toEqual({
      kind: 'dropped',
      reason: 'too-long',
    });
    expect(reassembler.openCount).toBe(0);
  });
});

describe('messages side by side', () => {
  test.each([
    ['sources', { source: 1 }],
    ['tags', { tag: 1 }],
    ['owners of the tag', { tagOwner: false }],
    ['sources and tags', { source: 1, tag: 7 }],
  ])('of two %s are two', (_name, other) => {
    const reassembler = new Reassembler('spec', limits);
    const [mine = [], theirs = []] = [packetsOf(7, cci(100)), packetsOf(7, cci(100), other)];
    for (const packet of [mine[0], theirs[0]])
      if (packet) expect(reassembler.accept(packet, 0).kind).toBe('incomplete');
    expect(reassembler.openCount).toBe(2);
    for (const packet of [mine[1], theirs[1]]) if (packet) expect(reassembler.accept(packet, 0).kind).toBe('message');
    expect(reassembler.openCount).toBe(0);
  });

  test('more than the cap are refused and say so, and those begun go on', () => {
    const reassembler = new Reassembler('spec', limits);
    const begun = [0, 1, 2].map((source) => packetsOf(7, cci(100), { source }));
    const first = begun.map(([packet]) => packet && reassembler.accept(packet, 0));
    expect(first).toEqual([{ kind: 'incomplete' }, { kind: 'incomplete' }, { kind: 'dropped', reason: 'too-many' }]);
    expect(begun.map(([, packet]) => packet && reassembler.accept(packet, 0).kind)).toEqual([
      'message',
      'message',
      'dropped',
    ]);
  });

  test('a packet out of order ends its message, and only that', () => {
    const reassembler = new Reassembler('spec', limits);
    const [a, b] = packetsOf(7, cci(100));
    if (a === undefined || b === undefined) throw new Error('too few packets');
    reassembler.accept(a, 0);
    expect(reassembler.accept({ ...b, sequence: 2 }, 0)).toEqual({ kind: 'dropped', reason: 'gap' });
    expect(reassembler.openCount).toBe(0);
    expect(reassembler.accept(b, 0)).toEqual({ kind: 'dropped', reason: 'no-start' });
  });

  test('are forgotten when their time is over, each by its own start, and counted', () => {
    const reassembler = new Reassembler('spec', limits);
    const start = (source: number, nowMs: number): void => {
      const [packet] = packetsOf(7, cci(100), { source });
      if (packet) reassembler.accept(packet, nowMs);
    };
    start(0, 5000);
    start(1, 5400);
    expect(reassembler.expire(5999)).toBe(0);
    expect(reassembler.expire(6000)).toBe(1);
    expect(reassembler.expire(6399)).toBe(0);
    expect(reassembler.expire(9000)).toBe(1);
    expect(reassembler.openCount).toBe(0);
  });
});

test('writes are of whole packets, 17 at most, and all that there was', () => {
  const of = (count: number) =>
    segments(new Uint8Array(count * PACKET_SIZE)).map((piece) => piece.length / PACKET_SIZE);
  expect([1, 17, 18, 34, 35].map(of)).toEqual([[1], [17], [17, 1], [17, 17], [17, 17, 1]]);
});
