import { describe, expect, test } from 'vitest';
import { extendCommands, fromHex } from '../../../src/cci/index.ts';
import { askedSubmission, assumedPrincipal, parseBinding, parseSlot, parseTaint } from '../../../src/policy/tools.ts';

const bind = { vcs_id: 0, vppb_id: 1, physical_port_id: 3, ld_id: 1 };

describe('a command as it is asked about', () => {
  test('is the submission that a broker would make of it', () => {
    const asked = askedSubmission('sw0', { command: 'bind-vppb', params: bind });
    expect(asked).toMatchObject({
      ok: true,
      value: { switch: 'sw0', submittedAs: 'typed', command: { opcode: 0x5201, hops: [] } },
    });
    const tunnelled = askedSubmission('sw0', { command: 'get-ld-info', via: 'port:3' }, extendCommands([]));
    expect(tunnelled).toMatchObject({ ok: true, value: { command: { opcode: 0x5400, tags: [1] } } });
  });

  test('raw is its bytes, and a raw tunnel is opened', () => {
    const raw = (opcode: number, payload: string, via?: string) =>
      askedSubmission('sw0', {
        raw: { opcode, payload: fromHex(payload) ?? new Uint8Array(0) },
        ...(via === undefined ? {} : { via }),
      });
    expect(raw(0xc010, '00ff', '')).toMatchObject({
      ok: true,
      value: { submittedAs: 'raw', command: { opcode: 0xc010 } },
    });
    expect(raw(0x5300, '00')).toMatchObject({ ok: false, error: { field: 'raw' } });
    expect(raw(0x10000, '')).toMatchObject({ ok: false, error: { field: 'raw', message: 'an opcode has 16 bits' } });
  });

  test.each([
    ['an unknown name', { command: 'bind-vpb' }, 'command'],
    ['a name without a layout', { command: 'identify-gfd' }, 'command'],
    ['a missing parameter', { command: 'bind-vppb' }, 'params'],
    ['a parameter out of range', { command: 'bind-vppb', params: { ...bind, vcs_id: 256 } }, 'params'],
    ['parameters that are none', { command: 'bind-vppb', params: 7 }, 'params'],
    [
      'an inconsistent list',
      { command: 'get-physical-port-state', params: { port_id_list: Array(256).fill(0) } },
      'params',
    ],
    ['a path that is none', { command: 'identify', via: 'port 3' }, 'via'],
  ])('with %s is refused with the field that is wrong', (_name, asked, field) => {
    expect(askedSubmission('sw0', asked)).toMatchObject({ ok: false, error: { field } });
  });

  test('larger than its path can carry is refused', () => {
    const asked = askedSubmission('sw0', {
      raw: { opcode: 0xc010, payload: new Uint8Array(0xfffe) },
      via: 'port:3/ld:1',
    });
    expect(asked).toMatchObject({ ok: false, error: { field: 'raw' } });
  });
});

test('a caller has the names of his token, and every scope of commands if nothing is said', () => {
  expect(assumedPrincipal({ tenant: 'acme', issuer: 'https://idp', subject: 'a', groups: ['g'] })).toMatchObject({
    name: 'user:https://idp#a',
    names: ['user:https://idp#a', 'group:https://idp#g', 'group:tenant/acme'],
    scopes: expect.arrayContaining(['cci:raw']),
  });
  expect(assumedPrincipal({ tenant: 'acme', issuer: 'i', subject: 'a', scopes: ['cci:read'] }).scopes).toEqual([
    'cci:read',
  ]);
});

test('slots, what is in them, and taint are written in short', () => {
  expect(parseSlot('0/2')).toEqual({ vcs: 0, vppb: 2 });
  expect(['', '0', '00/1', '0/1/2'].map(parseSlot)).toEqual([undefined, undefined, undefined, undefined]);
  expect(parseBinding('2')).toEqual({ kind: 'port', port: 2 });
  expect(parseBinding('3/1')).toEqual({ kind: 'ld', port: 3, ld: 1 });
  expect([parseBinding('unbound'), parseBinding('unknown')]).toEqual([{ kind: 'unbound' }, { kind: 'unknown' }]);
  expect(parseBinding('port:2')).toBeUndefined();
  expect(parseTaint('X', 'sw0')).toEqual({ letter: 'X', scope: '/switches/sw0' });
  expect(parseTaint('M@/switches/sw0/ports/3', 'sw0')).toEqual({ letter: 'M', scope: '/switches/sw0/ports/3' });
  expect(parseTaint('M@/switches/sw0', 'sw0')).toEqual({ letter: 'M', scope: '/switches/sw0' });
  expect(['Z', 'X@/switches/sw1', 'X@/switches/sw01', 'X@a@b'].map((text) => parseTaint(text, 'sw0'))).toEqual(
    Array(4).fill(undefined),
  );
});
