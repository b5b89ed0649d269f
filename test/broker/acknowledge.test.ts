import { describe, expect, it } from 'vitest';
import type { Credential } from '../../src/broker/core-api.ts';
import { acknowledgeTaint } from '../../src/broker/topology-views.ts';
import { smallParts } from '../isolation/small-fabric.ts';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';

const operator = (
  broker: BrokerFixture,
  scopes: readonly string[] = ['cci:read', 'cci:posture'],
): Promise<Credential> => broker.credential('fabric', { scopes });

const alerts = { kind: 'named', command: 'get-alert-configuration', via: 'port:2' } as const;

/** A device behind port 2 that answered nonsense once: taint M. */
async function tainted(): Promise<BrokerFixture> {
  let spoilt = false;
  const broker = await startBrokerFixture({
    ...(await smallParts()),
    wrap: (backend) =>
      Object.create(backend, {
        execute: {
          value: async (request: { opcode: number; payload: Uint8Array }, deadline: number) => {
            const reply = await backend.execute(request as never, deadline);
            const inner = (request.payload[7] ?? 0) + (request.payload[8] ?? 0) * 256;
            if (request.opcode !== 0x5300 || inner !== 0x4201 || spoilt) return reply;
            spoilt = true;
            return { ...reply, payload: reply.payload.subarray(0, reply.payload.length - 3) };
          },
        },
      }),
  });
  const acme = await broker.credential('acme');
  expect(await broker.submit(acme, alerts)).toMatchObject({ ok: false, problem: { code: 'EIO' } });
  expect(await broker.submit(acme, alerts)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
  return broker;
}

describe('acknowledging a taint', () => {
  it('lets the component go on, while the bit stays', async () => {
    await using broker = await tainted();
    const port = '/switches/sw0/ports/2';
    const answer = await broker.core.acknowledgeTaint(await operator(broker), 'M', port, 'firmware bug');
    expect(answer).toMatchObject({
      ok: true,
      value: [{ letters: 'M', entries: [{ scope: port, acknowledged: true }] }],
    });
    const acme = await broker.credential('acme');
    expect(await broker.submit(acme, alerts)).toMatchObject({ ok: true });
    expect(await broker.core.taint(acme)).toMatchObject({
      ok: true,
      value: [{ letters: 'M', entries: [{ letter: 'M', acknowledged: true }] }],
    });
    // The other tenant has no part in that port.
    expect(await broker.core.taint(await broker.credential('globex'))).toMatchObject({
      ok: true,
      value: [{ mask: 0, letters: '-', entries: [] }],
    });
  });

  it.each([
    ['a tenant, whatever his token says', 'acme', ['cci:read', 'cci:posture'], 'M', '/switches/sw0/ports/2', 'EPERM'],
    ['an operator without the scope', 'fabric', ['cci:read'], 'M', '/switches/sw0/ports/2', 'EPERM'],
    ['of a letter that there is not', 'fabric', ['cci:posture'], 'Z', '/switches/sw0/ports/2', 'EPARAM'],
    ['of a bit that was not raised', 'fabric', ['cci:posture'], 'X', '/switches/sw0/ports/2', 'ENOENT'],
    ['of a bit that was raised elsewhere', 'fabric', ['cci:posture'], 'M', '/switches/sw0', 'ENOENT'],
    ['on a switch that is not there', 'fabric', ['cci:posture'], 'M', '/switches/sw9/ports/2', 'ENOENT'],
    ['on what is no path', 'fabric', ['cci:posture'], 'M', 'ports/sw0', 'ENOENT'],
  ] as const)('is refused to %s', async (_name, tenant, scopes, letter, scope, code) => {
    await using broker = await tainted();
    const caller = await broker.credential(tenant, { scopes });
    const answer = await broker.core.acknowledgeTaint(caller, letter, scope, 'because');
    expect(answer).toMatchObject({ ok: false, problem: { code } });
    expect(await broker.submit(await broker.credential('acme'), alerts)).toMatchObject({ ok: false });
  });
});

describe('a bit that is raised again while its acknowledgement is written down', () => {
  it('stays unacknowledged: nobody has looked at that', async () => {
    const acknowledged: string[] = [];
    const entries = [{ letter: 'M', scope: '/switches/sw0', record: 'one', ordinal: 1 }];
    const runtime = {
      name: 'sw0',
      posture: {
        posture: () => ({ taint: { entries: [...entries] } }),
        acknowledge: async (letter: string) => void acknowledged.push(letter),
      },
    };
    const journal = (raisesAgain: boolean) => ({
      append: async () => {
        if (raisesAgain) entries.push({ letter: 'M', scope: '/switches/sw0', record: 'two', ordinal: 2 });
      },
    });
    const given = { letter: 'M', scope: '/switches/sw0', reason: 'seen' } as const;
    const act = (raisesAgain: boolean) =>
      acknowledgeTaint(runtime as never, journal(raisesAgain) as never, {} as never, {} as never, given);
    expect(await act(true)).toMatchObject({ refused: 'EBUSY' });
    expect(acknowledged).toEqual([]);
    expect(await act(false)).toBeUndefined();
    expect(acknowledged).toEqual(['M']);
  });
});

describe('what a tenant sees of the register', () => {
  it('is not what others did on the switch', async () => {
    await using broker = await startBrokerFixture(await smallParts());
    const aer = (vcs: number) =>
      ({
        kind: 'named',
        command: 'generate-aer-event',
        params: {
          vcs_id: vcs,
          vppb_instance: 1,
          aer_error: { error_bit_position: 0, uncorrectable: false },
          aer_header: '00'.repeat(32),
        },
      }) as const;
    expect(await broker.submit(await broker.credential('globex'), aer(1))).toMatchObject({ ok: true });
    const seen = async (tenant: string) => {
      const answer = await broker.core.taint(await broker.credential(tenant));
      return answer.ok ? answer.value[0]?.letters : answer.problem.detail;
    };
    expect(await seen('fabric')).toBe('J');
    expect(await seen('acme')).toBe('-');
    const posture = await broker.core.posture(await broker.credential('acme'));
    expect(posture).toMatchObject({ ok: true, value: [{ taint: { mask: 0, letters: '-' } }] });
  });
});

describe('under confidentiality', () => {
  it('operators see pseudonyms of what tenants have a part in, the same after a restart', async () => {
    const identify = { kind: 'named', command: 'identify', via: 'port:2' } as const;
    const parts = await smallParts();
    const rows =
      'p, role:all, fabric, /switches/sw0/*, class:allowlisted, allow\ng, group:tenant/fabric, role:all, fabric\n';
    let broker = await startBrokerFixture({
      ...parts,
      grants: new Map([...parts.grants, ['fabric', rows]]),
      lockdown: 'confidentiality',
    });
    const serialSeen = async (tenant: string): Promise<unknown> => {
      const answer = await broker.submit(await broker.credential(tenant), identify);
      if (!answer.ok) throw new Error(answer.problem.detail);
      return (answer.value.result as { device_serial_number: unknown }).device_serial_number;
    };
    const [operators, own] = [await serialSeen('fabric'), await serialSeen('acme')];
    expect(operators).not.toEqual(own);
    const shown = await broker.core.topology(await operator(broker), 'sw0');
    const serials = shown.ok ? shown.value.ports.map(({ serial }) => serial) : [];
    expect(serials.join()).not.toContain('c0ffee02');
    expect(serials.join()).toContain('c0ffee05');
    broker = await broker.restart();
    expect(await serialSeen('fabric')).toEqual(operators);
    await broker.close();
  });
});

describe('a device with two heads', () => {
  it('is nobody’s who has one of its ports only', async () => {
    const parts = await smallParts();
    // The device behind port 2, which is acme's, is also behind port 4, which is globex's.
    const topology = parts.topology
      .replace('memory-a: { kind: sld,', 'memory-a: { kind: sld, heads: 2,')
      .replace('{ ids: 4, role: dsp, device: memory-b }', '{ ids: 4, role: dsp, device: memory-a, head: 1 }')
      .replace('{ ids: 6, role: dsp }', '{ ids: 6, role: dsp, device: memory-b }');
    expect(topology).toContain('head: 1');
    await using broker = await startBrokerFixture({ ...parts, topology });
    const acme = await broker.credential('acme');
    expect(await broker.submit(acme, { kind: 'named', command: 'identify', via: 'port:2' })).toMatchObject({
      ok: true,
    });
    expect(await broker.submit(acme, alerts)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    const sanitize = { kind: 'named', command: 'sanitize', via: 'port:2' } as const;
    expect(await broker.submit(acme, sanitize)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
  });
});
