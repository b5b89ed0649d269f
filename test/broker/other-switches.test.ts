import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CommandRequest, Credential } from '../../src/broker/core-api.ts';
import { journalRecords } from '../support/journal-records.ts';
import { type Broker, startTestBroker } from '../support/running-broker.ts';
import { shippedParts } from '../support/shipped-broker.ts';

// A broker with two switches: acme owns something on sw0 only.

let directory = '';
let broker: Broker;

const CONFIG = `
profile: host
http: { host: 127.0.0.1, port: 0 }
state_directory: state
fabric: fabric.yaml
policy: { directory: policies }
issuers: [{ kind: development, tenants: ['*', fabric] }]
log: { level: silent }
switches:
  sw0: { backend: { kind: emulator, topology: topology.yaml } }
  hidden: { backend: { kind: emulator, topology: topology.yaml } }
`;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-two-'));
  await cp(fileURLToPath(new URL('../../policies', import.meta.url)), join(directory, 'policies'), { recursive: true });
  const { fabric, topology } = shippedParts;
  const second = '  hidden:\n    ports: [{ ids: 0-7 }]\n    vcss: [{ ids: 0-1, vppbs: 4 }]\n';
  await writeFile(
    join(directory, 'fabric.yaml'),
    fabric
      .replace('\ntenants:\n', `\n${second}\ntenants:\n`)
      .replace('  globex:\n    owns:\n', '  globex:\n    owns:\n      - /switches/hidden/ports/2\n'),
  );
  await writeFile(join(directory, 'topology.yaml'), topology);
  await writeFile(join(directory, 'broker.yaml'), CONFIG);
  broker = await startTestBroker(join(directory, 'broker.yaml'), {}, join(directory, 'state'));
});
afterEach(async () => {
  await broker.close();
  await rm(directory, { recursive: true });
});

async function caller(tenant: string, groups: readonly string[]): Promise<Credential> {
  return { token: await broker.token({ tenant, subject: 's', groups }), source: '127.0.0.1:1' };
}

it('a switch on which nothing is his looks to a tenant like one that is not there', async () => {
  const { core } = broker;
  const acme = await caller('acme', ['operators']);
  const requests: readonly CommandRequest[] = [
    { kind: 'named', command: 'identify' },
    { kind: 'named', command: 'identify', params: { nothing: 1 } },
    { kind: 'named', command: 'identify', via: 'port:2' },
    { kind: 'raw', opcode: 0xc000, payload: new Uint8Array(0) },
    { kind: 'message', bytes: new Uint8Array(5) },
  ];
  const ask = async (name: string): Promise<readonly unknown[]> => [
    ...(await Promise.all(requests.map((request) => core.submit(acme, name, request)))),
    ...(await Promise.all(requests.map((request) => core.decide(acme, name, request)))),
    await core.commands(acme, name),
    await core.operations(acme, name),
    await core.operation(acme, name, 'x'),
  ];
  const withoutId = (answers: readonly unknown[]) =>
    answers.map((answer) => JSON.stringify(answer).replaceAll(/[0-9a-f-]{36}/g, 'ID'));
  expect(withoutId(await ask('hidden'))).toEqual(withoutId(await ask('nowhere')));
  for (const view of [await core.switches(acme), await core.posture(acme), await core.taint(acme)]) {
    expect(JSON.stringify(view)).toContain('sw0');
    expect(JSON.stringify(view)).not.toContain('hidden');
  }
});

it('its owner and the operators see it', async () => {
  const globex = await caller('globex', ['operators']);
  const fabric = await caller('fabric', ['fabric-admins']);
  for (const who of [globex, fabric]) {
    expect(await broker.core.commands(who, 'hidden')).toMatchObject({ ok: true });
    expect(await broker.core.posture(who)).toMatchObject({
      ok: true,
      value: [{ switch: 'sw0' }, { switch: 'hidden' }],
    });
  }
});

it('readiness, which is asked without a token, names no switch', async () => {
  const text = JSON.stringify(await broker.core.readiness());
  expect(text).not.toContain('sw0');
  expect(text).not.toContain('hidden');
});

it('lockdown is raised on every switch that is lower, and every rise is in the journal', async () => {
  const fabric = await caller('fabric', ['fabric-admins']);
  const levels = async () => {
    const posture = await broker.core.posture(fabric);
    return posture.ok ? posture.value.map(({ lockdown }) => lockdown.runTime) : [];
  };
  expect(await broker.core.raiseLockdown(fabric, 'integrity', 'first')).toMatchObject({ ok: true });
  expect(await broker.core.raiseLockdown(fabric, 'integrity', 'again')).toMatchObject({
    ok: false,
    problem: { code: 'EPERM' },
  });
  expect(await broker.core.raiseLockdown(fabric, 'confidentiality', 'second')).toMatchObject({ ok: true });
  expect(await levels()).toEqual(['confidentiality', 'confidentiality']);
  const raised = (await journalRecords(join(directory, 'state'))).filter(({ change }) => change === 'lockdown');
  expect(raised.map((record) => `${record.switch} ${record.level} ${record.reason}`)).toEqual([
    'sw0 integrity first',
    'hidden integrity first',
    'sw0 confidentiality second',
    'hidden confidentiality second',
  ]);
});
