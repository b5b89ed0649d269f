import { empty, layout, u } from '../layout.ts';
import { row } from './row.ts';

/** Command set 03h: Timestamp. */
export const set03 = [
  row({
    opcode: 0x0300,
    slug: 'get-timestamp',
    name: 'Get Timestamp',
    set: 'timestamp',
    spec: 'r3.1 8.2.9.4.1',
    status: 'verified',
    executesOn: ['switch', 'fm-owned-ld', 'ld', 'sld', 'ld-pool-cci', 'gfd'],
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' },
    background: 'never',
    mutating: false,
    effects: 0x0000,
    radius: 'query-only',
    scope: 0,
    allowlisted: 'everywhere',
    virtual: 'each tenant has a clock of his own',
    request: empty,
    response: layout(8, 8, [u(8, 'timestamp', { help: 'nanoseconds since 1970 in UTC, 0 while never set' })]),
  }),
  row({
    opcode: 0x0301,
    slug: 'set-timestamp',
    name: 'Set Timestamp',
    set: 'timestamp',
    spec: 'r3.1 8.2.9.4.2',
    status: 'verified',
    executesOn: ['switch', 'fm-owned-ld', 'ld', 'sld', 'ld-pool-cci', 'gfd'],
    support: { deviceMailbox: 'O', type3Mctp: 'O', switchHostMailbox: 'O', switchFmInterface: 'O' },
    background: 'never',
    mutating: true,
    effects: 0x0008,
    radius: 'whole-switch',
    scope: 0,
    claimed: 'the clock is shared by all who use the CCI',
    virtual: "sets the clock of the caller's own tenant, by which the times of his events are told as well",
    request: layout(8, 8, [u(8, 'timestamp', { help: 'nanoseconds since 1970 in UTC, 0 while never set' })]),
    response: empty,
  }),
] as const;
