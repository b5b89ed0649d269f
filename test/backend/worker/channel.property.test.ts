import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { BackendError } from '../../../src/backend/index.ts';
import { encodeFrame, type Frame, FrameError, FrameReader } from '../../../src/backend/worker/frames.ts';
import {
  decodeExecute,
  decodeFailed,
  decodeOpened,
  decodeReply,
  encodeExecute,
  encodeFailed,
  encodeOpened,
  encodeReply,
  oneLine,
} from '../../../src/backend/worker/messages.ts';

const SEED = { seed: 11, numRuns: 300 };
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const u16 = fc.integer({ min: 0, max: 0xffff });

const workerFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant('reply' as const),
    sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
    body: fc.uint8Array({ minLength: 8, maxLength: 200 }),
  }),
  fc.record({
    kind: fc.constantFrom('closed' as const, 'ready' as const),
    sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
    body: fc.constant(new Uint8Array(0)),
  }),
);

/** Reads a stream that comes in pieces of these lengths, the last one with all that is left. */
function readInPieces(stream: Buffer, lengths: readonly number[]): Frame[] {
  const reader = new FrameReader('worker');
  const frames: Frame[] = [];
  let at = 0;
  for (const length of [...lengths, stream.length]) {
    for (const frame of reader.take(stream.subarray(at, at + length)))
      frames.push({ ...frame, body: Uint8Array.from(frame.body) });
    at += length;
  }
  return frames;
}

