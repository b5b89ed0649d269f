import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandRequest, Credential } from '../../src/broker/core-api.ts';
import { encodeMessage } from '../../src/cci/index.ts';
import { journalOf, type ShippedBroker, shippedParts, startShippedBroker } from '../support/shipped-broker.ts';

const SLUG = 'northbay-get-port-temperature';
const text = readFileSync(`test/policy/load/commands/${SLUG}.yaml`, 'utf8');
const REPLY = '2a000300022a002b00';
const topology = `${shippedParts.topology}
vendor_commands:
  - { opcode: '0xc010', request_bytes: 2, reply: ${REPLY} }
  - { opcode: '0xc0ff', on: [sld], effects: 2, reply: echo }
`;
const grants = new Map(
  [...shippedParts.grants].map(([tenant, rows]) => [
    tenant,
    `${rows}\np, role:operator, ${tenant}, ${tenant === 'fabric' ? '/switches/*' : 'own'}, ${SLUG}, allow\n`,
  ]),
);
const measure = (port: number): CommandRequest => ({
  kind: 'named',
  command: SLUG,
  params: { port_id: port, sensor: 'module' },
});

let shipped: ShippedBroker;
let alice: Credential;
let olga: Credential;
const start = async (file = text): Promise<void> => {
  shipped = await startShippedBroker({ topology, grants, commands: new Map([[SLUG, file]]) });
  const { broker } = shipped;
  alice = await broker.credential('acme', { subject: 'alice', groups: ['operators'] });
  olga = await broker.credential('fabric', {
    subject: 'olga',
    groups: ['operators', 'fabric-admins'],
    scopes: ['cci:read', 'cci:config', 'cci:debug-read', 'cci:policy'],
  });
};
const rewrite = (from: string, to: string) =>
  writeFile(join(shipped.broker.directory, 'policies', 'commands.d', `${SLUG}.yaml`), text.replace(from, to));
const reload = () => shipped.broker.core.reloadPolicy(olga);
/** Those of the command; reads are written without anybody waiting for the disk. */
const recordsOf = () =>
  vi.waitFor(
    async () => {
      const found = (await journalOf(shipped.broker)).filter(({ command }) => command === SLUG);
      expect(found).not.toEqual([]);
      return found;
    },
    { timeout: 15_000 },
  );
const sent = () => shipped.broker.requests.filter(({ opcode }) => opcode === 0xc010);

beforeEach(() => start());
afterEach(() => shipped.broker.close());

