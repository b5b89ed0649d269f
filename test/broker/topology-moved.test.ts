import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { CommandRequest, Credential, TopologyAnswer } from '../../src/broker/core-api.ts';
import { smallParts } from '../isolation/small-fabric.ts';
import { type BrokerFixture, type BrokerParts, startBrokerFixture } from '../support/broker-fixture.ts';
import { journalOf } from '../support/shipped-broker.ts';

const POSTURE = ['cci:read', 'cci:config', 'cci:debug-write', 'cci:posture'] as const;
const bind: CommandRequest = {
  kind: 'named',
  command: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 },
};
const unbind: CommandRequest = {
  kind: 'named',
  command: 'unbind-vppb',
  params: { vcs_id: 0, vppb_id: 2, option: 'managed-hot-remove' },
};
const alerts = (port: number): CommandRequest => ({
  kind: 'named',
  command: 'get-alert-configuration',
  via: `port:${port}`,
});

async function started(more: Partial<BrokerParts> = {}): Promise<BrokerFixture> {
  return startBrokerFixture({ ...(await smallParts()), rereadMs: 10, ...more });
}

const operator = (broker: BrokerFixture): Promise<Credential> => broker.credential('fabric', { scopes: POSTURE });

async function topologyOf(broker: BrokerFixture, caller: Credential): Promise<TopologyAnswer> {
  const answer = await broker.core.topology(caller, 'sw0');
  if (!answer.ok) throw new Error(answer.problem.detail);
  return answer.value;
}

async function lettersOf(broker: BrokerFixture): Promise<string> {
  const answer = await broker.core.taint(await operator(broker));
  return answer.ok ? (answer.value[0]?.letters ?? '') : answer.problem.detail;
}

/** Waits until something was noticed, or some rounds of looking have found nothing. */
async function noticed(broker: BrokerFixture): Promise<void> {
  await vi.waitFor(async () => expect(await lettersOf(broker)).toContain('X'), { timeout: 15_000, interval: 10 });
}

async function quiet(broker: BrokerFixture, rounds = 4): Promise<void> {
  const seen = () => broker.requests.filter(({ opcode }) => opcode === 0x5100).length;
  const before = seen();
  await vi.waitFor(() => expect(seen()).toBeGreaterThanOrEqual(before + rounds), { timeout: 15_000, interval: 5 });
}

describe('what moves without the broker', () => {
  it('freezes the whole switch where a binding moved, until an operator accepts it', async () => {
    await using broker = await started();
    const acme = await broker.credential('acme');
    expect(await broker.submit(acme, alerts(2))).toMatchObject({ ok: true });
    expect(broker.device.emulator.control.bindBehindBack({ vcs: 1, vppb: 2, port: 7, ld: 0 })).toBe(true);
    await noticed(broker);
    expect(await broker.submit(acme, alerts(2))).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    expect(await broker.submit(acme, bind)).toMatchObject({ ok: false, problem: { code: 'EPERM' } });
    // Safe reads go on.
    expect(await broker.submit(acme, { kind: 'named', command: 'identify', via: 'port:2' })).toMatchObject({
      ok: true,
    });
    const caller = await operator(broker);
    const shown = await topologyOf(broker, caller);
    expect(shown).toMatchObject({
      known: true,
      accepted: false,
      differences: [{ what: 'vPPB 2 of VCS 1', before: 'unbound', after: 'LD 0 of port 7' }],
    });
    expect(await broker.core.acceptTopology(acme, 'sw0', 'mine')).toMatchObject({
      ok: false,
      problem: { code: 'EPERM' },
    });
    const stale = await broker.core.acceptTopology(caller, 'sw0', 'seen', '0123456789abcdef');
    expect(stale).toMatchObject({ ok: false, problem: { code: 'EBUSY' } });
    const accepted = await broker.core.acceptTopology(caller, 'sw0', 'rebound by hand', shown.picture);
    expect(accepted).toMatchObject({ ok: true, value: { accepted: true, differences: [] } });
    expect(await broker.submit(acme, alerts(2))).toMatchObject({ ok: true });
    // The bit stays.
    expect(await lettersOf(broker)).toContain('X');
    const journal = await journalOf(broker);
    expect(journal.map(({ change }) => change).filter((change) => change === 'moved' || change === 'accepted')).toEqual(
      ['moved', 'accepted'],
    );
    // What the start finds comes after the start.
    expect(journal[0]?.kind).toBe('start');
  });

  it('freezes one port alone where its device is gone, and nobody else', async () => {
    await using broker = await started();
    expect(broker.device.emulator.control.unplug(2)).toBe(true);
    await noticed(broker);
    const globex = await broker.credential('globex');
    expect(await broker.submit(globex, alerts(4))).toMatchObject({ ok: true });
    expect(await topologyOf(broker, globex)).toMatchObject({ accepted: true, differences: [] });
    const acme = await broker.credential('acme');
    const seen = await topologyOf(broker, acme);
    expect(seen.differences.map(({ what }) => what)).toEqual(['port 2']);
    expect(seen).not.toHaveProperty('picture');
    expect(seen.ports.map(({ id }) => id)).toEqual([0, 2]);
    expect(seen.vcss.map(({ id }) => id)).toEqual([0]);
  });

  it('notices a switch that was powered off and on, although its bindings are the same', async () => {
    await using broker = await started({ topology: (await smallParts()).topology });
    const acme = await broker.credential('acme');
    expect(await broker.submit(acme, bind)).toMatchObject({ ok: true });
    await broker.settle();
    await quiet(broker);
    expect(await lettersOf(broker)).not.toContain('X');
    broker.device.emulator.control.powerCycle();
    await noticed(broker);
  });

  it('forgets the effects log of a device that was swapped for one of the same kind', async () => {
    await using broker = await started();
    const acme = await broker.credential('acme');
    expect(await broker.submit(acme, alerts(2))).toMatchObject({ ok: true });
    await quiet(broker, 12);
    const state = broker.device.emulator.machine.state;
    const device = state.devices[state.ports.find((port) => port?.id === 2)?.device ?? 0];
    if (device === undefined) throw new Error('no device');
    Object.assign(device, { cci: { ...device.cci, serial: 0xfeedn } });
    await noticed(broker);
    const shown = await topologyOf(broker, await operator(broker));
    expect(shown.differences).toMatchObject([{ what: 'port 2', after: 'serial 000000000000feed' }]);
    await broker.core.acceptTopology(await operator(broker), 'sw0', 'replaced');
    broker.requests.length = 0;
    expect(await broker.submit(acme, alerts(2))).toMatchObject({ ok: true });
    const through = broker.requests.filter(({ opcode, payload }) => opcode === 0x5300 && payload[0] === 2);
    // Supported logs and the log are read anew before the command.
    expect(through.map(({ payload }) => (payload[7] ?? 0) + (payload[8] ?? 0) * 256)).toEqual(
      expect.arrayContaining([0x0400, 0x0401, 0x4201]),
    );
  });

  it('is not what its own commands do, however long they take', async () => {
    await using broker = await started({ timing: { bindMs: 60, unbindMs: 60, hostReleaseMs: 20, linkTrainingMs: 40 } });
    const acme = await broker.credential('acme');
    for (const command of [bind, unbind, bind, unbind]) {
      expect(await broker.submit(acme, command)).toMatchObject({ ok: true });
      await broker.settle();
    }
    const perst = (opcode: string): CommandRequest => ({
      kind: 'named',
      command: 'physical-port-control',
      params: { ppb_id: 4, port_opcode: opcode },
    });
    const globex = await broker.credential('globex');
    await broker.submit(globex, perst('assert-perst'));
    await quiet(broker);
    await broker.submit(globex, perst('deassert-perst'));
    await quiet(broker, 8);
    expect(await lettersOf(broker)).not.toContain('X');
  });

  it('is noticed although a command of ours moved something else at the same time', async () => {
    await using broker = await started({ timing: { bindMs: 80 } });
    const acme = await broker.credential('acme');
    expect(await broker.submit(acme, bind)).toMatchObject({ ok: true });
    broker.device.emulator.control.bindBehindBack({ vcs: 1, vppb: 3, port: 7, ld: 1 });
    await noticed(broker);
    await broker.settle();
    const { differences } = await topologyOf(broker, await operator(broker));
    expect(differences.map(({ what }) => what)).toEqual(['vPPB 3 of VCS 1']);
  });
});

