import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consoleBytesFrame, readConsoleBytes, readConsoleMessage } from '../../../src/edge/http/console-messages.ts';

const read = (value: unknown) => readConsoleMessage(Buffer.from(JSON.stringify(value)));
const id = '00000000-0000-4000-8000-000000000000';
const open = { type: 'open', program: 'tool', reason: 'because of it', columns: 80, rows: 24 };

describe('a control message', () => {
  it.each([
    open,
    { ...open, duration_ms: 1000 },
    { type: 'resume', session: id, seat: 'abc', after: 0 },
    { type: 'watch', session: id },
    { type: 'ack', offset: 5 },
    { type: 'resize', columns: 1, rows: 1000 },
    { type: 'close' },
  ])('is taken: %j', (message) => expect(read(message)).toEqual(message));

  it.each([
    { ...open, columns: 0 },
    { ...open, columns: 1001 },
    { ...open, columns: 1.5 },
    { ...open, columns: '80' },
    { ...open, rows: undefined },
    { ...open, reason: 'x'.repeat(501) },
    { ...open, program: 'x'.repeat(33) },
    { ...open, duration_ms: -1 },
    { ...open, arguments: ['-c'] },
    { ...open, 'duration_ms?': 5 },
    { type: 'resume', session: 'x', seat: 'abc', after: 0 },
    { type: 'resume', session: id, seat: 'a b', after: 0 },
    { type: 'resume', session: id, seat: 'abc', after: 2 ** 53 },
    { type: 'ack', offset: -1 },
    { type: 'close', now: true },
    { type: '__proto__' },
    { type: 'constructor' },
    { type: 5 },
    {},
    [],
    null,
    'open',
  ])('is refused: %j', (message) => expect(read(message)).toBeUndefined());

  it('never throws, whatever the bytes are', () => {
    const json = fc.json().map((text) => Buffer.from(text));
    const bytes = fc.uint8Array({ maxLength: 300 }).map((one) => Buffer.from(one));
    fc.assert(
      fc.property(fc.oneof(json, bytes), (data) => {
        readConsoleMessage(data);
        readConsoleBytes(data);
      }),
      { numRuns: 500, seed: 8 },
    );
  });
});

describe('bytes with their offset', () => {
  it('come back as they were', () => {
    const frames = fc.tuple(fc.nat({ max: Number.MAX_SAFE_INTEGER }), fc.uint8Array({ minLength: 1, maxLength: 200 }));
    fc.assert(
      fc.property(frames, ([offset, bytes]) => {
        expect(readConsoleBytes(consoleBytesFrame(offset, bytes))).toEqual({ offset, bytes });
      }),
      { numRuns: 200, seed: 8 },
    );
  });

  it('are refused without any, or with an offset that no number can be', () => {
    expect(readConsoleBytes(Buffer.alloc(8))).toBeUndefined();
    expect(readConsoleBytes(Buffer.alloc(9, 0xff))).toBeUndefined();
  });
});
