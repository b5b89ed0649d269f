import { describe, expect, it } from 'vitest';
import { JournalError } from '../../../src/broker/journal/index.ts';
import type { Decided } from '../../../src/broker/pipeline/context.ts';
import { began } from '../../../src/broker/pipeline/course.ts';
import { recordIntent, recordOutcome, recordRefusal } from '../../../src/broker/pipeline/record.ts';
import { Shadow } from '../../../src/broker/shadow.ts';
import type { Decision } from '../../../src/policy/index.ts';
import { exampleSpec, fakeEngine, fakeFabric, fakePosture } from '../../support/fake-policy.ts';
import { rowOf } from '../../support/handmade-bytes.ts';
import { Handmade, type HandmadeOptions, type Question, rawIsOpen } from '../../support/handmade-switch.ts';
import { digest, posture, read, who } from './expected-records.ts';

// What the journal holds of a command: who, what and why.

const ports: Question = { named: 'get-physical-port-state', params: { port_id_list: [3, 4] } };
const bind: Question = {
  named: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 65535 },
};
const vendor: Question = { opcode: 0xc010, payload: Uint8Array.of(1, 2), raw: true, tenant: 'fabric' };

function setup(question: Question, options: HandmadeOptions = {}, more: Partial<Decided> = {}) {
  const made = new Handmade(options);
  const decided = made.decided(question, more);
  const request = made.request();
  return { made, decided, request };
}

const refusal = { code: 'EPERM', detail: 'no such object', returnCode: 2 } as const;

describe('an intent', () => {
  it('is durable, and says who wants what, why he may, and what is sent', async () => {
    const { made, decided, request } = setup(ports);
    expect(await recordIntent(made.services, request, decided, decided.decision)).toBe(1);
    expect(made.records).toStrictEqual([
      { how: 'append', kind: 'intent', body: { ...who, ...read, flags: [] }, options: { durable: true } },
    ]);
  });

  it('that has not arrived where it has to is told apart from one that cannot be written', async () => {
    const { made, decided, request } = setup(bind);
    const record = () => recordIntent(made.services, request, decided, decided.decision);
    made.unwritable.set('intent', new JournalError('undelivered', 'x'));
    expect(await record()).toBe('undelivered');
    for (const error of [new JournalError('io', 'x'), Object.assign(new Error('x'), { code: 'undelivered' })]) {
      made.unwritable.set('intent', error);
      await expect(record()).rejects.toBe(error);
    }
  });
});