describe('a restart', () => {
  it('after binds whose outcome was recorded is no surprise', async () => {
    let broker = await started();
    await broker.submit(await broker.credential('acme'), bind);
    await broker.settle();
    broker = await broker.restart();
    expect(await lettersOf(broker)).not.toContain('X');
    await broker.close();
  });

  it('while a bind is under way is no surprise when it has ended meanwhile', async () => {
    let broker = await started({ timing: { bindMs: 150 } });
    expect(await broker.submit(await broker.credential('acme'), bind)).toMatchObject({ ok: true });
    broker = await broker.restart(() => new Promise((done) => setTimeout(done, 200)));
    const shown = await topologyOf(broker, await operator(broker));
    expect(shown.vcss[0]?.vppbs[2]).toEqual({ kind: 'ld', port: 3, ld: 1 });
    expect(await lettersOf(broker)).not.toContain('X');
    await broker.close();
  });

  it('finds what moved while no broker looked', async () => {
    let broker = await started({ rereadMs: 0 });
    broker = await broker.restart(() => void broker.device.emulator.control.unbindBehindBack({ vcs: 0, vppb: 0 }));
    expect(await lettersOf(broker)).toContain('X');
    expect(await broker.submit(await broker.credential('acme'), bind)).toMatchObject({ ok: false });
    // It is not forgotten by another restart.
    broker = await broker.restart();
    const shown = await topologyOf(broker, await operator(broker));
    expect(shown.accepted).toBe(false);
    await broker.core.acceptTopology(await operator(broker), 'sw0', 'seen');
    broker = await broker.restart();
    expect((await topologyOf(broker, await operator(broker))).accepted).toBe(true);
    expect(await broker.submit(await broker.credential('acme'), bind)).toMatchObject({ ok: true });
    await broker.close();
  });

  it.each([
    ['cut off', (text: string) => text.slice(0, 80)],
    ['changed', (text: string) => text.replace('"unbound"', '"unknown"')],
    ['of another form', () => '{"format":"cci topology","version":1,"sha256":"x","state":{}}'],
  ])('with a record of the fabric that is %s cannot say what moved', async (_name, spoil) => {
    let broker = await started({ rereadMs: 0 });
    const file = join(broker.directory, 'state', 'topology-sw0.json');
    broker = await broker.restart(async () => writeFile(file, spoil(await readFile(file, 'utf8'))));
    expect(await lettersOf(broker)).toContain('X');
    await broker.close();
  });

  it('without a record of the fabric, although the journal tells of the switch, cannot say either', async () => {
    let broker = await started({ rereadMs: 0 });
    broker = await broker.restart(() => rm(join(broker.directory, 'state', 'topology-sw0.json')));
    expect(await lettersOf(broker)).toContain('X');
    await broker.close();
  });
});
