import { describe, expect, test } from 'vitest';
import { fromHex, type Hop, ldId, portId } from '../../../src/cci/index.ts';
import {
  type AskedCommand,
  askedSubmission,
  assumedPosture,
  assumedPrincipal,
  fabricTopology,
  parseBinding,
  parseSlot,
  parseTaint,
} from '../../../src/policy/tools.ts';
import { fakeFabric } from '../../support/fake-policy.ts';

// What a question assumes, to the last member: a verdict rests on each.

test('a caller of whom only the name is known is in no group but his tenant, and his token caps nothing', () => {
  expect(assumedPrincipal({ tenant: 'acme', issuer: 'https://idp', subject: 'a' })).toEqual({
    name: 'user:https://idp#a',
    names: ['user:https://idp#a', 'group:tenant/acme'],
    tenant: 'acme',
    scopes: ['cci:read', 'cci:config', 'cci:debug-read', 'cci:debug-write', 'cci:debug-write-full', 'cci:raw'],
    issuer: 'https://idp',
    subject: 'a',
    tokenId: 'assumed',
    expiresAtMs: Number.MAX_SAFE_INTEGER,
  });
});

test('a posture of which only the profile is known stands in the way of nothing but raw commands', () => {
  expect(assumedPosture({ profile: 'host' })).toEqual({
    version: 1,
    lockdown: { effective: 'none', kernel: 'not-consulted', config: 'none', runTime: 'none' },
    profile: 'host',
    rawCommands: 'off',
    rawAllowAll: false,
    underLockdown: 'allow',
    taint: { mask: 0, letters: '-', entries: [], acknowledgements: [] },
  });
});

test('a letter that is raised twice is one bit of the mask and two entries', () => {
  const { taint, lockdown } = assumedPosture({
    profile: 'bmc',
    lockdown: 'confidentiality',
    taint: [
      { letter: 'X', scope: '/switches/sw0/ports/1' },
      { letter: 'X', scope: '/switches/sw0/ports/2' },
    ],
  });
  expect(lockdown).toEqual({
    effective: 'confidentiality',
    kernel: 'not-consulted',
    config: 'confidentiality',
    runTime: 'none',
  });
  const entry = { letter: 'X', atMs: 0, by: 'assumed', record: 'assumed', reason: 'assumed' };
  expect(taint).toEqual({
    mask: 1 << 7,
    letters: 'X',
    entries: [
      { ...entry, scope: '/switches/sw0/ports/1', ordinal: 1 },
      { ...entry, scope: '/switches/sw0/ports/2', ordinal: 2 },
    ],
    acknowledgements: [],
  });
});

const fabric = fakeFabric({ ports: { 0: {}, 1: {}, 5: { lds: 2 } }, vcss: { 0: { vppbs: 2 } } });