describe('a vendor command that the policy describes', () => {
  it("runs by its name on what is the tenant's own, and its reply is decoded", async () => {
    const answer = await shipped.broker.submit(alice, measure(2));
    expect(answer).toMatchObject({
      ok: true,
      value: {
        class: 'audited',
        returnCode: 0,
        result: { celsius: 42, flags: { throttled: true, state: 'warning' }, samples: [42, 43] },
      },
    });
    expect(sent().map(({ payload }) => [...payload])).toEqual([[2, 0]]);
    const records = await recordsOf();
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({
      class: 'audited',
      fields: { port_id: 2, sensor: 'module' },
      details: {
        outcome: 'done',
        reviewed: {
          reviewer: 'Dana Okafor, platform security',
          date: '2026-11-02',
          reference: 'Northbay NB-3200 management guide, revision 1.4, section 7.3',
        },
      },
    });
  });

  it("reaches no device for what is somebody else's, and the refusal is recorded with its reviewer", async () => {
    expect(await shipped.broker.submit(alice, measure(4))).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    expect(sent()).toEqual([]);
    const [record] = await recordsOf();
    expect(record?.details).toMatchObject({ reviewed: { date: '2026-11-02' }, said: expect.any(String) });
  });

  it('is the same command as bytes on the stream', async () => {
    const bytes = encodeMessage({
      category: 'request',
      tag: 7,
      opcode: 0xc010,
      background: false,
      returnCode: 0,
      vendorStatus: 0,
      payload: new Uint8Array([2, 0]),
    });
    const answer = await shipped.broker.submit(alice, { kind: 'message', bytes });
    expect(answer).toMatchObject({ ok: true, value: { class: 'audited' } });
  });

  it('stays raw down the raw path', async () => {
    const raw: CommandRequest = { kind: 'raw', opcode: 0xc010, payload: new Uint8Array([2, 0]) };
    expect(await shipped.broker.submit(alice, raw)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    expect(sent()).toEqual([]);
  });

  it('is listed with its reviewer, its definition and schemas', async () => {
    const offered = await shipped.broker.core.commands(alice, 'sw0');
    const row = offered.ok ? offered.value.find(({ slug }) => slug === SLUG) : undefined;
    expect(row).toMatchObject({
      opcode: 0xc010,
      class: 'audited',
      allowed: true,
      vendor: {
        reviewer: 'Dana Okafor, platform security',
        date: '2026-11-02',
        params: { properties: { sensor: { enum: ['module', 'retimer'] } }, required: ['port_id', 'sensor'] },
        result: { properties: { celsius: { minimum: -32768 } } },
      },
    });
    expect(structuredClone(row)).toEqual(row);
    expect(offered.ok && offered.value.filter(({ vendor }) => vendor !== undefined)).toHaveLength(1);
  });

  it('does not decode: the device is not believed', async () => {
    const short = topology.replace(REPLY, '2a00');
    await shipped.broker.close();
    shipped = await startShippedBroker({ topology: short, grants, commands: new Map([[SLUG, text]]) });
    const credential = await shipped.broker.credential('acme', { subject: 'alice', groups: ['operators'] });
    expect(await shipped.broker.submit(credential, measure(2))).toMatchObject({ ok: false, problem: { code: 'EIO' } });
    const posture = await shipped.broker.core.taint(credential);
    expect(posture.ok && posture.value[0]?.letters).toContain('M');
  });
});

describe('a reply that may tell of others', () => {
  beforeEach(async () => {
    await rewrite('owner_data: none', 'owner_data: possible');
    expect(await reload()).toMatchObject({ ok: true });
  });

  it('is for operators, and the device is not even asked for a tenant', async () => {
    expect(await shipped.broker.submit(alice, measure(2))).toMatchObject({ ok: false, problem: { code: 'ENOTTY' } });
    expect(sent()).toEqual([]);
    expect(await shipped.broker.submit(olga, measure(2))).toMatchObject({
      ok: true,
      value: { result: { celsius: 42 } },
    });
  });
});

describe('a policy that changes while a command is under way', () => {
  /** Runs `change` when the next command has been decoded and allowed, and waits for its turn. */
  async function whileItWaits(change: () => Promise<void>) {
    const { device } = shipped;
    const held = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const execute = device.execute.bind(device);
    let first = true;
    device.execute = async (...args: Parameters<typeof execute>) => {
      if (first) {
        first = false;
        reached.resolve();
        await held.promise;
      }
      return execute(...args);
    };
    const before = shipped.broker.submit(olga, {
      kind: 'named',
      command: 'get-physical-port-state',
      params: { port_id_list: [2] },
    });
    await reached.promise;
    const waiting = shipped.broker.submit(alice, measure(2));
    await expect
      .poll(() => shipped.broker.core.metrics(olga), { interval: 5 })
      .toMatch(/^cci_queue_length\{switch="sw0"\} 1$/m);
    await change();
    held.resolve();
    await before;
    return waiting;
  }

  it('sends nothing when the row of its opcode has changed: its bytes would mean something else', async () => {
    const answer = await whileItWaits(async () => {
      await rewrite('{ 0: module, 1: retimer }', '{ 0: retimer, 1: module }');
      expect(await reload()).toMatchObject({ ok: true });
    });
    expect(answer).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
    expect(sent()).toEqual([]);
    // Asked again, it is made by the new row.
    expect(await shipped.broker.submit(alice, measure(2))).toMatchObject({ ok: true });
    expect(sent().map(({ payload }) => [...payload])).toEqual([[2, 1]]);
  });

  it('sends nothing when the command is not described any more', async () => {
    const { broker } = shipped;
    const answer = await whileItWaits(async () => {
      for (const tenant of ['acme', 'globex', 'fabric']) {
        await writeFile(
          join(broker.directory, 'policies', 'tenants', `${tenant}.csv`),
          shippedParts.grants.get(tenant) ?? '',
        );
      }
      await rewrite(SLUG, 'northbay-other');
      const { rename } = await import('node:fs/promises');
      const folder = join(broker.directory, 'policies', 'commands.d');
      await rename(join(folder, `${SLUG}.yaml`), join(folder, 'northbay-other.yaml'));
      expect(await reload()).toMatchObject({ ok: true });
    });
    expect(answer).toMatchObject({ ok: false, problem: { code: 'EAGAIN' } });
    expect(sent()).toEqual([]);
    expect(await broker.submit(alice, measure(2))).toMatchObject({ ok: false, problem: { code: 'EPARAM' } });
  });

  it('carries the command on when only other rows have changed', async () => {
    const answer = await whileItWaits(async () => {
      const acme = join(shipped.broker.directory, 'policies', 'tenants', 'acme.csv');
      await writeFile(acme, `${grants.get('acme')}# another byte\n`);
      expect(await reload()).toMatchObject({ ok: true });
    });
    expect(answer).toMatchObject({ ok: true, value: { result: { celsius: 42 } } });
  });
});
