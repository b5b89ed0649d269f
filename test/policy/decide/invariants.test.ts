import { describe, expect, test } from 'vitest';
import { portId, rowByOpcode } from '../../../src/cci/index.ts';
import { checkAccess } from '../../../src/policy/decide/access.ts';
import { ids, list, uint } from '../../../src/policy/decide/params.ts';
import { canonicalPayload } from '../../../src/policy/decide/payload.ts';
import { checkStructure } from '../../../src/policy/decide/structure.ts';
import { errnoTable } from '../../../src/policy/index.ts';
import { exampleSpec, fakeEngine, fakeFabric, fakePrincipal } from '../../support/fake-policy.ts';
import { ask, rawOpen, verdictOf } from './ask.ts';

// What the steps before make impossible is refused all the same.

const fabric = fakeFabric(exampleSpec);

describe('contradictions deny', () => {
  test('parameters that are not what the catalogue says are no ids and no empty lists', () => {
    expect(() => uint({}, 'port_id')).toThrow('`port_id` is not a number');
    for (const port_id of ['3', -1, 1.5, Number.NaN]) expect(() => uint({ port_id }, 'port_id')).toThrow();
    expect(uint({ port_id: 3 }, 'port_id')).toBe(3);
    expect(() => list({ ids: 3 }, 'ids')).toThrow('`ids` is not a list');
    expect(() => ids({ ids: [1, '2'] }, 'ids')).toThrow('`ids` is not a number');
    expect(ids({ ids: [1, 2] }, 'ids')).toEqual([1, 2]);
  });

  test('a command that touches nothing that is known is refused, unless nothing is sent', () => {
    const ownership = { fabric, tenant: 'acme', everything: false };
    const nothing = { targets: [], anyOf: [], entry: [], unresolved: [] };
    const ref = { opcode: 0x5101, slug: 'get-physical-port-state', class: 'allowlisted', scope: 0 } as const;
    const check = (may: 'refused' | 'fine') =>
      checkAccess(fakeEngine(fabric), fakePrincipal('acme'), ownership, 'sw0', nothing, ref, may).reasons;
    expect(check('refused').map(({ rule }) => rule)).toEqual(['ownership']);
    expect(check('fine')).toEqual([]);
  });

  test('parameters that the codec does not write are not sent', () => {
    const { input } = ask({ named: 'physical-port-control', params: { ppb_id: 3, port_opcode: 'reset-ppb' } });
    const shaped = checkStructure(input, fabric);
    if (!shaped.ok) throw new Error('misshapen');
    expect(shaped.value.row).toBe(rowByOpcode(0x5102));
    expect(() => canonicalPayload(shaped.value, { ppb_id: 3 })).toThrow('physical-port-control does not encode');
  });
});

describe('bounds of the form', () => {
  const check = (opcode: number, port: number, size: number, maxPayload: number): string => {
    const { input } = ask({ opcode: 1, via: 'port:3' });
    const command = {
      ...input.submission.command,
      opcode,
      hops: [{ kind: 'port' as const, port: portId(port) }],
      payload: new Uint8Array(size),
    };
    const topology = { ...input.topology, maxPayload };
    const shaped = checkStructure({ ...input, topology, submission: { ...input.submission, command } }, fabric);
    return shaped.ok ? 'sound' : shaped.error.reason.rule;
  };

  test('the last opcode and the last port are in, a command that just fits is carried', () => {
    expect(check(0xffff, 0xff, 240, 256)).toBe('sound');
    expect(check(0xffff, 0xff, 241, 256)).toBe('R2');
    expect(check(0xffff, 0xff, 65_600, 1 << 20)).toBe('R2');
  });

  test.each([0x10000, -1, 1.5, Number.NaN])('%d is no opcode', (opcode) => {
    expect(check(opcode, 3, 0, 256)).toBe('R2');
  });
});

describe('forms that the decoder never hands on', () => {
  const port = { kind: 'port', port: 3 };
  const forms: readonly [string, object, string][] = [
    ['no command', null as unknown as object, 'R2'],
    ['no opcode', { opcode: undefined }, 'R2'],
    ['a payload that is not bytes', { payload: 'ff' }, 'R2'],
    ['a path that is not a list', { hops: 'port:3' }, 'R12'],
    ['three levels', { hops: [port, { kind: 'ld', ld: 0 }, { kind: 'ld', ld: 0 }] }, 'R12'],
    ['more tags than layers', { tags: [1, 2] }, 'R12'],
    ['a tag of nine bits', { tags: [256] }, 'R2'],
    ['an LD first', { hops: [{ kind: 'ld', ld: 0 }] }, 'R12'],
    ['a port that is none', { hops: [{ kind: 'port', port: 256 }] }, 'R12'],
    ['a number for a port', { hops: [{ kind: 'slot', port: 3 }] }, 'R12'],
    ['two ports', { hops: [port, port] }, 'R12'],
    ['an LD of nine bits', { hops: [port, { kind: 'ld', ld: 256 }] }, 'R12'],
    ['an LD of another kind', { hops: [port, { kind: 'vcs', ld: 0 }] }, 'R12'],
    ['a hole in the path', { hops: [port, undefined] }, 'R12'],
  ];

  test.each(forms)('%s', (_name, change, rule) => {
    const { input, snapshot } = ask({ named: 'identify', via: 'port:3' });
    const command = change === null ? change : { ...input.submission.command, ...change };
    const submission = { ...input.submission, command: command as typeof input.submission.command };
    const decision = snapshot.decide({ ...input, submission }, { kind: 'notRaw' });
    expect(decision.reasons).toMatchObject([{ step: 'structure', errno: 'EINVAL', rule }]);
    expect(snapshot.rawGate({ ...input, submission }).kind).toBe('notRaw');
  });

  test('a route made from parameters has no tags, and passes', () => {
    const { input, snapshot } = ask({ named: 'identify', via: 'port:3' });
    const command = { ...input.submission.command, tags: [] };
    const decision = snapshot.decide({ ...input, submission: { ...input.submission, command } }, { kind: 'notRaw' });
    expect(decision.verdict).toBe('allow');
  });

  test('how it was submitted is raw unless it says typed', () => {
    const { input, snapshot } = ask({ named: 'identify', via: 'port:3' });
    const submission = { ...input.submission, submittedAs: 'friendly' as 'typed' };
    expect(snapshot.decide({ ...input, submission }, { kind: 'notRaw' }).facts.class).toBe('raw');
  });
});

