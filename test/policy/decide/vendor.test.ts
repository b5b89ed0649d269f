import { describe, expect, test } from 'vitest';
import { builtinCommands, type CommandTable, extendCommands, formOf, readVendorRow } from '../../../src/cci/index.ts';
import { refOfFacts } from '../../../src/policy/decide/command-ref.ts';
import { createSnapshot } from '../../../src/policy/index.ts';
import {
  exampleMandatory,
  exampleSpec,
  fakeEngine,
  fakeFabric,
  fakePosture,
  fakePrincipal,
} from '../../support/fake-policy.ts';
import { type Answer, ask, type Question, rawOpen, verdictOf } from './ask.ts';

const base = {
  slug: 'northbay-tune',
  name: 'Tune',
  opcode: '0xc010',
  executes_on: ['switch'],
  touches: { 'port-field': 'port' },
  owner_data: 'none',
  scope: '3',
  mutating: 'true',
  radius: 'target',
  effects: ['immediate-configuration-change'],
  request: {
    size: '4',
    fields: [
      { name: 'port', uint: '1' },
      { name: 'ld', uint: '2' },
      { name: 'level', uint: '1', max: '3' },
    ],
  },
  response: { size: '0', fields: [] },
  reviewer: 'Dana Okafor',
  date: '2026-11-02',
  reference: 'NB-3200 guide, 9.1',
  reason: 'tuning',
};
const read = { scope: '1', mutating: 'false', radius: 'query-only', effects: 'none' };

function tableOf(change: object): CommandTable {
  const row = readVendorRow(formOf({ ...base, ...change }), (path, message) => {
    throw new Error(`${path.join('.')}: ${message}`);
  });
  return extendCommands(row === undefined ? [] : [row]);
}

/** `port`, `ld` and `level` of the request. */
const payload = (port: number, ld = 0, level = 0): string =>
  [port, ld & 0xff, ld >> 8, level].map((byte) => byte.toString(16).padStart(2, '0')).join('');

const tune = (change: object, question: Question): Answer =>
  ask({ opcode: 0xc010, payload: payload(3), ...question, engine: { commands: tableOf(change) } });

