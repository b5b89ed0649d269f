import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandRequest } from '../../src/broker/core-api.ts';
import { Shadow, shadowFinding } from '../../src/broker/shadow.ts';
import { createSnapshot, loadPolicy, type RuleEngine, type TokenScope } from '../../src/policy/index.ts';
import { assumedPosture, fabricTopology } from '../../src/policy/offline/index.ts';
import { callerOf, engineOf, fabric, sourceOf } from '../policy/load/fixture.ts';
import { journalRecords } from '../support/journal-records.ts';
import { type Broker, startTestBroker } from '../support/running-broker.ts';

let directory = '';
let broker: Broker | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-shadow-'));
  await cp('policies', join(directory, 'policies'), { recursive: true });
  await cp('policies', join(directory, 'next'), { recursive: true });
  await cp('config', join(directory, 'config'), { recursive: true });
});
afterEach(async () => {
  await broker?.close();
  broker = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function start(shadow = '{ directory: ../next, tenants: [acme] }'): Promise<Broker> {
  const file = join(directory, 'config', 'broker.yaml');
  const text = await readFile('config/broker.yaml', 'utf8');
  const manual = text.replace('reload: watch', 'reload: manual').replace('crosscheck: sampled', 'crosscheck: off');
  await writeFile(
    file,
    manual.replace('  directory: ../policies\n', `  directory: ../policies\n  shadow: ${shadow}\n`),
  );
  broker = await startTestBroker(file);
  return broker;
}

async function candidate(change: (text: string) => string, tenant = 'acme'): Promise<void> {
  const file = join(directory, 'next', 'tenants', `${tenant}.csv`);
  await writeFile(file, change(await readFile(file, 'utf8')));
}

async function operator(of: Broker, tenant: string) {
  const groups = tenant === 'fabric' ? ['fabric-admins'] : ['operators'];
  return { token: await of.token({ tenant, subject: 'alice', groups }), source: '127.0.0.1:1' };
}

async function recordsOf(of: Broker) {
  // A durable record takes those before it to the disk.
  await of.reloadPolicy('flush');
  return (await journalRecords(of.stateDirectory)).filter(
    ({ kind, by }) => kind === 'decision' || kind === 'intent' || (kind === 'policy' && by === 'test'),
  );
}

const bind: CommandRequest = {
  kind: 'named',
  command: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 },
};
const bindOfGlobex: CommandRequest = {
  kind: 'named',
  command: 'bind-vppb',
  params: { vcs_id: 1, vppb_id: 2, physical_port_id: 3, ld_id: 2 },
};
describe('a candidate policy in shadow mode', () => {
  it('lets pass what it would deny, and the record of it says so', async () => {
    await candidate((text) => text.replace(/^p, role:operator, acme, own, bind-vppb, allow\n/m, ''));
    const running = await start();
    const done = await running.core.submit(await operator(running, 'acme'), 'sw0', bind);
    expect(done).toMatchObject({ ok: true });
    const [intent] = (await recordsOf(running)).filter(({ kind }) => kind === 'intent');
    expect(intent).toMatchObject({
      verdict: 'allow',
      flags: ['shadow'],
      shadow: {
        difference: 'denies',
        reasons: [{ step: 'grant', text: expect.stringContaining('/switches/sw0/vcss/0/vppbs/2') }, { step: 'grant' }],
      },
    });
    expect(intent?.shadow).not.toMatchObject({ snapshot: intent?.snapshot });
    expect(await running.core.metrics()).toMatch(/cci_shadow_differences_total\{difference="denies"\} 1/);
  });

  it('refuses what it would allow: the policy in force decides', async () => {
    await candidate((text) => `${text}p, role:reader, acme, own, bind-vppb, allow\n`);
    const running = await start();
    const reader = { token: await running.token({ tenant: 'acme', subject: 'rita' }), source: '127.0.0.1:1' };
    const done = await running.core.submit(reader, 'sw0', bind);
    expect(done).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    const records = (await recordsOf(running)).filter(({ command }) => command === 'bind-vppb');
    expect(records).toMatchObject([
      { kind: 'decision', verdict: 'deny', flags: ['denied', 'shadow'], shadow: { difference: 'allows', reasons: [] } },
    ]);
  });

  it('is asked about the tenants that are named, and says nothing where it agrees', async () => {
    await candidate((text) => text.replace('own, set:virtual-switch, allow', 'own, identify, allow'), 'globex');
    const running = await start();
    await running.core.submit(await operator(running, 'globex'), 'sw0', bindOfGlobex);
    await running.core.submit(await operator(running, 'acme'), 'sw0', bind);
    const records = await recordsOf(running);
    expect(records.filter(({ kind }) => kind === 'intent')).toHaveLength(2);
    expect(records.filter((record) => record.shadow !== undefined)).toEqual([]);
  });

  it.each([
    ['shorter', 'next', [4, 5, 6], { difference: 'narrows', kept: [4, 6], reasons: [] }],
    ['longer', 'policies', [4, 6], { difference: 'widens', kept: [4, 5, 6], reasons: [] }],
  ])('notes that a list would be %s', async (_how, shorter, kept, shadow) => {
    // Who may see the whole switch gets no list cut: so not the whole switch.
    for (const folder of ['policies', 'next']) {
      const file = join(directory, folder, 'tenants', 'fabric.csv');
      const text = (await readFile(file, 'utf8')).replace('/switches/sw0/*', '/switches/sw0/ports/*');
      const more =
        folder === shorter ? 'p, role:reader, fabric, /switches/sw0/ports/5, get-physical-port-state, deny\n' : '';
      await writeFile(file, `${text}${more}`);
    }
    const running = await start('{ directory: ../next, tenants: [fabric] }');
    const params = { port_id_list: [4, 5, 6] };
    const reader = { token: await running.token({ tenant: 'fabric', subject: 'rita' }), source: '127.0.0.1:1' };
    const done = await running.core.submit(reader, 'sw0', {
      kind: 'named',
      command: 'get-physical-port-state',
      params,
    });
    expect(done).toMatchObject({ ok: true });
    const [record] = (await recordsOf(running)).filter((one) => one.command === 'get-physical-port-state');
    expect(record).toMatchObject({ verdict: 'allow', flags: ['shadow'], narrowed: { kept }, shadow });
  });

  it('is loaded with the policy in force or not at all', async () => {
    const running = await start();
    await candidate((text) => `${text}p, role:reader, acme, own, identify, Deny\n`);
    expect(await running.reloadPolicy('test')).toEqual([
      expect.stringMatching(/^candidate .*next: tenants\/acme\.csv:\d+/),
    ]);
    await candidate((text) =>
      text.replace(/.*Deny\n$/, '').replace(/^p, role:operator, acme, own, bind-vppb, allow\n/m, ''),
    );
    expect(await running.reloadPolicy('test')).toEqual([]);
    await running.core.submit(await operator(running, 'acme'), 'sw0', bind);
    const records = await recordsOf(running);
    expect(records.filter(({ kind }) => kind === 'policy').map(({ change }) => change)).toEqual(['refused', 'loaded']);
    const [, loaded] = records.filter(({ kind }) => kind === 'policy');
    const [intent] = records.filter(({ kind }) => kind === 'intent');
    // Only the candidate has changed; the record says which one it is.
    expect(intent).toMatchObject({ shadow: { difference: 'denies' } });
    expect(intent?.shadow).toMatchObject({ snapshot: Reflect.get(Object(loaded?.details), 'shadow') });
  });

  it.each([
    ['{ directory: ../policies, tenants: [acme] }', /the candidate is the policy in force/],
    ['{ directory: ../next, tenants: [acme, nobody] }', /tenant `nobody` of `policy.shadow` is not in the fabric file/],
    ['{ directory: ../next, tenants: [] }', /tenants/],
    ['{ directory: ../nowhere, tenants: [acme] }', /nowhere/],
    ['{ directory: ../next, tenants: [acme], enforce: false }', /enforce/],
  ])('keeps the broker from starting where it says nothing that makes sense: %s', async (shadow, why) => {
    await expect(start(shadow)).rejects.toThrow(why);
  });
});

describe('what a candidate may say', () => {
  const scopes: readonly TokenScope[] = ['cci:read', 'cci:config', 'cci:debug-read', 'cci:raw'];
  const caller = { ...callerOf('acme', { groups: ['operators'] }), scopes };
  const topology = fabricTopology(fabric, 'sw0');
  const rows = {
    reader: 'p, role:reader, acme, own, class:allowlisted, allow\ng, group:tenant/acme, role:reader, acme\n',
  };

  function inputOf(opcode: number, submittedAs: 'typed' | 'raw', lockdown: 'none' | 'confidentiality' = 'none') {
    if (topology === undefined) throw new Error('no switch');
    const payload = opcode === 0xc010 ? Uint8Array.of(2, 0) : Uint8Array.of(1, 2);
    const command = { hops: [], tags: [], opcode, payload };
    const posture = assumedPosture({ profile: 'bmc', lockdown, rawCommands: 'taints-this-switch' });
    return { principal: caller, submission: { switch: 'sw0', submittedAs, command }, posture, topology };
  }

  function take(inForce: RuleEngine, shadow: Shadow, input: ReturnType<typeof inputOf>) {
    const snapshot = createSnapshot(inForce, { discloseReasons: 'own' });
    const gate = snapshot.rawGate(input);
    const decision = snapshot.decide(input, gate);
    shadow.observe(input, gate, decision);
    return { decision, finding: shadowFinding(decision) };
  }

  it('is nothing about raw commands', async () => {
    const inForce = await engineOf({ tenants: { acme: rows.reader }, profile: 'bmc' });
    const candidate = await engineOf({
      tenants: { acme: `${rows.reader}p, role:reader, acme, own, opcode:0xc010, allow\n` },
      profile: 'bmc',
    });
    const shadow = new Shadow({ inForce, candidate, tenants: new Set(['acme']) });
    const { decision, finding } = take(inForce, shadow, inputOf(0xc010, 'raw'));
    expect(decision.facts.class).toBe('raw');
    expect(finding).toBeUndefined();
  });

  it('is nothing about mandatory rows: those in force bind it', async () => {
    const mandatory = await readFile('policies/mandatory.csv', 'utf8');
    const row = 'p2, L20, *, *, *, *, *, *, get-physical-port-state, deny, not now\n';
    const inForce = await engineOf({ tenants: { acme: rows.reader }, mandatory: `${mandatory}${row}`, profile: 'bmc' });
    const lax = await engineOf({ tenants: { acme: rows.reader }, mandatory, profile: 'bmc' });
    for (const [now, then] of [
      [inForce, lax],
      [lax, inForce],
    ] as const) {
      const shadow = new Shadow({ inForce: now, candidate: then, tenants: new Set(['acme']) });
      const { finding } = take(now, shadow, inputOf(0x5101, 'typed'));
      expect(finding).toBeUndefined();
    }
  });

  it('never reaches the caller, not even as a failure', async () => {
    const inForce = await engineOf({ tenants: { acme: rows.reader }, profile: 'bmc' });
    const failures: unknown[] = [];
    const broken: RuleEngine = {
      ...{ id: 'broken', counters: inForce.counters, fabric, loosened: [], commands: inForce.commands },
      mandatory: () => [],
      grant: () => {
        throw new Error('torn');
      },
      roles: () => [],
      nearestMiss: () => undefined,
      rolesThatCould: () => [],
    };
    const shadow = new Shadow({
      inForce,
      candidate: broken,
      tenants: new Set(['acme']),
      onFailure: (error) => failures.push(error),
    });
    const { decision, finding } = take(inForce, shadow, inputOf(0x5101, 'typed'));
    expect(decision.verdict).toBe('allow');
    expect(finding).toBeUndefined();
    expect(failures).toEqual([expect.objectContaining({ message: expect.stringContaining('torn') })]);
  });

  it('is that it would deny a vendor command which it does not know', async () => {
    const slug = 'northbay-get-port-temperature';
    const source = sourceOf({ tenants: { acme: `${rows.reader}p, role:reader, acme, own, ${slug}, allow\n` } });
    if (!('files' in source)) throw new Error('no files');
    const reviewed = await readFile(`test/policy/load/commands/${slug}.yaml`, 'utf8');
    const files = { ...source.files, [`commands.d/${slug}.yaml`]: reviewed };
    const loaded = await loadPolicy({ ...source, files });
    if (!loaded.ok) throw new Error('the vendor command is refused');
    const without = await engineOf({ tenants: { acme: rows.reader } });
    const input = inputOf(0xc010, 'typed');
    const tenants = new Set(['acme']);
    const forward = take(loaded.value, new Shadow({ inForce: loaded.value, candidate: without, tenants }), input);
    expect(forward.decision).toMatchObject({ verdict: 'allow', facts: { command: slug } });
    expect(forward.finding).toMatchObject({
      difference: 'denies',
      reasons: [{ text: expect.stringContaining('vendor') }],
    });
    const denied = { ...input, principal: { ...caller, scopes: [] } };
    expect(
      take(loaded.value, new Shadow({ inForce: loaded.value, candidate: without, tenants }), denied).finding,
    ).toBeUndefined();
  });
});