describe('the picture of a switch', () => {
  test('has the ports and VCSs of the fabric file, SLDs and MLDs on them, and nothing bound', () => {
    const topology = fabricTopology(fabric, 'sw0');
    expect([...(topology?.ports.values() ?? [])]).toEqual([
      { id: 0, role: 'dsp', device: 'sld', ldCount: 0 },
      { id: 1, role: 'dsp', device: 'sld', ldCount: 0 },
      { id: 5, role: 'dsp', device: 'mld', ldCount: 2 },
    ]);
    expect([...(topology?.vcss.values() ?? [])]).toEqual([
      { id: 0, usp: -1, vppbs: [{ kind: 'unbound' }, { kind: 'unbound' }] },
    ]);
    expect(topology?.version).toBe(1);
    expect(topology).not.toHaveProperty('tagOwner');
  });

  test('says of every opcode that it has no effects', () => {
    const cel = fabricTopology(fabric, 'sw0')?.cel([]);
    expect(cel?.size).toBe(0x10000);
    expect(new Set(cel?.values())).toEqual(new Set([0]));
    expect(cel?.has(0x10000)).toBe(false);
  });

  test('counts the LDs of an MLD alone', () => {
    const devices = new Map([
      [5, 'sld'],
      [1, 'mld'],
    ] as const);
    const ports = fabricTopology(fabric, 'sw0', { devices, usps: new Map([[0, 0]]) })?.ports;
    expect(ports?.get(5)).toEqual({ id: 5, role: 'dsp', device: 'sld', ldCount: 0 });
    expect(ports?.get(1)).toEqual({ id: 1, role: 'dsp', device: 'mld', ldCount: 0 });
    expect(ports?.get(0)).toEqual({ id: 0, role: 'usp', device: 'none', ldCount: 0 });
  });

  const port = (id: number): Hop => ({ kind: 'port', port: portId(id) });
  const ld: Hop = { kind: 'ld', ld: ldId(0) };
  const components: readonly (readonly [string, readonly Hop[], string])[] = [
    ['the switch', [], 'switch'],
    ['an LD before any port', [ld], 'unknown'],
    ['an SLD', [port(0)], 'sld'],
    ['an MLD', [port(5)], 'fm-owned-ld'],
    ['a port that is not there', [port(9)], 'unknown'],
    ['an LD of an MLD', [port(5), ld], 'ld'],
    ['the pool of an MLD', [port(5), { kind: 'ldpool' }], 'ld-pool-cci'],
    ['an LD of an SLD', [port(0), ld], 'unknown'],
    ['the pool of an SLD', [port(0), { kind: 'ldpool' }], 'unknown'],
    ['an LD behind a port that is not there', [port(9), ld], 'unknown'],
  ];
  test.each(components)('knows what executes at %s', (_where, hops, component) => {
    expect(fabricTopology(fabric, 'sw0')?.component(hops)).toBe(component);
  });
});

describe('state in short', () => {
  test.each([
    ['0/0', { vcs: 0, vppb: 0 }],
    ['10/255', { vcs: 10, vppb: 255 }],
    ['1/999', { vcs: 1, vppb: 999 }],
    ['1/1000', undefined],
    ['1000/1', undefined],
    ['01/1', undefined],
    ['1/01', undefined],
    ['x1/1', undefined],
    ['1/1x', undefined],
    ['1', undefined],
    ['/1', undefined],
  ])('slot %s', (text, slot) => {
    expect(parseSlot(text)).toEqual(slot);
  });

  test.each([
    ['0', { kind: 'port', port: 0 }],
    ['255', { kind: 'port', port: 255 }],
    ['12/34', { kind: 'ld', port: 12, ld: 34 }],
    ['unbound', { kind: 'unbound' }],
    ['unknown', { kind: 'unknown' }],
    ['bound', undefined],
    ['', undefined],
    ['x2', undefined],
    ['2x', undefined],
    ['2/', undefined],
    ['2/1/0', undefined],
    ['1000', undefined],
    ['02', undefined],
  ])('binding %s', (text, binding) => {
    expect(parseBinding(text)).toEqual(binding);
  });

  test.each([
    ['X', '/switches/sw0'],
    ['X@/switches/sw0', '/switches/sw0'],
    ['X@/switches/sw0/ports/3', '/switches/sw0/ports/3'],
    ['X@', undefined],
    ['', undefined],
    ['XX', undefined],
    ['X@/switches/sw0x', undefined],
    ['X@ports/3', undefined],
    ['X@/switches/sw0@/switches/sw0', undefined],
  ])('taint %s', (text, scope) => {
    expect(parseTaint(text, 'sw0')).toEqual(scope === undefined ? undefined : { letter: 'X', scope });
  });
});