describe('a reviewed vendor command of the switch', () => {
  test('is audited where it was raw before, and says its slug, set and scope to the rules', () => {
    const before = ask({ opcode: 0xc010, payload: payload(3), posture: rawOpen, tenant: 'fabric' });
    expect(before.decision.facts).toMatchObject({ class: 'raw', command: 'opcode:0xc010', scope: 3 });
    const { decision, gate, facts } = tune({ set: 'northbay' }, {});
    expect(decision.verdict).toBe('allow');
    expect(decision.facts).toMatchObject({ class: 'audited', command: 'northbay-tune', scope: 3, mutating: true });
    expect(gate).toEqual({ kind: 'notRaw' });
    expect(facts?.command).toEqual({
      opcode: 0xc010,
      slug: 'northbay-tune',
      set: 'northbay',
      class: 'audited',
      scope: 3,
    });
    expect(refOfFacts(decision.facts, tableOf({ set: 'northbay' }))).toEqual(facts?.command);
    // J for its scope; neither R nor V: it is not raw.
    expect(decision.taints.map(({ letter }) => letter)).toEqual(['J']);
  });

  test.each<readonly [string, object, Question, string]>([
    ['a port of his own', {}, {}, 'allow'],
    ["a port of somebody else's", {}, { payload: payload(4) }, 'EPERM ownership -> EPERM 2'],
    ['a port that is not there', {}, { payload: payload(99) }, 'EPERM ownership -> EPERM 2'],
    ['a value that the row does not allow', {}, { payload: payload(3, 0, 4) }, 'EINVAL R2 -> EINVAL 2'],
    ['a byte too much', {}, { payload: `${payload(3)}00` }, 'ENOMEM R5 -> ENOMEM 22'],
    ['his own LD', { touches: { 'port-field': 'port', 'ld-field': 'ld' } }, { payload: payload(5, 3) }, 'allow'],
    [
      'his neighbour on the MLD',
      { touches: { 'port-field': 'port', 'ld-field': 'ld' } },
      { payload: payload(5, 1) },
      'EPERM ownership -> EPERM 2',
    ],
    [
      'the whole MLD through FFFFh',
      { touches: { 'port-field': 'port', 'ld-field': 'ld' } },
      { payload: payload(5, 0xffff) },
      'EPERM ownership -> EPERM 2',
    ],
    ['his own VCS', { touches: { 'vcs-field': 'port' } }, { payload: payload(0) }, 'allow'],
    ["another's VCS", { touches: { 'vcs-field': 'port' } }, { payload: payload(1) }, 'EPERM ownership -> EPERM 2'],
    ['his own vPPB', { touches: { 'vcs-field': 'port', 'vppb-field': 'ld' } }, { payload: payload(0, 1) }, 'allow'],
    [
      'a vPPB beyond the last',
      { touches: { 'vcs-field': 'port', 'vppb-field': 'ld' } },
      { payload: payload(0, 9) },
      'EPERM ownership -> EPERM 2',
    ],
    ['the switch itself', { touches: 'switch' }, {}, 'EPERM ownership -> EPERM 2'],
    ['a switch query that tells of nobody', { ...read, touches: 'switch' }, {}, 'allow'],
    [
      'a switch query that may tell of others',
      { ...read, touches: 'switch', owner_data: 'possible' },
      {},
      'EPERM ownership -> EPERM 2',
    ],
    ['a component that does not execute it', {}, { via: 'port:3' }, 'ENOTTY offered -> ENOTTY 3'],
    ['a CEL without it', {}, { topology: { cels: { '': new Map([[1, 0]]) } } }, 'ENOTTY R3 -> ENOTTY 3'],
    ['a token without the scope', {}, { scopes: ['cci:read', 'cci:config'] }, 'EPERM scope -> EPERM 2'],
  ])('a tenant and %s', (_name, change, question, expected) => {
    expect(verdictOf(tune(change, question))).toBe(expected);
  });

  test.each<readonly [string, object, Question, string, readonly string[]]>([
    ['a port', {}, {}, 'own', ['acme']],
    ['a port that another host is bound to', {}, { tenant: 'fabric', payload: payload(4) }, 'cross-tenant', ['globex']],
    ['an LD', { touches: { 'port-field': 'port', 'ld-field': 'ld' } }, { payload: payload(5, 3) }, 'own', ['acme']],
    [
      'all LDs',
      { touches: { 'port-field': 'port', 'ld-field': 'ld' } },
      { tenant: 'fabric', payload: payload(5, 0xffff) },
      'cross-tenant',
      ['acme', 'fabric', 'globex'],
    ],
    [
      'a VCS',
      { touches: { 'vcs-field': 'port' } },
      { tenant: 'fabric', payload: payload(1) },
      'cross-tenant',
      ['globex'],
    ],
    ['a vPPB', { touches: { 'vcs-field': 'port', 'vppb-field': 'ld' } }, { payload: payload(0, 1) }, 'own', ['acme']],
    ['the switch', { touches: 'switch' }, { tenant: 'fabric' }, 'switch', ['acme', 'fabric', 'globex']],
    ['whatever its reviewer fears', { radius: 'whole-switch' }, {}, 'switch', ['acme', 'fabric', 'globex']],
    ['nobody knows what', { radius: 'opaque' }, {}, 'opaque', ['acme']],
    ['nobody, for a read', read, {}, 'query', ['acme']],
    ['a picture out of date', {}, { topology: { known: false } }, 'switch', ['acme', 'fabric', 'globex']],
  ])('disturbs %s', (_name, change, question, reach, tenants) => {
    expect(tune(change, question).decision.facts).toMatchObject({ reach, tenants });
  });

  test('counts as immediate for the rows that ask, unless it waits for a reset', () => {
    const conditions = (change: object) => [...(tune(change, {}).facts?.conditions ?? [])];
    expect(conditions({})).toContain('immediate-effect');
    expect(conditions({ effects: 'none' })).toContain('immediate-effect');
    expect(conditions({ effects: ['configuration-change-after-cold-reset'] })).not.toContain('immediate-effect');
    expect(conditions(read)).not.toContain('immediate-effect');
  });

  test('is raw on a device whose CEL declares more than was reviewed, with taint E', () => {
    const lying = { cels: { '': new Map([[0xc010, 0x0004]]) } };
    const { decision } = tune(
      {},
      { topology: lying, posture: rawOpen, mandatory: exampleMandatory.filter(({ id }) => id !== 'P1') },
    );
    expect(decision.facts).toMatchObject({ class: 'raw', reach: 'opaque' });
    expect(decision.taints.map(({ letter }) => letter)).toContain('E');
    expect(verdictOf(tune({}, { topology: lying }))).toBe('EPERM R7.1 -> EPERM 2');
    const asReviewed = { cels: { '': new Map([[0xc010, 0x0002]]) } };
    expect(verdictOf(tune({}, { topology: asReviewed }))).toBe('allow');
  });

  test('submitted raw it stays raw, and its targets are held against ownership all the same', () => {
    expect(tune({}, { raw: true, posture: rawOpen, tenant: 'fabric' }).decision.facts.class).toBe('raw');
    expect(verdictOf(tune({}, { raw: true }))).toBe('EPERM R7.1 -> EPERM 2');
    const foreign = tune({}, { raw: true, posture: rawOpen, payload: payload(4) }).decision;
    expect(foreign.reasons.map(({ rule }) => rule)).toContain('ownership');
  });
});

