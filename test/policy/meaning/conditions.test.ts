import { describe, expect, test } from 'vitest';
import type { Condition } from '../../../src/policy/engine.ts';
import { leastConditions } from '../../../src/policy/meaning/mandatory-facts.ts';
import type { Reach } from '../../../src/policy/types.ts';

interface Given {
  readonly opcode?: number;
  readonly note?: string;
  readonly reach?: Reach;
  readonly isTenant?: boolean;
}

/** The least that holds with these, sorted; undefined where they can't hold. */
function least(conditions: readonly Condition[], { opcode = 0x5201, note, reach = 'own', isTenant = false }: Given) {
  const atom = { first: opcode, refs: [], ...(note === undefined ? {} : { note }) };
  const found = leastConditions(conditions, { atom, reach, isTenant });
  return found === undefined ? undefined : [...found].toSorted();
}

describe('conditions that follow from others', () => {
  test.each<[string, readonly Condition[], Given, readonly Condition[] | undefined]>([
    ['a query does nothing', [], { reach: 'query' }, []],
    ['what reaches its own changes it', [], { reach: 'own' }, ['mutating']],
    ['what reaches others crosses tenants', [], { reach: 'cross-tenant' }, ['crosses-tenants', 'mutating']],
    ['and leaves that of a tenant', [], { reach: 'switch', isTenant: true }, wide('leaves-tenant')],
    ['but not that of an operator', [], { reach: 'switch' }, wide()],
    ['what nobody can judge may only read', [], { reach: 'opaque' }, []],
    ['and where it changes something crosses tenants', ['mutating'], { reach: 'opaque' }, wide()],
    ['of a tenant too', ['mutating'], { reach: 'opaque', isTenant: true }, wide('leaves-tenant')],
    ['what leaves a tenant crosses tenants', ['leaves-tenant'], { reach: 'opaque' }, wide('leaves-tenant')],
    ['a query changes nothing', ['mutating'], { reach: 'query' }, undefined],
    ['nothing of ones own crosses tenants', ['crosses-tenants'], { reach: 'own' }, undefined],
    ['nor does a query', ['leaves-tenant'], { reach: 'query' }, undefined],
    ['a device may refuse anything', ['quirk'], { reach: 'query' }, ['quirk']],
  ])('%s', (_name, conditions, given, expected) => {
    expect(least(conditions, given)).toEqual(expected?.toSorted());
  });

  function wide(...more: readonly Condition[]): readonly Condition[] {
    return ['crosses-tenants', 'mutating', ...more];
  }
});

describe('conditions that only some commands can have', () => {
  const opcodes = [
    0x0001, 0x0400, 0x0401, 0x0402, 0x0403, 0x0404, 0x0405, 0x0502, 0x5101, 0x5102, 0x5103, 0x5201, 0x5300, 0x5301,
    0x5302, 0xbfff, 0xc000, 0xffff,
  ];
  const those = (condition: Condition): readonly number[] =>
    opcodes.filter((opcode) => least([condition], { opcode, reach: 'query' }) !== undefined);

  test.each<[Condition, readonly number[]]>([
    ['bound', [0x5103, 0x5301, 0x5302]],
    ['bound-without-mld', [0x5102]],
    ['other-log', [0x0401, 0x0402, 0x0403, 0x0404]],
    ['immediate-effect', [0x0502, 0xc000, 0xffff]],
    ['quirk', opcodes],
  ])('%s', (condition, expected) => {
    expect(those(condition)).toEqual(expected);
  });

  test('a feature may take effect at once, whatever a row asks for', () => {
    expect(least([], { opcode: 0x0502, reach: 'query' })).toEqual(['immediate-effect']);
  });

  test('a reading of another log is that, and one of the effects log never is', () => {
    expect(least([], { opcode: 0x0401, note: 'other logs', reach: 'query' })).toEqual(['other-log']);
    expect(least(['other-log'], { opcode: 0x0401, note: 'other logs', reach: 'query' })).toEqual(['other-log']);
    expect(least([], { opcode: 0x0401, note: 'Command Effects Log', reach: 'query' })).toEqual([]);
    expect(least(['other-log'], { opcode: 0x0401, note: 'Command Effects Log', reach: 'query' })).toBeUndefined();
  });
});
