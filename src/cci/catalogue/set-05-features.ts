import { bits, bytes, count, empty, layout, list, reserved, u, uuid } from '../layout.ts';
import { row } from './row.ts';
import * as structs from './structs.ts';

/** Command set 05h: Features. */
export const set05 = [
  row({
    opcode: 0x0500,
    slug: 'get-supported-features',
    name: 'Get Supported Features',
    set: 'features',
    spec: 'r3.1 8.2.9.6.1',
    status: 'verified',
    executesOn: ['switch', 'fm-owned-ld', 'ld', 'sld', 'ld-pool-cci', 'gfd'],
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' },
    background: 'never',
    mutating: false,
    effects: 0x0000,
    radius: 'query-only',
    // Names every adjustable feature of the component: debug, not configuration.
    scope: 1,
    request: layout(8, 8, [u(4, 'count', { help: 'bytes asked for' }), u(2, 'starting_feature_index'), reserved(2)]),
    response: layout(8, 3145688, [
      count(2, 'number_of_supported_feature_entries'),
      u(2, 'device_supported_features'),
      reserved(4),
      list('supported_feature_entries', structs.supportedFeatureEntry, {
        counter: 'number_of_supported_feature_entries',
      }),
    ]),
  }),
  row({
    opcode: 0x0501,
    slug: 'get-feature',
    name: 'Get Feature',
    set: 'features',
    spec: 'r3.1 8.2.9.6.2',
    status: 'verified',
    executesOn: ['switch', 'fm-owned-ld', 'ld', 'sld', 'ld-pool-cci', 'gfd'],
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' },
    background: 'never',
    mutating: false,
    effects: 0x0000,
    radius: 'query-only',
    // Feature data is defined by the feature, not by us: debug read.
    scope: 1,
    request: layout(21, 21, [
      uuid('feature_identifier', { target: 'feature' }),
      u(2, 'offset'),
      u(2, 'count'),
      u(1, 'selection', { enum: 'feature_selection' }),
    ]),
    response: layout(0, null, [bytes('feature_data', 'rest')]),
  }),
  row({
    opcode: 0x0502,
    slug: 'set-feature',
    name: 'Set Feature',
    set: 'features',
    spec: 'r3.1 8.2.9.6.3',
    status: 'verified',
    executesOn: ['switch', 'fm-owned-ld', 'ld', 'sld', 'ld-pool-cci', 'gfd'],
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' },
    background: 'never',
    mutating: true,
    effects: 0x0c3f,
    radius: 'opaque',
    // The payload is defined by the feature: 3 unless the feature's own effects say less (R15).
    scope: 3,
    request: layout(32, null, [
      uuid('feature_identifier', { target: 'feature' }),
      bits(4, 'set_feature_flags', { action: [0, 2, 'set_feature_action'], saved_across_reset: [3, 3] }),
      u(2, 'offset'),
      u(1, 'version'),
      reserved(9),
      bytes('feature_data', 'rest'),
    ]),
    response: empty,
  }),
] as const;