describe('a reviewed vendor command behind a tunnel', () => {
  const behind = (change: object, question: Question): Answer =>
    tune({ executes_on: ['sld', 'ld', 'fm-owned-ld', 'ld-pool-cci'], touches: 'path-end', ...change }, question);

  test.each<readonly [string, Question, string, readonly string[]]>([
    ['an SLD', { via: 'port:3' }, 'allow', ['/switches/sw0/ports/3']],
    ['one LD', { via: 'port:5/ld:0' }, 'allow', ['/switches/sw0/ports/5/lds/0']],
    [
      'an MLD of his own',
      { via: 'port:8' },
      'allow',
      ['/switches/sw0/ports/8', '/switches/sw0/ports/8/lds/0', '/switches/sw0/ports/8/lds/1'],
    ],
    [
      'a shared MLD',
      { via: 'port:5' },
      'EPERM ownership -> EPERM 2',
      ['/switches/sw0/ports/5', ...[0, 1, 2, 3].map((ld) => `/switches/sw0/ports/5/lds/${ld}`)],
    ],
    ["another's LD", { via: 'port:5/ld:1' }, 'EPERM ownership -> EPERM 2', ['/switches/sw0/ports/5/lds/1']],
    ['the switch, which does not execute it', {}, 'ENOTTY offered -> ENOTTY 3', ['/switches/sw0']],
  ])('touches all there is: %s', (_name, question, verdict, touched) => {
    const answer = behind(read, question);
    expect(answer.decision.facts.touched).toEqual(touched);
    expect(verdictOf(answer)).toBe(verdict);
  });

  test('disturbs the LD, the port, or with another radius the switch', () => {
    const reach = (change: object, via: string) => behind(change, { via, tenant: 'fabric' }).decision.facts.tenants;
    expect(reach({}, 'port:5/ld:0')).toEqual(['acme']);
    expect(reach({}, 'port:5')).toEqual(['acme', 'fabric', 'globex']);
    expect(behind({ radius: 'whole-switch' }, { via: 'port:3' }).decision.facts.reach).toBe('switch');
    // Sent to the switch itself it is offered to nobody, and would reach everybody.
    expect(behind({}, { tenant: 'fabric' }).decision.facts.reach).toBe('switch');
  });
});

describe('a snapshot', () => {
  test('answers for a vendor command by its name, and offers its table', () => {
    const commands = tableOf({});
    const engine = { ...fakeEngine(fakeFabric(exampleSpec)), commands };
    const snapshot = createSnapshot(engine, { discloseReasons: 'own' });
    expect(snapshot.commands).toBe(commands);
    const port = '/switches/sw0/ports/3';
    expect(snapshot.grant(fakePrincipal('acme'), port, 'northbay-tune').allowed).toBe(true);
    expect(snapshot.grant(fakePrincipal('acme'), port, 'opcode:0xc010').allowed).toBe(true);
    expect(createSnapshot(fakeEngine(fakeFabric(exampleSpec)), { discloseReasons: 'own' }).commands).toBe(
      builtinCommands,
    );
    expect(fakePosture().profile).toBe('host');
  });

  test('sentences name the vendor command as the policy does', () => {
    const { snapshot, decision, input } = tune(
      {},
      { payload: payload(3), grants: [], scopes: ['cci:debug-write-full'] },
    );
    expect(decision.verdict).toBe('deny');
    expect(snapshot.wouldNeed(decision, input.principal).join('\n')).toContain('northbay-tune');
    expect(snapshot.explain(decision, input.principal)[0]).toContain('northbay-tune (0xc010)');
  });
});