describe('edges', () => {
  test('LD owners of a port whose MLD was swapped for an SLD own nothing there', () => {
    const devices = { 5: { device: 'sld' } } as const;
    expect(verdictOf(ask({ named: 'identify', via: 'port:5', topology: { devices } }))).toBe(
      'EPERM ownership -> EPERM 2',
    );
    const mine = { ports: { 5: { lds: 2, owner: 'acme' } }, vcss: {} };
    const { decision } = ask({ named: 'sanitize', via: 'port:5', spec: mine, topology: { devices } });
    expect(decision.facts.touched).toEqual(['/switches/sw0/ports/5']);
  });

  test('an operator without the whole switch cannot name what the device lacks', () => {
    const grants = [{ tenant: 'fabric', resource: '/switches/sw0/ports/8/*', command: '*' }];
    const devices = { 8: { device: 'mld', ldCount: 1 } } as const;
    const missing = { named: 'identify', via: 'port:8/ld:1', tenant: 'fabric', topology: { devices } };
    expect(verdictOf(ask({ ...missing, grants }))).toBe('EPERM ownership -> EPERM 2');
    expect(verdictOf(ask(missing))).toBe('allow');
  });

  test('reasons are not told where one of two objects is foreign', () => {
    const params = { vcs_id: 0, vppb_id: 0, physical_port_id: 4, ld_id: 0xffff };
    expect(ask({ named: 'bind-vppb', params }).decision.disclosed).toBe(false);
  });

  test('the first vendor opcode is in the vendor range, the one before is not', () => {
    const letters = (opcode: number): string =>
      ask({ opcode, raw: true, via: 'port:3', posture: rawOpen })
        .decision.taints.map(({ letter }) => letter)
        .join('');
    expect(letters(0xc000)).toBe('JRV');
    expect(letters(0xbfff)).toBe('JR');
  });

  test('a range that starts right behind the last LD names what is not there, for whoever sees all too', () => {
    const question = {
      named: 'get-ld-allocations',
      params: { start_ld_id: 4, ld_allocation_list_limit: 2 },
      via: 'port:5',
    };
    expect(ask({ ...question, tenant: 'fabric' }).decision.facts.touched).toEqual(['/switches/sw0/ports/5/lds/4']);
  });

  test('a command without a row is named as grants name it', () => {
    expect(ask({ opcode: 0xc010 }).decision.facts.command).toBe('opcode:0xc010');
  });

  test('raw commands may ask for little room: only too much is refused', () => {
    const { input, snapshot } = ask({ opcode: 0x5101, payload: '0103', raw: true, posture: rawOpen });
    const roomFor = (outputCapacity: number): string => {
      const asked = { ...input, submission: { ...input.submission, outputCapacity } };
      return snapshot.decide(asked, snapshot.rawGate(asked)).verdict;
    };
    expect(roomFor(0)).toBe('allow');
    expect(roomFor(1 << 20)).toBe('allow');
    expect(roomFor((1 << 20) + 1)).toBe('deny');
    expect(roomFor(Number.NaN)).toBe('deny');
    const fixed = { opcode: 0x5100, raw: true, posture: rawOpen, tenant: 'fabric' } as const;
    const other = ask(fixed);
    const short = { ...other.input, submission: { ...other.input.submission, outputCapacity: 1 } };
    expect(other.snapshot.decide(short, other.gate).verdict).toBe('allow');
  });
});

describe('the table of errnos', () => {
  test('gives each class its HTTP status, exit code and code on the wire', () => {
    const rows = Object.entries(errnoTable).map(([errno, row]) => [errno, row.http, row.cciExit, row.returnCode]);
    expect(rows).toEqual([
      ['EPERM', 403, 3, 0x0002],
      ['ENOTTY', 404, 3, 0x0003],
      ['EBUSY', 409, 1, 0x0006],
      ['EINVAL', 400, 2, 0x0002],
      ['ENOMEM', 400, 2, 0x0016],
      ['EAGAIN', 429, 1, 0x0005],
      ['EIO', 503, 5, 0x0004],
      ['ETIMEDOUT', 504, 1, 0x0004],
    ]);
  });

  test('says nothing about objects', () => {
    for (const { text } of Object.values(errnoTable)) expect(text).toMatch(/^[a-z ,]+$/);
  });
});