describe('frames between broker and device worker', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(workerFrame, { maxLength: 6 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 30 }),
        (frames, lengths) => {
          const stream = Buffer.concat(frames.map((frame) => encodeFrame(frame)));
          expect(readInPieces(stream, lengths)).toEqual(frames);
        },
      ),
      SEED,
    );
  });

  it('any bytes are frames or a FrameError, and a body is not waited for when its header is wrong', () => {
    fc.assert(
      fc.property(bytes(64), (garbage) => {
        try {
          readInPieces(Buffer.from(garbage), []);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      SEED,
    );
    const header = encodeFrame({ kind: 'closed', sequence: 1, body: new Uint8Array(0) });
    header.writeUInt32LE(1, 8);
    expect(() => readInPieces(header, [])).toThrow(FrameError);
  });

  it('a frame of the other direction is refused', () => {
    const request = encodeFrame({ kind: 'close', sequence: 1, body: new Uint8Array(0) });
    expect(() => readInPieces(request, [])).toThrow('a frame of unknown kind');
  });

  it('a body out of bounds is not encoded', () => {
    expect(() => encodeFrame({ kind: 'closed', sequence: 1, body: new Uint8Array(1) })).toThrow(RangeError);
    expect(() =>
      encodeReply({ returnCode: 0, vendorStatus: 0, background: false, payload: new Uint8Array(2 ** 20 + 1) }),
    ).toThrow(RangeError);
  });
});

describe('messages between broker and device worker', () => {
  it('commands and replies come out as they went in', () => {
    fc.assert(
      fc.property(
        u16,
        u16,
        fc.boolean(),
        bytes(100),
        fc.integer({ min: 0, max: 100_000 }),
        (code, status, background, payload, leftMs) => {
          const command = { opcode: code, leftMs, payload };
          expect(decodeExecute(encodeExecute(command))).toEqual(command);
          const reply = { returnCode: code, vendorStatus: status, background, payload };
          expect(decodeReply(encodeReply(reply), 100)).toEqual(reply);
        },
      ),
      SEED,
    );
  });

  it('what is left of a deadline stays within its 32 bits', () => {
    const left = (leftMs: number) =>
      decodeExecute(encodeExecute({ opcode: 1, leftMs, payload: new Uint8Array(0) })).leftMs;
    expect([left(-5), left(0.4), left(1e12)]).toEqual([0, 0, 0xffff_ffff]);
  });

  it('any bytes are a message or a FrameError', () => {
    const decoders = [(body: Uint8Array) => decodeReply(body, 64), decodeExecute, decodeFailed, decodeOpened] as const;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 120 }), fc.constantFrom(...decoders), (body, decode) => {
        try {
          decode(body);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      SEED,
    );
  });

  it('a reply over the mailbox, or with a reserved byte, is refused', () => {
    const reply = { returnCode: 0, vendorStatus: 0, background: false, payload: new Uint8Array(65) };
    expect(() => decodeReply(encodeReply(reply), 64)).toThrow(FrameError);
    for (const at of [4, 5, 6, 7]) {
      const body = Uint8Array.from(encodeReply({ ...reply, payload: new Uint8Array(0) }));
      body[at] = 2;
      expect(() => decodeReply(body, 64)).toThrow(FrameError);
    }
    const command = Uint8Array.from(encodeExecute({ opcode: 1, leftMs: 1, payload: new Uint8Array(0) }));
    command[2] = 1;
    expect(() => decodeExecute(command)).toThrow(FrameError);
  });

  it('failures keep code and outcome, and their text is one line', () => {
    for (const code of ['EIO', 'ETIMEDOUT', 'EBUSY', 'EINVAL', 'EPROTO'] as const) {
      for (const outcome of ['not-sent', 'unknown'] as const) {
        const sent = new BackendError(code, outcome, 'two\nlines \u001b[2J');
        expect(decodeFailed(encodeFailed(sent))).toMatchObject({ code, outcome, message: 'two lines  [2J' });
      }
    }
    expect(() => decodeFailed(Uint8Array.of(5, 0, 0, 0))).toThrow(FrameError);
    expect(() => decodeFailed(Uint8Array.of(0, 2, 0, 0))).toThrow(FrameError);
    expect(oneLine('x'.repeat(5000))).toHaveLength(1000);
  });

  const opened = {
    identity: { kind: 'mailbox/vfio', description: 'a switch', bootId: 'b', session: 's', notes: ['mind the gap'] },
    maxPayload: 2048,
  };

  it('an identity comes out as it went in, without what is absent', () => {
    expect(decodeOpened(encodeOpened(opened))).toEqual(opened);
    const least = { identity: { kind: 'k', description: '', bootId: '' }, maxPayload: 256 };
    expect(decodeOpened(encodeOpened(least))).toEqual(least);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['null', 'null'],
    ['an unknown key', JSON.stringify({ ...wire(), touchesHostHardware: false })],
    ['a text with a line break', JSON.stringify({ ...wire(), description: 'a\nb' })],
    ['a number for a text', JSON.stringify({ ...wire(), bootId: 1 })],
    ['no notes', JSON.stringify({ ...wire(), notes: undefined })],
    ['too many notes', JSON.stringify({ ...wire(), notes: Array.from({ length: 17 }, () => 'n') })],
    ['a note that is none', JSON.stringify({ ...wire(), notes: [{}] })],
    ['a session that is none', JSON.stringify({ ...wire(), session: 7 })],
    ['no payload size', JSON.stringify({ ...wire(), maxPayload: '2048' })],
    ['a payload size of nothing', JSON.stringify({ ...wire(), maxPayload: 0 })],
    ['a payload size over every mailbox', JSON.stringify({ ...wire(), maxPayload: 2 ** 20 + 1 })],
  ])('an identity with %s is refused', (_, text) => {
    expect(() => decodeOpened(Buffer.from(text))).toThrow(FrameError);
  });

  function wire() {
    return { kind: 'k', description: 'd', bootId: 'b', notes: [], maxPayload: 2048 };
  }
});

it('a large answer that a worker sends byte by byte is put together once, not copied anew with each byte', () => {
  const copied = vi.spyOn(Buffer, 'concat');
  const reader = new FrameReader('worker');
  const bytes = encodeFrame({ kind: 'reply', sequence: 7, body: new Uint8Array(20_000).fill(5) });
  const frames: Frame[] = [];
  for (const byte of bytes) frames.push(...reader.take(Buffer.from([byte])));
  const most = Math.max(0, ...copied.mock.results.map(({ value }) => (value as Buffer).length));
  copied.mockRestore();
  expect(frames.map(({ kind, sequence, body }) => [kind, sequence, body.length])).toEqual([['reply', 7, 20_000]]);
  expect(most).toBeLessThan(32);
});
