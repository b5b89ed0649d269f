import { describe, expect, it, vi } from 'vitest';
import type { Backend, CciReply, CciRequest } from '../../src/backend/index.ts';
import { Device } from '../../src/broker/device.ts';
import { JournalWriter } from '../../src/broker/journal/journal.ts';
import { Operations } from '../../src/broker/operations.ts';
import { type BrokerParts, startBrokerFixture } from '../support/broker-fixture.ts';
import { shippedParts } from '../support/shipped-broker.ts';

// What one tenant can ask for must not take the broker away from the others.

const PORTS = 200;
const ROLES = 60;

/** One tenant who owns very much, and many roles of his that give little. */
function large(): BrokerParts {
  const ports = Array.from({ length: PORTS }, (_, i) => `/switches/sw0/ports/${i + 1}`);
  const roles = Array.from({ length: ROLES }, (_, i) => `role:r${i}`);
  return {
    topology: shippedParts.topology,
    fabric: `
switches:
  sw0:
    ports: [{ ids: 0 }, { ids: 1-${PORTS}, lds: 16 }]
    vcss: [{ ids: 0-1, vppbs: 4 }]
tenants:
  acme: { owns: [${ports.join(', ')}] }
  globex: { owns: [/switches/sw0/vcss/1] }
`,
    grants: new Map([
      [
        'acme',
        [
          'p, role:op, acme, own, bind-vppb, allow',
          'g, group:tenant/acme, role:op, acme',
          ...roles.map((role, i) => `p, ${role}, acme, ${ports[i]}, class:allowlisted, allow`),
          ...roles.map((role, i) => `g, user:https://idp.example.org#u${i}, ${role}, acme`),
          '',
        ].join('\n'),
      ],
      ['globex', 'p, role:op, globex, own, class:allowlisted, allow\ng, group:tenant/globex, role:op, globex\n'],
    ]),
  };
}

describe('a large fabric', () => {
  it('keeps the event loop free while it works out what its owner may run', { timeout: 60_000 }, async () => {
    await using broker = await startBrokerFixture(large());
    const acme = await broker.credential('acme');
    const globex = await broker.credential('globex');
    let offered = false;
    const work = broker.core.commands(acme, 'sw0').then((answer) => {
      offered = true;
      return answer;
    });
    // Others are served all the while; before, the first of them waited for the whole of it.
    let served = 0;
    while (!offered && served < 20) {
      expect(await broker.core.whoami(globex)).toMatchObject({ ok: true });
      await new Promise((done) => setImmediate(done));
      served++;
    }
    expect(served).toBe(20);
    const answer = await work;
    expect(answer.ok && answer.value.filter(({ allowed }) => allowed).map(({ slug }) => slug)).toContain('bind-vppb');
  });

  it('is explained in part where a list names very much of it', { timeout: 60_000 }, async () => {
    await using broker = await startBrokerFixture(large());
    const acme = await broker.credential('acme');
    const answer = await broker.core.decide(acme, 'sw0', {
      kind: 'named',
      command: 'get-physical-port-state',
      params: { port_id_list: Array.from({ length: PORTS }, (_, i) => i + 1) },
    });
    expect(answer).toMatchObject({ ok: true, value: { verdict: 'deny' } });
    const needed = answer.ok ? (answer.value.wouldNeed ?? []) : [];
    expect(needed.length).toBeGreaterThan(1);
    expect(needed.length).toBeLessThan(PORTS + 20);
    expect(needed.at(-1)).toBe('the same for 192 more resources');
  });
});

describe('a flood of refusals', () => {
  it('waits for the disk and lets the commands of others be recorded', { timeout: 60_000 }, async () => {
    await using broker = await startBrokerFixture(shippedParts);
    const acme = await broker.credential('acme');
    const globex = await broker.credential('globex');
    const wide = {
      kind: 'named',
      command: 'get-virtual-cxl-switch-info',
      params: { starting_vppb: 0, vppb_list_limit: 1, vcs_id_list: Array.from({ length: 200 }, (_, id) => id) },
    } as const;
    let most = 0;
    const { append } = JournalWriter.prototype;
    vi.spyOn(JournalWriter.prototype, 'append').mockImplementation(function (this: JournalWriter, ...record) {
      most = Math.max(most, this.health().pendingBytes);
      return append.apply(this, record);
    });
    const flood = Array.from({ length: 8000 }, () => broker.submit(acme, wide));
    const port = { kind: 'named', command: 'get-physical-port-state', params: { port_id_list: [4] } } as const;
    expect(await broker.submit(globex, port)).toMatchObject({ ok: true });
    await Promise.all(flood);
    vi.restoreAllMocks();
    expect(most).toBeLessThan(2 << 20);
  });
});

class IdleBackend implements Backend {
  readonly identity = { kind: 'idle', description: 'idle', bootId: 'boot' };
  readonly maxPayload = 2048;
  readonly maxInFlight = 1;
  readonly touchesHostHardware = false;
  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async execute(_request: CciRequest): Promise<CciReply> {
    return { returnCode: 0, vendorStatus: 0, background: false, payload: new Uint8Array(8) };
  }
}

describe('operations', () => {
  it("of one tenant, however many, do not drive out another's", async () => {
    const device = new Device(new IdleBackend(), { queueMax: 10, timeoutMs: 100, neverSend: new Map() });
    await device.open();
    const operations = new Operations(device, async () => {});
    const start = (id: string, tenant: string) =>
      operations.start({ id, tenant, principal: tenant, command: 'bind-vppb', opcode: 0x5201, startedAtMs: 0 });
    start('theirs', 'globex');
    for (let n = 0; n < 1000; n++) start(`mine-${n}`, 'acme');
    expect(operations.get('theirs', 'globex', false)).toBeDefined();
    expect(operations.list('acme', false).length).toBeLessThan(100);
    expect(operations.get('mine-999', 'acme', false)).toBeDefined();
    operations.stop();
    await device.close();
  });

  it('survive an end that cannot be told', async () => {
    const device = new Device(new IdleBackend(), { queueMax: 10, timeoutMs: 100, neverSend: new Map() });
    await device.open();
    const operations = new Operations(device, async () => {
      throw new Error('the fabric cannot be read');
    });
    const operation = { id: 'one', tenant: 'acme', principal: 'acme', command: 'bind-vppb', opcode: 0, startedAtMs: 0 };
    operations.start(operation);
    // An unhandled rejection would end the test run.
    await expect.poll(() => operations.running).toBeUndefined();
    await device.close();
  });
});
