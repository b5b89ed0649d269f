import { bytes, empty, layout, u } from '../layout.ts';
import { row } from './row.ts';

/** Command set 06h: Maintenance. */
export const set06 = [
  row({
    opcode: 0x0600,
    slug: 'perform-maintenance',
    name: 'Perform Maintenance',
    set: 'maintenance',
    spec: 'r3.1 8.2.9.7.1',
    status: 'verified',
    executesOn: ['switch', 'fm-owned-ld', 'ld', 'sld', 'ld-pool-cci', 'gfd'],
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' },
    background: 'may',
    mutating: true,
    effects: 0x0156,
    radius: 'other-hosts',
    // Repair and sparing act on media that other hosts share.
    scope: 3,
    request: layout(2, null, [
      u(1, 'maintenance_operation_class', { enum: 'maintenance_operation_class' }),
      u(1, 'maintenance_operation_subclass'),
      bytes('maintenance_operation_parameters', 'rest'),
    ]),
    response: empty,
  }),
] as const;
