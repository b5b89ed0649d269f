import { describe, expect, test } from 'vitest';
import { readPastDecision } from '../../../src/policy/replay/index.ts';
import { bind, DEV, LD, SLOT } from './recorded.ts';

describe('a record that is read', () => {
  test('gives everything that the decision was taken with', () => {
    expect(readPastDecision(bind)).toEqual({
      kind: 'decision',
      decision: {
        sequence: 7,
        requestId: 'r-7',
        at: '2026-11-01T10:00:00.000Z',
        snapshot: 'before',
        principal: {
          name: `user:${DEV}#alice`,
          names: [`user:${DEV}#alice`, `group:${DEV}#operators`, 'group:tenant/acme'],
          tenant: 'acme',
          scopes: ['cci:config'],
          issuer: DEV,
          subject: 'alice',
          tokenId: 'r-7',
          expiresAtMs: Number.MAX_SAFE_INTEGER,
        },
        verdict: 'allow',
        switch: 'sw0',
        command: 'bind-vppb',
        opcode: 0x5201,
        class: 'audited',
        scope: 0,
        touched: [SLOT, LD],
        asked: [SLOT, LD],
        level: 'none',
        underLockdown: 'allow',
        profile: 'host',
        reach: 'own',
        taint: [],
        conditions: ['mutating'],
        reasons: [],
      },
    });
  });

  const { snapshot: _snapshot, ...unnamed } = bind;
  test('may be of a broker that did not name its policy', () => {
    expect(readPastDecision(unnamed)).toMatchObject({ kind: 'decision', decision: { snapshot: undefined } });
  });

  test.each<[string, unknown]>([
    ['seq', 0],
    ['opcode', 1],
    ['opcode', 0xffff],
    ['scope', 3],
    ['class', 'raw'],
    ['class', 'allowlisted'],
    ['reach', 'query'],
    ['reach', 'opaque'],
    ['touched', []],
    ['groups', []],
    ['conditions', ['bound', 'crosses-tenants']],
    ['activeTaint', ['R', 'B']],
    ['verdict', 'deny'],
    ['grants', []],
    ['reasons', [{ step: 'grant', rule: 'grant', text: '' }]],
    ['at', '2026-12-31T23:59:59.999Z'],
  ])('may say %s: %j', (member, value) => {
    expect(readPastDecision({ ...bind, [member]: value }).kind).toBe('decision');
  });

  test.each<[string, unknown]>([
    ['seq', 1.5],
    ['requestId', 7],
    ['at', '2026-11-01T10:00:00Z'],
    ['at', '2026-11-01 10:00:00.000Z'],
    ['at', '12026-11-01T10:00:00.000Z'],
    ['at', '2026-11-01T10:00:00.0000Z'],
    ['at', '2026-11-01T10:00:00.000Z '],
    ['at', 20261101],
    ['principal', `user:${DEV}`],
    ['tenant', 7],
    ['groups', { 0: `group:${DEV}#a` }],
    ['groups', [`group:${DEV}#a`, 7]],
    ['scopes', 'cci:read'],
    ['scopes', [7]],
    ['switch', 0],
    ['command', null],
    ['opcode', -1],
    ['opcode', 1.5],
    ['opcode', '1'],
    ['scope', -1],
    ['touched', '/switches/sw0'],
    ['touched', ['/switch/sw0']],
    ['touched', [7]],
    ['touched', ['/switches/sw0', 'sw0']],
    ['grants', 'all'],
    ['grants', [{ resource: '/switches/sw0' }, {}]],
    ['grants', [null]],
    ['conditions', 'bound'],
    ['activeTaint', 'M'],
    ['reasons', 'none'],
    ['reasons', [{ step: 'grant', rule: 'grant' }]],
    ['reasons', [{ step: 'grant', text: '' }]],
    ['reasons', [{ rule: 'grant', text: '' }]],
    ['reasons', ['grant']],
  ])('may not say %s: %j', (member, value) => {
    expect(readPastDecision({ ...bind, [member]: value })).toEqual({ kind: 'malformed', member });
  });

  test.each<[string, unknown, boolean]>([
    ['lockdown', 'integrity', true],
    ['lockdown', 'confidentiality', true],
    ['lockdown', 'none', true],
    ['lockdown', 'all', false],
    ['profile', 'bmc', true],
    ['profile', 'guest', false],
    ['underLockdown', 'reads', true],
    ['underLockdown', 'off', true],
    ['underLockdown', 'writes', false],
  ])('may say or not say that the posture was %s: %s', (member, value, isRight) => {
    const reading = readPastDecision({ ...bind, posture: { ...bind.posture, [member]: value } });
    if (isRight) expect(reading.kind).toBe('decision');
    else expect(reading).toEqual({ kind: 'malformed', member: `posture.${member}` });
  });

  test.each(['groups', 'scopes', 'conditions', 'activeTaint', 'posture', 'class', 'scope', 'reach', 'touched'])(
    'is of an older broker without %s, whatever else it says',
    (member) => {
      const record = Object.fromEntries(Object.entries({ ...bind, seq: 'x' }).filter(([key]) => key !== member));
      expect(readPastDecision(record)).toEqual({ kind: 'incomplete' });
    },
  );

  test.each(['profile', 'underLockdown'])('is of an older broker when the posture has no %s', (member) => {
    const posture = Object.fromEntries(Object.entries(bind.posture).filter(([key]) => key !== member));
    expect(readPastDecision({ ...bind, posture })).toEqual({ kind: 'incomplete' });
  });

  test.each([null, 'host', 7])('is nothing that a broker writes when the posture is %j', (posture) => {
    expect(readPastDecision({ ...bind, posture })).toEqual({ kind: 'malformed', member: 'posture' });
  });

  test('asks again for what grants were asked for, which need not be what was touched', () => {
    expect(readPastDecision({ ...bind, grants: [{ resource: LD }] })).toMatchObject({
      decision: { touched: [SLOT, LD], asked: [LD] },
    });
  });
});