describe('a record of a command', () => {
  const recorded = async (decided: Decided, made: Handmade, decision: Decision = decided.decision) => {
    await recordIntent(made.services, made.request(), decided, decision);
    return made.records.at(-1)?.body ?? {};
  };

  it('has the groups of its caller without himself and his tenant, the key of his token and what it is bound to', async () => {
    const { made } = setup(ports);
    const principal = {
      ...made.principal('acme'),
      names: ['user:https://issuer.example#acme-user', 'group:issuer#ops', 'group:tenant/acme', 'group:tenant/globex'],
      keyThumbprint: 'key',
      bound: { dpop: 'thumb' },
    };
    const body = await recorded(made.decided({ ...ports, principal }), made);
    expect(body).toMatchObject({
      groups: ['group:issuer#ops', 'group:tenant/globex'],
      tokenKey: 'key',
      bound: { dpop: 'thumb' },
    });
  });

  it('of raw bytes has no fields, is flagged, and has its digest', async () => {
    const { made, decided } = setup(vendor, { posture: rawIsOpen });
    const body = await recorded(decided, made);
    expect(body).toMatchObject({
      command: 'opcode:0xc010',
      class: 'raw',
      payloadBytes: 2,
      payloadDigest: digest(Uint8Array.of(1, 2)),
      flags: ['unaudited', 'cross-tenant'],
      taints: [{ letter: 'J' }, { letter: 'R' }, { letter: 'V' }],
    });
    for (const name of ['fields', 'narrowed', 'payload']) expect(body).not.toHaveProperty(name);
  });

  it('of typed bytes that went raw has no fields either', async () => {
    const { made, decided } = setup(
      { opcode: 0x5101, payload: Uint8Array.of(1, 3), raw: true, tenant: 'fabric' },
      { posture: rawIsOpen },
    );
    expect(decided.decoded.asked).toBeDefined();
    expect(await recorded(decided, made)).not.toHaveProperty('fields');
  });

  it('of a path has it', async () => {
    const { made, decided } = setup({ named: 'identify', via: 'port:3' });
    expect(await recorded(decided, made)).toMatchObject({ path: 'port:3', fields: {} });
  });

  it.each([
    ['none', ports, undefined],
    ['masked', ports, '0103'],
    ['all', ports, '0103'],
    ['none', vendor, undefined],
    ['masked', vendor, undefined],
    ['all', vendor, '0102'],
  ] as const)('holds payloads as the configuration says (%s, %j)', async (payloads, question, payload) => {
    const { made, decided } = setup(question, {
      posture: rawIsOpen,
      services: { recording: { durability: 'by-effect', payloads } as never },
    });
    const body = await recorded(decided, made);
    expect(body.payload).toBe(payload);
    expect(body).toHaveProperty('payloadDigest');
  });

  it('never has what is secret, nor a digest by which it could be guessed', async () => {
    const { made, decided } = setup(
      {
        named: 'initiate-dynamic-capacity-add',
        params: { host_id: 0, selection_policy: 'free', region: 0, length: 1, tag: 'ab'.repeat(16) },
        via: 'port:3',
      },
      { services: { recording: { durability: 'by-effect', payloads: 'all' } as never } },
    );
    const body = await recorded(decided, made);
    expect(JSON.stringify(body.fields)).not.toContain('abab');
    expect(body).toMatchObject({ payloadBytes: 28 });
    for (const name of ['payload', 'payloadDigest']) expect(body).not.toHaveProperty(name);
  });

  it('has the digest of what holds no secret, whatever else it holds', async () => {
    const { made, decided } = setup({
      named: 'unbind-vppb',
      params: { vcs_id: 0, vppb_id: 2, option: 'managed-hot-remove' },
    });
    expect(await recorded(decided, made)).toMatchObject({
      fields: { option: 'managed-hot-remove' },
      payloadDigest: digest(decided.decision.command.payload),
    });
  });

  it('names what decided: the first that stands against it, else the row of the first resource', async () => {
    const { made, decided } = setup(ports);
    const reason = { step: 'scope', rule: 'S1', errno: 'EPERM', text: 'no', source: 's', returnCode: 9 } as const;
    const { decision } = decided;
    const denied = await recorded(decided, made, { ...decision, reasons: [reason, { ...reason, rule: 'S2' }] });
    expect(denied.rule).toBe('S1');
    expect((denied.reasons as readonly object[])[0]).toStrictEqual({
      step: 'scope',
      rule: 'S1',
      errno: 'EPERM',
      text: 'no',
    });
    const bare = { resource: '/switches/sw0/ports/3', allowed: false } as const;
    const nothing = await recorded(decided, made, { ...decision, grants: [bare] });
    expect(nothing).not.toHaveProperty('rule');
    expect(nothing.grants).toStrictEqual([bare]);
    expect(await recorded(decided, made, { ...decision, grants: [] })).not.toHaveProperty('rule');
  });

  it.each([
    ['query', []],
    ['own', []],
    ['cross-tenant', ['cross-tenant']],
    ['switch', ['cross-tenant']],
    ['opaque', ['cross-tenant']],
  ] as const)('is flagged where it reaches others: %s', async (reach, flags) => {
    const { made, decided } = setup(ports);
    const { decision } = decided;
    const body = await recorded(decided, made, { ...decision, facts: { ...decision.facts, reach } });
    expect(body.flags).toEqual(flags);
  });

  it('that was denied is flagged', async () => {
    const { made, decided } = setup(ports);
    expect(await recorded(decided, made, { ...decided.decision, verdict: 'deny' })).toMatchObject({
      flags: ['denied'],
    });
  });

  it('tells the posture before, where it is another one now', async () => {
    const { made, decided, request } = setup(ports);
    began(request, made.runtime);
    made.posture = fakePosture({ profile: 'bmc', version: 4, level: 'integrity' });
    await recordIntent(made.services, request, decided, decided.decision);
    expect(made.records[0]?.body).toMatchObject({
      posture: { ...posture, version: 4, lockdown: 'integrity' },
      postureBefore: posture,
    });
  });

  it('has what a candidate policy would have made of it, and counts that', async () => {
    const made = new Handmade();
    const candidate = { ...fakeEngine(fakeFabric(exampleSpec), []), id: 'c'.repeat(64) };
    const shadow = new Shadow({ inForce: made.engine, candidate, tenants: new Set(['acme']) });
    const decided = made.decided(ports);
    const { principal, decoded, decision } = decided;
    const input = { principal, submission: decoded.submission, posture: made.posture, topology: made.runtime.topology };
    shadow.observe(input, { kind: 'notRaw' }, decision);
    const body = await recorded(decided, made);
    expect(body).toMatchObject({ shadow: { difference: 'denies', snapshot: 'c'.repeat(64) }, flags: ['shadow'] });
    expect(made.details('count shadowDifferences')).toEqual([[{ difference: 'denies' }]]);
    expect(await recorded(made.decided(ports), made)).not.toHaveProperty('shadow');
    expect(made.times('count shadowDifferences')).toBe(1);
  });

  it('names who answers for a vendor command that was typed', async () => {
    const made = new Handmade({ posture: rawIsOpen });
    const review = { reviewer: 'Olga', date: '2026-11-02', reference: 'T-1', more: 'left out' };
    const plain = made.decided(ports);
    const commands = {
      ...plain.decoded.commands,
      rowByOpcode: () => ({ ...rowOf('get-physical-port-state'), vendor: { review } }),
    } as never;
    const decoded = { ...plain.decoded, commands };
    const reviewed = { reviewer: 'Olga', date: '2026-11-02', reference: 'T-1' };
    expect((await recorded({ ...plain, decoded }, made)).details).toStrictEqual({ reviewed });
    const raw = { ...plain.decision, facts: { ...plain.decision.facts, class: 'raw' } } as const;
    expect(await recorded({ ...plain, decoded }, made, raw)).not.toHaveProperty('details');
    expect(await recorded(plain, made)).not.toHaveProperty('details');
    await recordOutcome(made.services, made.request(), { ...plain, decoded }, plain.decision, {
      outcome: 'done',
      intent: undefined,
    });
    expect(made.records.at(-1)?.body.details).toStrictEqual({ reviewed, outcome: 'done' });
    await recordOutcome(made.services, made.request(), { ...plain, decoded }, plain.decision, {
      outcome: 'done',
      intent: 4,
    });
    expect(made.records.at(-1)?.body).not.toHaveProperty('details');
    await recordRefusal(made.services, made.request(), plain.principal, refusal, { ...plain, decoded });
    expect(made.records.at(-1)?.body.details).toStrictEqual({ reviewed, said: refusal.detail });
  });
});
