import { describe, expect, test } from 'vitest';
import {
  decodeCel,
  encodeCel,
  enumCode,
  enumNames,
  enumText,
  equalBytes,
  fromHex,
  hex16,
  isSuccess,
  joinBytes,
  ldId,
  opcode,
  portId,
  RC,
  readUint,
  readUint64,
  returnCodeName,
  toHex,
  uuidBytes,
  uuidText,
  vcsId,
  vppbId,
  writeUint,
  writeUint64,
} from '../../src/cci/index.ts';

describe('bytes', () => {
  test('are little-endian numbers of 1 to 8 bytes', () => {
    const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 0x88);
    expect([1, 2, 3, 4, 6].map((width) => readUint(bytes, 0, width))).toEqual([
      1, 0x201, 0x30201, 0x4030201, 0x60504030201,
    ]);
    expect(readUint64(bytes, 0)).toBe(0x8807060504030201n);
    const copy = new Uint8Array(8);
    writeUint64(copy, 0, 0x8807060504030201n);
    expect(copy).toEqual(bytes);
    writeUint(copy, 2, 6, 0x60504030201);
    expect(copy).toEqual(Uint8Array.of(1, 2, 1, 2, 3, 4, 5, 6));
  });

  test('read as 0 past the end rather than as something else', () => {
    expect(readUint(new Uint8Array(0), 0, 1)).toBe(0);
    expect(readUint(new Uint8Array(1), 0, 2)).toBe(0);
  });

  test('compare by content', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
  });

  test('join', () => {
    expect(joinBytes([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)])).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('have a hex form', () => {
    expect(toHex(Uint8Array.of(0, 0xaf))).toBe('00af');
    expect(fromHex(' 00\nAF ')).toEqual(Uint8Array.of(0, 0xaf));
    expect([fromHex('0'), fromHex('0g'), fromHex('0x00')]).toEqual([undefined, undefined, undefined]);
  });

  test('of a UUID are in the order of its text', () => {
    const text = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
    const bytes = uuidBytes(text) ?? new Uint8Array(0);
    expect(bytes[0]).toBe(0x0d);
    expect(uuidText(bytes)).toBe(text);
    expect([uuidBytes(''), uuidBytes(text.replaceAll('-', '')), uuidBytes(`${text}0`)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('names', () => {
  test('of return codes; a code without one stays a number, also where a prototype has a member of that name (R11)', () => {
    expect([0, 0x20, 0x21, 0xffff].map(returnCodeName)).toEqual([
      'success',
      'request-abort-background-operation-not-supported',
      '0x0021',
      '0xffff',
    ]);
    expect([RC.success, RC.backgroundStarted, RC.invalidInput].map(isSuccess)).toEqual([true, true, false]);
  });

  test('of codes, both ways', () => {
    expect(enumText('vcs_state', 255)).toBe('invalid-vcs-id');
    expect(enumText('vcs_state', 3)).toBeUndefined();
    expect(enumCode('vcs_state', 'invalid-vcs-id')).toBe(255);
    expect(enumCode('vcs_state', 'toString')).toBeUndefined();
    expect(enumNames('vcs_state')).toEqual(['disabled', 'enabled', 'invalid-vcs-id']);
  });

  test('of opcodes', () => {
    expect(hex16(0x1)).toBe('0x0001');
  });
});

test('an id outside its width is never made', () => {
  expect([opcode(0xffff), portId(255), ldId(0xffff), vcsId(255), vppbId(0)]).toEqual([0xffff, 255, 0xffff, 255, 0]);
  for (const make of [
    () => opcode(0x10000),
    () => portId(256),
    () => ldId(-1),
    () => vcsId(0.5),
    () => vppbId(Number.NaN),
  ]) {
    expect(make).toThrow(RangeError);
  }
});

describe('a Command Effects Log', () => {
  test('comes back from its bytes', () => {
    const entries = [
      { opcode: 0x0001, effects: 0 },
      { opcode: 0x5201, effects: 0x0040 },
    ];
    expect(toHex(encodeCel(entries))).toBe('0100000001524000');
    expect(decodeCel(encodeCel(entries))).toEqual(entries);
  });

  test('cut inside an entry gives the entries before it', () => {
    expect(decodeCel(Uint8Array.of(1, 0, 0, 0, 2, 0, 0))).toEqual([{ opcode: 1, effects: 0 }]);
  });
});
