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

const DEVICE = ['port', 'ld', 'ldpool'];

test.each<[string, readonly string[]]>([
  ['identify-switch-device', ['switch']],
  ['get-physical-port-state', ['port']],
  ['physical-port-control', ['port']],
  ['send-ppb-cxl-io-configuration-request', ['port']],
  ['get-vcs-domain-validation-sv-state', ['vcs']],
  ['get-domain-validation-sv', ['vcs']],
  ['get-virtual-cxl-switch-info', ['vcs']],
  ['bind-vppb', ['vppb', 'port', 'ld']],
  ['unbind-vppb', ['vppb', 'port', 'ld']],
  ['generate-aer-event', ['vcs', 'vppb']],
  ['send-ld-cxl-io-configuration-request', ['port', 'ld']],
  ['send-ld-cxl-io-memory-request', ['port', 'ld']],
  ['identify', ['switch', ...DEVICE]],
  ['get-health-info', ['port', 'ld']],
  ['get-multi-headed-info', ['ldpool', 'port', 'ld']],
  ['get-head-info', ['ldpool', 'port', 'ld', 'head']],
  ['get-dcd-info', [...DEVICE, 'host', 'tag']],
])('%s touches what it is about', (slug, kinds) => {
  expect([...touchedKinds(rowOf(slug))].toSorted()).toEqual(kinds.toSorted());
});

test.each([
  ['sld', ['port']],
  ['fm-owned-ld', ['port', 'ld']],
  ['ld', ['ld']],
  ['ld-pool-cci', ['ldpool', 'port', 'ld']],
  ['gfd', []],
  ['gae', []],
])('what runs on a component of kind %s alone touches %j', (component, kinds) => {
  expect([...touchedKinds({ ...rowOf('identify'), executesOn: [component] })]).toEqual(kinds);
});

test('a reviewed vendor command may touch anything', () => {
  const vendor = { ...rowOf('identify'), vendor: {} } as unknown as CommandRow;
  expect([...touchedKinds(vendor)].toSorted()).toEqual(
    ['switch', 'port', 'ld', 'ldpool', 'head', 'host', 'tag', 'vcs', 'vppb'].toSorted(),
  );
});
