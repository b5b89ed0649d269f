import { describe, expect, test } from 'vitest';
import { rowByOpcode } from '../../../src/cci/index.ts';
import { ask, type Question, verdictOf } from './ask.ts';

const ports = (port_id_list: readonly number[]): Question => ({
  named: 'get-physical-port-state',
  params: { port_id_list },
});
const vcss = (vcs_id_list: readonly number[], starting_vppb = 0, vppb_list_limit = 255): Question => ({
  named: 'get-virtual-cxl-switch-info',
  params: { starting_vppb, vppb_list_limit, vcs_id_list },
});
const lds = (start_ld_id: number, ld_allocation_list_limit: number, via: string): Question => ({
  named: 'get-ld-allocations',
  params: { start_ld_id, ld_allocation_list_limit },
  via,
});
const hexOf = (question: Question): string => Buffer.from(ask(question).decision.command.payload).toString('hex');

describe('filterable reads', () => {
  test('foreign and unknown ports leave the list, the order stays, repetitions too', () => {
    const { decision } = ask(ports([7, 4, 3, 200, 3]));
    expect(decision.verdict).toBe('allow');
    expect(decision.narrowing).toEqual({ asked: [7, 4, 3, 200, 3], kept: [7, 3, 3] });
    expect(hexOf(ports([7, 4, 3, 200, 3]))).toBe('03070303');
  });

  test('nothing left: an empty answer, and nothing that a device could be sent', () => {
    const { decision } = ask(ports([4, 200]));
    expect(decision).toMatchObject({ verdict: 'allow', answer: 'empty', grants: [], taints: [] });
    expect(decision.facts.touched).toEqual([]);
    expect(decision.command.payload).toHaveLength(0);
  });

  test('an empty answer is still a command: the other steps hold', () => {
    expect(verdictOf(ask({ ...ports([4]), scopes: ['cci:config'] }))).toBe('EPERM scope -> EPERM 2');
    expect(verdictOf(ask({ ...ports([4]), topology: { cels: { '': new Map([[0x5100, 0]]) } } }))).toBe(
      'ENOTTY R3 -> ENOTTY 3',
    );
  });

  test('5200h goes out from 0 with limit 255 and the window asked for is kept (D11), for everybody', () => {
    const { decision } = ask(vcss([1, 0], 2, 1));
    expect(decision.narrowing).toEqual({ asked: [1, 0], kept: [0], window: { start: 2, limit: 1 } });
    expect(hexOf(vcss([1, 0], 2, 1))).toBe('00ff0100');
    expect(hexOf({ ...vcss([1, 0], 2, 1), tenant: 'fabric' })).toBe('00ff020100');
    expect(ask({ ...vcss([1], 2, 1) }).decision).toMatchObject({
      answer: 'empty',
      narrowing: { window: { start: 2, limit: 1 } },
    });
  });

  test('a position list is sent from the first own LD to the last; what is between is for the filter', () => {
    const { decision } = ask(lds(0, 255, 'port:5'));
    expect(decision.narrowing?.kept).toEqual([0, 3]);
    expect(decision.narrowing?.asked).toHaveLength(255);
    expect(decision.narrowing?.range).toEqual({ start: 0, count: 4 });
    expect(hexOf(lds(0, 255, 'port:5'))).toBe('0004');
    expect(hexOf(lds(1, 255, 'port:5'))).toBe('0301');
    expect(verdictOf(ask(lds(1, 2, 'port:5')))).toBe('empty');
  });

  test('a range ends where ids end', () => {
    expect(ask(lds(250, 20, 'port:5')).decision.narrowing?.asked).toEqual([250, 251, 252, 253, 254, 255]);
  });

  test('LDs that the file lists and the device lacks are not sent', () => {
    const topology = { devices: { 5: { device: 'mld', ldCount: 2 } } } as const;
    expect(ask({ ...lds(0, 4, 'port:5'), topology }).decision.narrowing?.kept).toEqual([0]);
  });

  test.each([
    ['get-qos-allocated-bw', { number_of_lds: 4, start_ld_id: 1 }, '0103'],
    ['get-qos-bw-limit', { number_of_lds: 4, start_ld_id: 1 }, '0103'],
    ['get-multi-headed-info', { start_ld_id: 1, ld_map_list_limit: 4 }, '0301'],
  ])('%s is cut to own LDs', (named, params, expected) => {
    expect(hexOf({ named, params, via: 'port:5' })).toBe(expected);
  });

  test('heads and hosts belong to the owner of the port', () => {
    const heads = { named: 'get-head-info', params: { start_head: 1, number_of_heads: 2 } };
    expect(verdictOf(ask({ ...heads, via: 'port:8' }))).toBe('allow');
    expect(hexOf({ ...heads, via: 'port:8' })).toBe('0102');
    expect(verdictOf(ask({ ...heads, via: 'port:5' }))).toBe('empty');
    const extents = {
      named: 'get-dc-region-extent-lists',
      params: { host_id: 1, extent_count: 1, starting_extent_index: 0 },
    };
    expect(verdictOf(ask({ ...extents, via: 'port:8' }))).toBe('allow');
    expect(verdictOf(ask({ ...extents, via: 'port:5' }))).toBe('empty');
  });

  test('a list where there is none to list is empty, not the whole', () => {
    expect(verdictOf(ask({ opcode: 0x5401, payload: '0004' }))).toBe('ENOTTY offered -> ENOTTY 3');
    expect(ask({ opcode: 0x5401, payload: '0004' }).decision.answer).toBe('empty');
    expect(ask({ opcode: 0x5501, payload: '0004' }).decision.answer).toBe('empty');
  });

  test('a tunnel to a stranger is refused, not answered with an empty list', () => {
    expect(verdictOf(ask(lds(0, 4, 'port:4')))).toBe('ENOTTY offered -> EPERM 2');
    expect(verdictOf(ask(lds(0, 4, 'port:99')))).toBe('EPERM ownership -> EPERM 2');
  });

  test('a raw read is never rewritten', () => {
    const { decision } = ask({ opcode: 0x5101, payload: '0103', raw: true });
    expect(decision.narrowing).toBeUndefined();
  });

  test('who has a grant on the whole switch gets what he asked for, and ids of nobody reach the device', () => {
    const { decision } = ask({ ...ports([3, 4, 200]), tenant: 'fabric' });
    expect(decision.verdict).toBe('allow');
    expect(decision.narrowing?.kept).toEqual([3, 4, 200]);
    expect(hexOf({ ...ports([3, 4, 200]), tenant: 'fabric' })).toBe('030304c8');
  });

  test('an operator with less gets what he was granted', () => {
    const grants = [{ tenant: 'fabric', resource: '/switches/sw0/ports/4', command: '*' }];
    expect(ask({ ...ports([3, 4, 200]), tenant: 'fabric', grants }).decision.narrowing?.kept).toEqual([4]);
    const reset = { named: 'physical-port-control', params: { ppb_id: 200, port_opcode: 'reset-ppb' } };
    expect(verdictOf(ask({ ...reset, tenant: 'fabric', grants }))).toBe('EPERM ownership -> EPERM 2');
    expect(verdictOf(ask({ ...reset, tenant: 'fabric' }))).toBe('allow');
  });

  test('a grant on the switch alone, or on all below a port, is not one on the whole switch', () => {
    const only = [{ tenant: 'fabric', resource: '/switches/sw0', command: '*' }];
    expect(ask({ ...ports([3, 200]), tenant: 'fabric', grants: only }).decision.narrowing?.kept).toEqual([]);
    const below = [{ tenant: 'fabric', resource: '/switches/sw0/ports/256/*', command: '*' }];
    expect(ask({ ...ports([3, 200]), tenant: 'fabric', grants: below }).decision.narrowing?.kept).toEqual([]);
  });

  test('a tenant gains nothing by a grant that covers everything', () => {
    expect(ask(ports([3, 4, 200])).decision.narrowing?.kept).toEqual([3]);
  });

  test('narrowed parameters are re-encoded by the row of the command', () => {
    expect(rowByOpcode(ask(ports([3, 4])).decision.command.opcode)?.slug).toBe('get-physical-port-state');
  });
});
