import { describe, expect, it } from 'vitest';
import { decisionAnswer } from '../../../src/broker/pipeline/answer.ts';
import type { Decision, GrantVerdict, Principal, ResourcePath } from '../../../src/policy/index.ts';
import { fakePrincipal } from '../../support/fake-policy.ts';
import { Handmade } from '../../support/handmade-switch.ts';

// What `cci can` tells, and whom it tells less.

const made = new Handmade({ services: {} });
const bind = { named: 'bind-vppb', params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 65535 } };
const { decision: allowed } = made.decided(bind);
const denied: Decision = { ...allowed, verdict: 'deny', disclosed: true };
const refusal = { code: 'EPERM', detail: 'not permitted, or there is no such object', returnCode: 2 } as const;
const outward = { code: 'EPERM', detail: refusal.detail };
const snapshot = 'f'.repeat(64);

const told = (decision: Decision, refused?: typeof refusal, principal: Principal = fakePrincipal('acme')) =>
  decisionAnswer(made.services, { id: 'r-1' }, principal, decision, refused);

const operator = (scopes: Principal['scopes'], tenant = 'fabric') => fakePrincipal(tenant, scopes);

describe('what is told of a command', () => {
  it('that is allowed is all of it', () => {
    const rule = 'p, role:everything, *, /switches/sw0/*, *';
    expect(told(allowed)).toStrictEqual({
      requestId: 'r-1',
      verdict: 'allow',
      class: 'audited',
      scope: 0,
      reach: 'own',
      touched: ['/switches/sw0/vcss/0/vppbs/2', '/switches/sw0/ports/3'],
      command: 'bind-vppb',
      grants: [
        { resource: '/switches/sw0/vcss/0/vppbs/2', allowed: true, rule, source: 'grants.csv:1' },
        { resource: '/switches/sw0/ports/3', allowed: true, rule, source: 'grants.csv:1' },
      ],
      reasons: [],
      wouldNeed: [],
      snapshot,
    });
  });

  it('that is refused for reasons that the caller may not see is what the refusal says', () => {
    const least = { requestId: 'r-1', verdict: 'deny', outward, snapshot };
    const hidden = { ...denied, disclosed: false };
    expect(told(hidden, refusal)).toStrictEqual(least);
    // The scope alone is not enough, nor is being an operator alone.
    expect(told(hidden, refusal, operator(['cci:policy'], 'acme'))).toStrictEqual(least);
    expect(told(hidden, refusal, operator(['cci:read']))).toStrictEqual(least);
  });

  it('that is refused is all of it to operators with `cci:policy`, and where the reasons are disclosed', () => {
    expect(told({ ...denied, disclosed: false }, refusal, operator(['cci:policy']))).toMatchObject({
      verdict: 'deny',
      class: 'audited',
      outward,
    });
    expect(told(denied, refusal)).toMatchObject({ verdict: 'deny', class: 'audited', outward });
  });

  it('that is allowed but hides its reasons is all of it', () => {
    expect(told({ ...allowed, disclosed: false })).toMatchObject({ verdict: 'allow', command: 'bind-vppb' });
  });
});

describe('its parts', () => {
  const reason = { step: 'scope', rule: 'S1', errno: 'EPERM', text: 'no scope', returnCode: 9 } as const;

  it('are the reasons, with the row where there is one and without what goes over the wire', () => {
    const decision = { ...denied, reasons: [reason, { ...reason, source: 'a.csv:3' }] };
    const { step, rule, errno, text } = reason;
    expect(told(decision, refusal).reasons).toStrictEqual([
      { step, rule, errno, text },
      { step, rule, errno, text, source: 'a.csv:3' },
    ]);
  });

  it('say where a command is not offered, which no reason says', () => {
    const offered = [{ step: 'offered', rule: 'filter', errno: 'EPERM', text: refusal.detail }];
    expect(told({ ...denied, verdict: 'allow' }, refusal).reasons).toStrictEqual(offered);
    expect(told({ ...denied, reasons: [reason] }, refusal).reasons).toHaveLength(1);
    expect(told(denied).reasons).toEqual([]);
  });

  it('are what a list is cut to, without the range that is sent', () => {
    const narrowing = { asked: [1, 3], kept: [3], range: { start: 3, count: 1 } };
    expect(told({ ...allowed, narrowing }).narrowed).toStrictEqual({ asked: [1, 3], kept: [3] });
    expect(told(allowed)).not.toHaveProperty('narrowed');
  });

  it('name no row where nothing matched', () => {
    const resource: ResourcePath = '/switches/sw0/ports/3';
    expect(told({ ...denied, grants: [{ resource, allowed: false }] }, refusal).grants).toStrictEqual([
      { resource, allowed: false },
    ]);
  });
});

describe('what would be needed', () => {
  const grants = (refused: number, granted = 0): readonly GrantVerdict[] =>
    Array.from({ length: refused + granted }, (_, i) => ({
      resource: `/switches/sw0/ports/3/lds/${i}`,
      allowed: i >= refused,
    }));
  const needed = (decision: Decision) => told(decision, refusal).wouldNeed ?? [];

  it('is worked out for what is refused alone, and for no more than eight of it', () => {
    expect(needed({ ...denied, grants: grants(8, 3) })).toHaveLength(8);
    expect(needed({ ...denied, grants: grants(8, 3) }).at(-1)).toContain('/lds/7');
    expect(needed({ ...denied, grants: grants(10) })).toHaveLength(9);
    expect(needed({ ...denied, grants: grants(10) }).at(-1)).toBe('the same for 2 more resources');
    expect(needed({ ...denied, grants: grants(9) }).at(-1)).toBe('the same for 1 more resources');
  });

  it('is nothing where nothing is said of the first of them', () => {
    expect(needed({ ...denied, verdict: 'allow', grants: grants(10) })).toEqual([]);
    expect(needed({ ...denied, grants: grants(0, 3) })).toEqual([]);
  });
});
