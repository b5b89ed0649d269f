import { createHash } from 'node:crypto';

// What the journal has of acme's read of ports 3 and 4, of which the latter is somebody else's.

export const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const who = {
  requestId: 'r-1',
  source: '192.0.2.1:5',
  switch: 'sw0',
  principal: 'user:https://issuer.example#acme-user',
  tenant: 'acme',
  tokenId: 'token-of-acme',
  groups: [],
  scopes: ['cci:read', 'cci:config', 'cci:debug-read', 'cci:debug-write', 'cci:debug-write-full', 'cci:raw'],
};
export const posture = { version: 3, lockdown: 'none', taint: '-', profile: 'bmc', underLockdown: 'allow' };
export const rule = 'p, role:everything, *, /switches/sw0/*, *';
export const read = {
  path: '',
  opcode: 0x5101,
  command: 'get-physical-port-state',
  class: 'allowlisted',
  scope: 0,
  reach: 'query',
  touched: ['/switches/sw0/ports/3'],
  tenants: ['acme'],
  conditions: [],
  activeTaint: [],
  verdict: 'allow',
  rule: 'grants.csv:1',
  grants: [{ resource: '/switches/sw0/ports/3', allowed: true, rule, source: 'grants.csv:1' }],
  reasons: [],
  fields: { port_id_list: [3, 4] },
  narrowed: { asked: [3, 4], kept: [3] },
  payloadBytes: 2,
  payloadDigest: digest(Uint8Array.of(1, 3)),
  snapshot: 'f'.repeat(64),
  topology: 7,
  posture,
};
