import { expect, test } from 'vitest';
import {
  CXL_MEM_QUERY_COMMANDS,
  CXL_MEM_SEND_COMMAND,
  decodeQuery,
  decodeQueryCount,
  decodeSend,
  encodeQuery,
  encodeSend,
} from '../../../src/backend/chardev/abi.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

test('the request numbers are those that the header makes: direction, size, magic, number', () => {
  const number = (direction: number, size: number, n: number) =>
    direction * 2 ** 30 + size * 2 ** 16 + 0xce * 2 ** 8 + n;
  expect(CXL_MEM_QUERY_COMMANDS).toBe(number(2, 8, 1));
  expect(CXL_MEM_SEND_COMMAND).toBe(number(3, 48, 2));
});

test('a command that the kernel lists, field by field', () => {
  const call = encodeSend({
    id: 8,
    input: { bytes: 0x18, address: 0x7f11_2233_4455_6677n },
    output: { bytes: 0x200, address: 0x7f11_2233_4455_7777n },
  });
  expect(hex(call)).toBe(
    [
      '08000000 00000000', // id, flags
      '00000000 00000000', // reserved, retval
      '18000000 00000000 776655443322117f', // in: size, reserved, payload
      '00020000 00000000 777755443322117f', // out
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('a raw command carries its opcode where others have zeros', () => {
  const none = { bytes: 0, address: 0n };
  const call = encodeSend({ id: 2, rawOpcode: 0x5100, input: none, output: none });
  expect(hex(call)).toBe(`02000000 00000000 0051 0000 00000000 ${'00'.repeat(32)}`.replaceAll(' ', ''));
});

test("the device's return code and the length of its output are read where the kernel writes them", () => {
  const call = bytes(`08000000 00000000 00000000 17000000 ${'ff'.repeat(16)} 24000000 ${'ff'.repeat(12)}`);
  expect(call.length).toBe(48);
  expect(decodeSend(call)).toEqual({ returnCode: 0x17, outputBytes: 0x24 });
});

test('a query asks for a number of rows, and empty slots of the answer are no rows', () => {
  expect(hex(encodeQuery(0))).toBe('0000000000000000');
  expect(hex(encodeQuery(2))).toBe(`02000000${'00'.repeat(36)}`);
  expect(decodeQueryCount(bytes('19000000 00000000'))).toBe(25);
  const answer = bytes(`
    03000000 00000000
    00000000 00000000 00000000 00000000
    01000000 01000000 00000000 43000000
    0a000000 03000000 ffffffff 00000000`);
  expect(decodeQuery(answer)).toEqual([
    { id: 1, flags: 1, inputBytes: 0, outputBytes: 0x43 },
    { id: 10, flags: 3, inputBytes: 0xffff_ffff, outputBytes: 0 },
  ]);
  // A row that is cut off is none.
  expect(decodeQuery(answer.subarray(0, 55))).toEqual([{ id: 1, flags: 1, inputBytes: 0, outputBytes: 0x43 }]);
});
