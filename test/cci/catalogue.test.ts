import { describe, expect, test } from 'vitest';
import {
  type CommandRow,
  catalogue,
  hex16,
  isTyped,
  type Layout,
  layoutProblems,
  rowByOpcode,
  rowBySlug,
} from '../../src/cci/index.ts';

const rows: readonly CommandRow[] = catalogue;

function opcodesWhere(test: (row: CommandRow) => boolean): readonly string[] {
  return rows.filter(test).map((row) => row.opcode.toString(16).padStart(4, '0'));
}

describe('the catalogue', () => {
  test('has 165 commands in ascending order, each opcode and slug once', () => {
    const opcodes = rows.map((row) => row.opcode);
    expect(opcodes).toHaveLength(165);
    expect(opcodes).toEqual([...new Set(opcodes)].sort((a, b) => a - b));
    expect(new Set(rows.map((row) => row.slug)).size).toBe(165);
  });

  test('gives a row by opcode and by slug, and none for what it does not know', () => {
    for (const row of rows) {
      expect(rowByOpcode(row.opcode)).toBe(row);
      expect(rowBySlug(row.slug)).toBe(row);
    }
    for (const opcode of [0x0000, 0x5b00, 0x5215, 0xc000, 0xffff]) expect(rowByOpcode(opcode)).toBeUndefined();
    for (const slug of ['', 'constructor', '__proto__', 'Identify']) expect(rowBySlug(slug)).toBeUndefined();
  });

  test('has a codec for each verified row and for no other: the rest is raw (R1)', () => {
    for (const row of rows) expect(isTyped(row), row.slug).toBe(row.status === 'verified');
    expect(opcodesWhere(isTyped)).toHaveLength(98);
  });

  test('says the sizes of rows without a codec', () => {
    for (const row of rows) {
      if (!isTyped(row)) expect([row.requestSize, row.responseSize], row.slug).not.toContain(undefined);
    }
  });

  test.each(
    rows.flatMap((row) => (isTyped(row) ? [[row.slug, row.request, row.response] as [string, Layout, Layout]] : [])),
  )('has sound layouts for %s', (_slug, request, response) => {
    expect([...layoutProblems(request), ...layoutProblems(response)]).toEqual([]);
  });

  test('never takes bytes for granted that a device of unknown revision could leave out of a request', () => {
    for (const row of rows) if (isTyped(row)) expect(row.request.trailing, row.slug).toBeUndefined();
  });
});

// The table of policy.md section 1 to 3, column by column.
describe('what policy rests on', () => {
  test('the safe reads', () => {
    expect(opcodesWhere((row) => row.allowlisted === 'everywhere')).toEqual(
      '0001 0002 0003 0300 0400 0402 0405 5100 5101 5106 5200'.split(' '),
    );
    expect(opcodesWhere((row) => row.allowlisted === 'cel-only')).toEqual(['0401']);
    expect(opcodesWhere((row) => row.allowlisted === 'tunnelled')).toEqual(
      '4000 4100 4200 5400 5401 5403 5405 5406 5408'.split(' '),
    );
  });

  test('no safe read changes anything, and each has scope 0', () => {
    for (const row of rows.filter((row) => row.allowlisted !== undefined)) {
      expect([row.slug, row.mutating, row.scope, row.status]).toEqual([row.slug, false, 0, 'verified']);
    }
  });

  test('scope 1: debug reads', () => {
    expect(opcodesWhere((row) => row.scope === 1)).toEqual('0200 0500 0501 4102 4203 4300 4303 4305'.split(' '));
  });

  test('scope 2: debug writes', () => {
    expect(opcodesWhere((row) => row.scope === 2)).toEqual(
      '0403 0404 4101 4103 4204 4301 4302 4304 4802 4803 5102 5203'.split(' '),
    );
  });

  test('scope 3: full writes, secrets, and every row without a codec', () => {
    expect(opcodesWhere((row) => row.scope === 3 && isTyped(row))).toEqual(
      '0201 0202 0502 0600 4400 4401 4402 4500 4501 4502 4503 4504 4505 4600 4601 5103 5105 5107 5301 5302'.split(' '),
    );
    for (const row of rows) if (!isTyped(row)) expect(row.scope, row.slug).toBe(3);
  });

  test('what only an exact slug can grant', () => {
    expect(opcodesWhere((row) => row.grant === 'slug-only')).toEqual(
      '0202 4101 4103 4204 4300 4301 4302 4303 4304 4305 4400 4401 4402'.split(' '),
    );
  });

  test('what nothing can grant', () => {
    expect(opcodesWhere((row) => row.grant === 'never')).toEqual('4500 4501 4502 4503 4504 4505 4600 4601'.split(' '));
  });

  test('what the broker keeps for itself', () => {
    expect(opcodesWhere((row) => row.claimed !== undefined)).toEqual('0004 0101 0105 0301'.split(' '));
  });

  test('what is offered to nobody, beside what the support columns prohibit', () => {
    expect(opcodesWhere((row) => row.notOffered !== undefined)).toEqual([
      ...'0106 0107 0108 0109 010a 5104 5105 5701'.split(' '),
      ...'570c 570d 570e 570f 5710 5711 5712 5713 5714'.split(' '),
      ...'5800 5801 5802 5803 5804 5805 5806 5807 5808 5809 580a 580b'.split(' '),
    ]);
  });

  test('19 commands change state though a CEL gives them no effect, so effects never classify a command', () => {
    const silent = rows.filter(
      (row) => row.mutating !== false && row.effects === 0 && row.opcode !== 0x5300 && row.opcode !== 0x5701,
    );
    expect(silent.map((row) => hex16(row.opcode))).toEqual(
      '0004 0005 010a 0701 5102 5103 5105 5203 5301 5302 5704 5709 570b 5716 5801 5809 580b 5902 5904'
        .split(' ')
        .map((code) => `0x${code}`),
    );
  });

  test('what runs in the background', () => {
    expect(opcodesWhere((row) => row.background === 'always')).toEqual('4304 4400 5201 5202 5706'.split(' '));
    expect(opcodesWhere((row) => row.background === 'may')).toEqual('0201 0202 0404 0600 4402 5705'.split(' '));
  });
});
