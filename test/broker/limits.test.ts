import { afterEach, describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../src/broker/core-api.ts';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { bindOwn, journalOf, startShippedBroker } from '../support/shipped-broker.ts';

let broker: BrokerFixture | undefined;
afterEach(() => broker?.close());

async function started(moreConfig: string, more: Parameters<typeof startShippedBroker>[0] = {}) {
  const setup = await startShippedBroker({ moreConfig, ...more });
  broker = setup.broker;
  return setup;
}

const ports: CommandRequest = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [2] } };
const foreign: CommandRequest = { kind: 'named', command: 'identify', via: 'port:4' };
const SLOW = 'limits: { quota: { commands_per_second: 0.01, burst: 2 } }';

describe('a quota', () => {
  it('refuses with EAGAIN and 0005h and says when, after everything else has allowed the command', async () => {
    const { broker, alice, bob } = await started(SLOW);
    expect(await broker.submit(alice, ports)).toMatchObject({ ok: true });
    // Refused by policy: takes nothing, and is refused the same way when the quota is used up.
    expect(await broker.submit(alice, foreign)).toMatchObject({ problem: { code: 'EPERM' } });
    expect(await broker.submit(alice, ports)).toMatchObject({ ok: true });
    broker.requests.length = 0;
    expect(await broker.submit(alice, ports)).toMatchObject({
      ok: false,
      problem: {
        code: 'EAGAIN',
        returnCode: 5,
        detail: 'over the quota: 0.01 commands a second',
        retryAfterMs: expect.any(Number),
      },
    });
    expect(await broker.submit(alice, foreign)).toMatchObject({ problem: { code: 'EPERM' } });
    expect(broker.requests).toEqual([]);
    expect(await broker.submit(bob, { ...ports, params: { port_id_list: [4] } } as CommandRequest)).toMatchObject({
      ok: true,
    });
  });

  it('is in the journal as the step that refused, with the rule', async () => {
    const { broker, alice } = await started(SLOW);
    for (let i = 0; i < 3; i++) await broker.submit(alice, ports);
    await expect
      .poll(async () => (await journalOf(broker)).find(({ outward }) => outward === 'EAGAIN'))
      .toMatchObject({
        kind: 'decision',
        verdict: 'deny',
        command: 'get-physical-port-state',
        tenant: 'acme',
        reasons: [{ step: 'quota', rule: 'commands_per_second', errno: 'EAGAIN' }],
        flags: expect.arrayContaining(['denied']),
      });
  });

  it('does not hold the operators up unless it names them', async () => {
    const { broker, olga } = await started(SLOW);
    for (let i = 0; i < 10; i++) expect(await broker.submit(olga, ports)).toMatchObject({ ok: true });
  });

  it('of background operations counts those that run', async () => {
    const { broker, alice } = await started('limits: { quota: { background: 1 } }', { timing: { bindMs: 60_000 } });
    expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: true });
    expect(await broker.submit(alice, bindOwn)).toMatchObject({
      problem: { code: 'EAGAIN', detail: 'over the quota: at most 1 in the background' },
    });
    broker.device.emulator.control.endBackground();
    await broker.settle();
    expect(await broker.submit(alice, bindOwn)).toMatchObject({ ok: true });
  });

  it('is seen by whoever it binds, with what is left of it', async () => {
    const { broker, alice } = await started(
      [
        'limits: { per_tenant: 9, quota: { commands_per_second: 0.01, burst: 5, classes: { raw: { concurrent: 1 } } } }',
        'tenants: { acme: { weight: 4, quota: { background: 2, bytes_per_second: 5000 } } }',
      ].join('\n'),
    );
    await broker.submit(alice, ports);
    expect(await broker.core.whoami(alice)).toMatchObject({
      ok: true,
      value: {
        limits: {
          weight: 4,
          concurrent: { limit: 9, used: 0 },
          commandsPerSecond: { limit: 0.01, burst: 5, left: 4 },
          bytesPerSecond: { limit: 5000, left: expect.any(Number) },
          background: { limit: 2, used: 0 },
          classes: { raw: { concurrent: { limit: 1, used: 0 } } },
        },
      },
    });
  });
});

describe('a flood over the quota', () => {
  it('does not flood the journal, and every refusal of it is counted there', async () => {
    const { broker, alice } = await started(SLOW);
    const FLOOD = 600;
    const answers = await Promise.all(Array.from({ length: FLOOD }, () => broker.submit(alice, ports)));
    const refused = answers.filter((answer) => !answer.ok).length;
    expect(refused).toBe(FLOOD - 2);
    await expect
      .poll(async () => {
        const records = (await journalOf(broker)).filter(({ outward }) => outward === 'EAGAIN');
        const counts = records.map(({ details }) => (details as { refused?: number }).refused ?? 1);
        return { all: counts.reduce((sum, count) => sum + count, 0), few: records.length < 150 };
      })
      .toEqual({ all: refused, few: true });
    const tally = (await journalOf(broker)).find(
      ({ details }) => (details as { refused?: number })?.refused !== undefined,
    );
    expect(tally).toMatchObject({ tenant: 'acme', verdict: 'deny', flags: ['denied'] });
    expect(JSON.stringify(tally?.details)).toContain('#alice');
  });
});

describe('metrics', () => {
  it('name tenants to operators only', async () => {
    const { broker, alice, olga } = await started(SLOW);
    for (let i = 0; i < 4; i++) await broker.submit(alice, ports);
    const named = await broker.core.metrics(olga);
    expect(named).toContain('cci_tenant_limit_refusals_total{tenant="acme",limit="commands_per_second"} 2');
    expect(named).toContain('cci_tenant_commands_total{tenant="acme",class="allowlisted",end="done"} 2');
    expect(named).toContain('cci_tenant_queue_length{switch="sw0",tenant="globex"} 0');
    for (const caller of [undefined, alice, { token: 'nonsense', source: 'x' }]) {
      const plain = await broker.core.metrics(caller);
      expect(plain).toContain('cci_limit_refusals_total{limit="commands_per_second"} 2');
      expect(plain).not.toMatch(/acme|globex/);
    }
  });
});

describe('the configuration', () => {
  it.each([
    ['tenants: { nobody: { weight: 2 } }', 'tenant `nobody` of `tenants` is not in'],
    ['limits: { quota: { burst: 5 } }', '`burst` means nothing without `commands_per_second`'],
    ['tenants: { acme: { quota: { classes: { raw: { burst: 5 } } } } }', '`burst` means nothing'],
    ['tenants: { acme: { weight: 0 } }', 'weight'],
    ['tenants: { acme: { wieght: 2 } }', 'wieght'],
  ])('%s is refused at start', async (config, sentence) => {
    await expect(startShippedBroker({ moreConfig: config })).rejects.toThrow(sentence);
  });

  it('may name the operators, who need not be in the fabric file', async () => {
    const { broker, olga } = await started('tenants: { fabric: { weight: 3, quota: { concurrent: 5 } } }');
    expect(await broker.core.whoami(olga)).toMatchObject({
      value: { limits: { weight: 3, concurrent: { limit: 5, used: 0 } } },
    });
  });
});
