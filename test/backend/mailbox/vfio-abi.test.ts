import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeDeviceInfo,
  decodeFlags,
  decodeIrqInfo,
  decodeRegionInfo,
  encodeDescriptor,
  encodeIrqInfo,
  encodeName,
  encodeRegionInfo,
  encodeSetIrqs,
  encodeSized,
  VFIO,
} from '../../../src/backend/mailbox/vfio/abi.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

test('request numbers are type `;` and 100 onwards', () => {
  const numbers = Object.values(VFIO).map((request) => [request >>> 8, (request & 0xff) - 100]);
  expect(numbers).toEqual([0, 1, 2, 3, 4, 6, 7, 8, 9, 10].map((n) => [';'.charCodeAt(0), n]));
});

test('what is asked, byte by byte', () => {
  expect(hex(encodeSized(8))).toBe('0800000000000000');
  expect(hex(encodeRegionInfo(7, 32))).toBe(`20000000 00000000 07000000 ${'00'.repeat(20)}`.replaceAll(' ', ''));
  expect(hex(encodeIrqInfo(2))).toBe('10000000000000000200000000000000');
  expect(hex(encodeName('0000:0d:00.1'))).toBe('303030303a30643a30302e3100');
  expect(hex(encodeDescriptor(258))).toBe('02010000');
  // argsz 28, event counters that trigger, index 2, start 0, count 2: none, and descriptor 17.
  expect(hex(encodeSetIrqs(2, 0, [-1, 17]))).toBe(
    '1c000000240000000200000000000000 02000000ffffffff11000000'.replaceAll(' ', ''),
  );
});

test('what is answered, byte by byte', () => {
  expect(decodeFlags(bytes('08000000 03000000'))).toBe(3);
  expect(decodeDeviceInfo(bytes('18000000 02000000 09000000 05000000 00000000 00000000'))).toEqual({
    regions: 9,
    irqs: 5,
  });
  expect(decodeIrqInfo(bytes('10000000 09000000 02000000 20000000'))).toEqual({ flags: 9, count: 32 });
  const plain = '20000000 07000000 00000000 00000000 0010000000000000 0000000000010000';
  expect(decodeRegionInfo(bytes(plain))).toEqual({
    flags: 7,
    answerBytes: 32,
    bytes: 0x1000,
    position: 2 ** 40,
    areas: undefined,
  });
  const sparse = `
    48000000 0f000000 00000000 20000000 0020000000000000 0000000000000000
    0100 0100 00000000 01000000 00000000 0010000000000000 0010000000000000 0000000000000000`;
  expect(decodeRegionInfo(bytes(sparse)).areas).toEqual([{ offset: 0x1000, bytes: 0x1000 }]);
});

test('no list of capabilities is read outside of the answer, or for ever', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 120 }), fc.integer({ min: 0, max: 130 }), (noise, first) => {
      const answer = Uint8Array.from(noise);
      answer[4] = 0x0f;
      answer[12] = first;
      answer.fill(0, 13, 16);
      const { areas } = decodeRegionInfo(answer);
      if (areas !== undefined) expect(areas.length).toBeLessThanOrEqual(6);
    }),
    { numRuns: 500 },
  );
});
