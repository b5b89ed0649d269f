import { expect, test } from 'vitest';
import { type CommandRow, catalogue } from '../../../src/cci/index.ts';
import { switchRuleOpcodes } from '../../../src/policy/decide/resolve-switch.ts';
import { switchKindOpcodes, touchedKinds } from '../../../src/policy/review/touched-kinds.ts';

const rowOf = (slug: string): CommandRow => {
  const row = catalogue.find((one) => one.slug === slug);
  if (row === undefined) throw new Error(slug);
  return row;
};

test('the review knows of every command of the switch that touches more than the switch', () => {
  expect([...switchKindOpcodes].toSorted()).toEqual([...switchRuleOpcodes].toSorted());
});

test('commands touch what they are about', () => {
  expect([...touchedKinds(rowOf('bind-vppb'))]).toEqual(['vppb', 'port', 'ld']);
  expect([...touchedKinds(rowOf('identify-switch-device'))]).toEqual(['switch']);
  expect([...touchedKinds(rowOf('get-head-info'))]).toContain('head');
  expect([...touchedKinds(rowOf('get-dcd-info'))]).toEqual(expect.arrayContaining(['host', 'tag']));
});

test('a reviewed vendor command may touch anything', () => {
  const vendor = { ...rowOf('identify'), vendor: {} } as unknown as CommandRow;
  expect(touchedKinds(vendor).size).toBe(9);
});