describe('a command that is asked about', () => {
  const logParams = { log_identifier: '0da9c0b5-bf41-4b78-8f79-96b1623b3f17', offset: 0, length: 16 };
  const hex = (text: string) => fromHex(text) ?? new Uint8Array(0);

  test('is sent as the broker would send it, path and bytes and all', () => {
    const via = 'port:5/ld:1';
    const asked = askedSubmission('sw0', { command: 'get-log', via, params: logParams });
    expect(asked).toEqual({
      ok: true,
      value: {
        switch: 'sw0',
        submittedAs: 'typed',
        command: {
          hops: [
            { kind: 'port', port: 5 },
            { kind: 'ld', ld: 1 },
          ],
          tags: [1, 2],
          opcode: 0x0401,
          payload: hex('0da9c0b5bf414b788f7996b1623b3f17 00000000 10000000'),
        },
      },
    });
  });

  test('raw is sent as the bytes it has', () => {
    expect(askedSubmission('sw0', { raw: { opcode: 0xffff, payload: hex('01') }, via: '' })).toEqual({
      ok: true,
      value: {
        switch: 'sw0',
        submittedAs: 'raw',
        command: { hops: [], tags: [], opcode: 0xffff, payload: hex('01') },
      },
    });
  });

  test.each([
    ['', 0x1fffff],
    ['port:1', 65523],
    ['port:1/ld:0', 65507],
  ])('may be as large as the path %j carries', (via, bytes) => {
    const raw = { opcode: 1, payload: new Uint8Array(bytes) };
    expect(askedSubmission('sw0', { raw, via }).ok).toBe(true);
    expect(askedSubmission('sw0', { raw: { ...raw, payload: new Uint8Array(bytes + 1) }, via }).ok).toBe(false);
  });

  const wrong: readonly (readonly [string, AskedCommand, string, string])[] = [
    [
      'a path that is none',
      { command: 'identify', via: 'ld:1' },
      'via',
      'a tunnel path is `port:N`, `port:N/ld:N` or `port:N/ldpool`, ids 0 to 255 in decimal',
    ],
    ['a name that is none', { command: 'identity' }, 'command', 'there is no command of that name'],
    [
      'a command without a layout',
      { command: 'identify-gfd' },
      'command',
      '`identify-gfd` has no verified layout: it can only be sent raw, as 0x4900',
    ],
    ['an opcode below zero', { raw: { opcode: -1, payload: hex('') } }, 'raw', 'an opcode has 16 bits'],
    ['an opcode with a fraction', { raw: { opcode: 1.5, payload: hex('') } }, 'raw', 'an opcode has 16 bits'],
    ['an opcode of 17 bits', { raw: { opcode: 0x10000, payload: hex('') } }, 'raw', 'an opcode has 16 bits'],
    [
      'more bytes than a message has',
      { raw: { opcode: 1, payload: new Uint8Array(0x200000) } },
      'raw',
      'a payload has at most 2097151 bytes there',
    ],
    [
      'more raw bytes than a tunnel carries',
      { raw: { opcode: 1, payload: new Uint8Array(65524) }, via: 'port:1' },
      'raw',
      'a payload has at most 65523 bytes there',
    ],
    [
      'more bytes of a parameter than a tunnel carries',
      { command: 'set-lsa', via: 'port:1', params: { offset: 0, data: '00'.repeat(65516) } },
      'params',
      'a payload has at most 65523 bytes there',
    ],
    [
      'a raw tunnel that is cut',
      { raw: { opcode: 0x5300, payload: hex('00') } },
      'raw',
      'malformed: a tunnel has a header of 4 bytes, here are 1',
    ],
    ['a parameter missing', { command: 'bind-vppb' }, 'params', '`vcs_id` is missing'],
    ['parameters that are none', { command: 'bind-vppb', params: 7 }, 'params', 'must be an object'],
    [
      'a list that is too short',
      { command: 'get-physical-port-state', params: { port_id_list: [] } },
      'params',
      '`number_of_ports` 0 are fewer than 1',
    ],
  ];
  test.each(wrong)('with %s is refused, and told why', (_name, asked, field, message) => {
    expect(askedSubmission('sw0', asked)).toEqual({ ok: false, error: { field, message } });
  });
});
