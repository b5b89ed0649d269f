import { bytes, count, empty, layout, list, reserved, u } from '../layout.ts';
import { row } from './row.ts';
import * as structs from './structs.ts';

/** Command set 44h: Sanitize and Media Operations. */
export const set44 = [
  row({
    opcode: 0x4400,
    slug: 'sanitize',
    name: 'Sanitize',
    set: 'sanitize-and-media-operations',
    spec: 'r3.1 8.2.9.9.5.1',
    status: 'verified',
    executesOn: ['ld', 'sld', 'fm-owned-ld'],
    support: { deviceMailbox: 'O', type3Mctp: 'O4', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'always',
    mutating: true,
    effects: 0x0164,
    radius: 'whole-port',
    // Destroys all data, and the tunnel path alone says whose.
    scope: 3,
    // A security set of the kernel's raw gate: typed only, and only where a policy names it.
    grant: 'slug-only',
    request: empty,
    response: empty,
  }),
  row({
    opcode: 0x4401,
    slug: 'secure-erase',
    name: 'Secure Erase',
    set: 'sanitize-and-media-operations',
    spec: 'r3.1 8.2.9.9.5.2',
    status: 'verified',
    executesOn: ['ld', 'sld', 'fm-owned-ld'],
    support: { deviceMailbox: 'O', type3Mctp: 'O4', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'never',
    mutating: true,
    effects: 0x0024,
    radius: 'whole-port',
    // Discards the media key: all data is lost, and the tunnel path alone says whose.
    scope: 3,
    // A security set of the kernel's raw gate: typed only, and only where a policy names it.
    grant: 'slug-only',
    request: empty,
    response: empty,
  }),
  row({
    opcode: 0x4402,
    slug: 'media-operations',
    name: 'Media Operations',
    set: 'sanitize-and-media-operations',
    spec: 'r3.1 8.2.9.9.5.3',
    status: 'verified',
    executesOn: ['ld', 'sld', 'fm-owned-ld'],
    support: { deviceMailbox: 'O', type3Mctp: 'P', switchHostMailbox: 'P', switchFmInterface: 'P' },
    background: 'may',
    mutating: true,
    effects: 0x0044,
    radius: 'whole-port',
    // Can erase any range; only class 00h reads.
    scope: 3,
    // A security set of the kernel's raw gate: typed only, and only where a policy names it.
    grant: 'slug-only',
    request: layout(8, null, [
      u(1, 'media_operation_class', { enum: 'media_operation_class' }),
      u(1, 'media_operation_subclass'),
      reserved(2),
      count(4, 'dpa_range_count'),
      list('dpa_range_list', structs.dpaRange, { counter: 'dpa_range_count' }, { target: 'dpa-range' }),
      bytes('operation_specific_arguments', 'rest'),
    ]),
    response: layout(0, null, [bytes('operation_specific_output', 'rest')]),
  }),
] as const;
