export const DEV = 'https://cci-broker.local/dev';
export const SLOT = '/switches/sw0/vcss/0/vppbs/0';
export const LD = '/switches/sw0/ports/3/lds/0';

/** A bind that an operator of acme was allowed, as the journal has it. */
export const bind = {
  seq: 7,
  requestId: 'r-7',
  at: '2026-11-01T10:00:00.000Z',
  kind: 'intent',
  switch: 'sw0',
  principal: `user:${DEV}#alice`,
  tenant: 'acme',
  groups: [`group:${DEV}#operators`],
  scopes: ['cci:config'],
  opcode: 0x5201,
  command: 'bind-vppb',
  class: 'audited',
  scope: 0,
  reach: 'own',
  touched: [SLOT, LD],
  grants: [{ resource: SLOT }, { resource: LD }],
  conditions: ['mutating'],
  activeTaint: [],
  verdict: 'allow',
  reasons: [],
  snapshot: 'before',
  posture: { version: 1, lockdown: 'none', taint: '-', profile: 'host', underLockdown: 'allow' },
};
