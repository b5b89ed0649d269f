import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandRequest, Credential } from '../../src/broker/core-api.ts';
import { bindOwn, journalOf, type ShippedBroker, shippedParts, startShippedBroker } from '../support/shipped-broker.ts';

// What `cci can` is told before anything is sent: all of it to whoever may see reasons, and to everybody else exactly what
// the refusal itself would say.

let setup: ShippedBroker;
beforeEach(async () => {
  const acme = `${shippedParts.grants.get('acme')}\np, role:operator, acme, own, unbind-vppb, deny\n`;
  setup = await startShippedBroker({ grants: new Map([...shippedParts.grants, ['acme', acme]]) });
});
afterEach(() => setup.broker.close());

async function told(caller: Credential, command: CommandRequest): Promise<{ readonly [key: string]: unknown }> {
  const answer = await setup.broker.core.decide(caller, 'sw0', command);
  if (!answer.ok) throw new Error(answer.problem.code);
  const { requestId, snapshot, ...rest } = answer.value;
  expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(snapshot).toMatch(/^[0-9a-f]{64}$/);
  return rest;
}

const vppb = '/switches/sw0/vcss/0/vppbs/2';
const ld = '/switches/sw0/ports/3/lds/1';
const hidden = { verdict: 'deny', outward: { code: 'EPERM', detail: 'not permitted, or there is no such object' } };
const ports = (...port_id_list: readonly number[]): CommandRequest => ({
  kind: 'named',
  command: 'get-physical-port-state',
  params: { port_id_list },
});

describe('the answer to "may I?"', () => {
  it('names the row for each object of what is allowed', async () => {
    const row = { allowed: true, rule: 'p, role:operator, acme, own, bind-vppb, allow', source: 'tenants/acme.csv:23' };
    expect(await told(setup.alice, bindOwn)).toEqual({
      verdict: 'allow',
      class: 'audited',
      scope: 0,
      reach: 'own',
      touched: [vppb, ld],
      command: 'bind-vppb',
      grants: [
        { resource: vppb, ...row },
        { resource: ld, ...row },
      ],
      reasons: [],
      wouldNeed: [],
    });
  });

  it('says what a list is cut to', async () => {
    const answer = await told(setup.alice, ports(0, 1, 2));
    expect(answer).toMatchObject({ verdict: 'allow', narrowed: { asked: [0, 1, 2], kept: [0, 2] } });
    expect(answer.touched).toEqual(['/switches/sw0/ports/0', '/switches/sw0/ports/2']);
  });

  it('says to whoever lacks a role on what is his own which one it is', async () => {
    const carol = await setup.broker.credential('acme', { subject: 'carol', groups: ['readers'] });
    const answer = await told(carol, bindOwn);
    expect(answer).toMatchObject({
      verdict: 'deny',
      grants: [
        { resource: vppb, allowed: false },
        { resource: ld, allowed: false },
      ],
      outward: hidden.outward,
    });
    expect(answer.reasons).toEqual(
      [vppb, ld].map((path) => ({
        step: 'grant',
        rule: 'grant',
        errno: 'EPERM',
        text: `nothing grants it on ${path}`,
      })),
    );
    expect(answer.wouldNeed).toEqual([
      expect.stringContaining(`on ${vppb}: role:operator, which the security team of acme gives`) as string,
      expect.stringContaining(`on ${ld}: role:operator, which the security team of acme gives`) as string,
    ]);
  });

  it('names the row that denies', async () => {
    const unbind: CommandRequest = {
      kind: 'named',
      command: 'unbind-vppb',
      params: { vcs_id: 0, vppb_id: 2, option: 'managed-hot-remove' },
    };
    const answer = await told(setup.alice, unbind);
    const [reason] = answer.reasons as readonly { readonly source?: string }[];
    expect(reason?.source).toMatch(/^tenants\/acme\.csv:\d+$/);
    expect(answer.grants).toEqual([
      {
        resource: vppb,
        allowed: false,
        rule: 'p, role:operator, acme, own, unbind-vppb, deny',
        source: reason?.source,
      },
    ]);
  });

  it("tells nothing of another tenant's objects, and of none the same", async () => {
    expect(await told(setup.bob, bindOwn)).toEqual(hidden);
    expect(await told(setup.bob, { kind: 'named', command: 'identify', via: 'port:31' })).toEqual(hidden);
  });

  it('tells an operator with `cci:policy` all that stands against it', async () => {
    const nowhere: CommandRequest = {
      kind: 'raw',
      opcode: 0x4400,
      payload: new Uint8Array(0),
      via: 'port:3',
    };
    const all = await told(setup.olga, nowhere);
    expect(all.verdict).toBe('deny');
    expect((all.reasons as readonly { readonly step: string }[]).map(({ step }) => step)).toContain('raw-gate');
    expect(all.outward).toBeDefined();
  });

  it('sends nothing and records no intent', async () => {
    let sent = 0;
    setup.device.hook = (_request, pass) => {
      sent += 1;
      return pass();
    };
    await told(setup.alice, bindOwn);
    expect(sent).toBe(0);
    expect((await journalOf(setup.broker)).filter(({ kind }) => kind === 'intent')).toEqual([]);
  });

  it('is refused like the command itself without a token that is good', async () => {
    const bad = { ...setup.alice, token: `${setup.alice.token}x` };
    const answer = await setup.broker.core.decide(bad, 'sw0', bindOwn);
    expect(answer).toMatchObject({ ok: false, problem: { code: 'EAUTH' } });
    expect(await setup.broker.core.decide(setup.alice, 'sw9', bindOwn)).toMatchObject({
      ok: false,
      problem: { code: 'EPERM' },
    });
  });
});
