import { count, layout, list, reserved, u } from '../layout.ts';
import { row } from './row.ts';
import * as structs from './structs.ts';

/** Command set 55h: Multi-Headed Devices. */
export const set55 = [
  row({
    opcode: 0x5500,
    slug: 'get-multi-headed-info',
    name: 'Get Multi-Headed Info',
    set: 'multi-headed-devices',
    spec: 'r3.1 7.6.7.5.1',
    status: 'verified',
    executesOn: ['ld-pool-cci', 'fm-owned-ld', 'ld'],
    support: { deviceMailbox: 'MHO', type3Mctp: 'MHS', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'never',
    mutating: false,
    effects: 0x0000,
    radius: 'query-only',
    scope: 0,
    request: layout(2, 2, [u(1, 'start_ld_id', { target: 'ld-id' }), u(1, 'ld_map_list_limit', { min: 1 })]),
    response: layout(8, 263, [
      u(1, 'number_of_lds'),
      u(1, 'number_of_heads'),
      reserved(2),
      u(1, 'start_ld_id'),
      count(1, 'ld_map_length'),
      reserved(2),
      list('ld_map', u(1, 'head'), { counter: 'ld_map_length' }, { help: 'the head of each LD, FFh for none' }),
    ]),
  }),
  row({
    opcode: 0x5501,
    slug: 'get-head-info',
    name: 'Get Head Info',
    set: 'multi-headed-devices',
    spec: 'r3.1 7.6.7.5.2',
    status: 'verified',
    executesOn: ['ld-pool-cci', 'fm-owned-ld', 'ld'],
    support: { deviceMailbox: 'MHO', type3Mctp: 'MHO', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'never',
    mutating: false,
    effects: 0x0000,
    radius: 'query-only',
    scope: 0,
    request: layout(2, 2, [u(1, 'start_head', { target: 'head-id' }), u(1, 'number_of_heads')]),
    response: layout(4, 2299, [
      count(1, 'number_of_heads'),
      reserved(3),
      list('head_information_list', structs.headInfo, { counter: 'number_of_heads' }),
    ]),
  }),
] as const;
