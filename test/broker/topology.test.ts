import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createEmulatorBackend, parseTopology } from '../../src/backend/emulator/index.ts';
import { Device, type OwnSend } from '../../src/broker/device.ts';
import { SwitchTopology } from '../../src/broker/topology.ts';
import { encodePayload, isTyped, type RoutedCommand, rowBySlug } from '../../src/cci/index.ts';

const small = readFileSync(new URL('../../config/topologies/small.yaml', import.meta.url), 'utf8');
const now = { bindMs: 0, unbindMs: 0, hostReleaseMs: 0, linkTrainingMs: 0 } as const;

async function opened() {
  const device = new Device(createEmulatorBackend({ topology: parseTopology(small), seed: 1, timing: now }), {
    queueMax: 100,
    timeoutMs: 1000,
    neverSend: new Map(),
  });
  await device.open();
  let between: ((command: RoutedCommand) => Promise<void>) | undefined;
  const direct: OwnSend = (command) => device.own(command);
  const topology = new SwitchTopology(
    async (command) => {
      const reply = await direct(command);
      await between?.(command);
      return reply;
    },
    { switchCci: 'fm-interface', neverSend: new Map(), maxPayload: () => 8192 },
  );
  await topology.readCel([]);
  await topology.read();
  return { device, direct, topology, hold: (what: typeof between) => (between = what) };
}

async function bind(direct: OwnSend): Promise<void> {
  const row = rowBySlug('bind-vppb');
  if (row === undefined || !isTyped(row)) throw new Error('no bind-vppb');
  const payload = encodePayload(row.request, { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 } as never);
  if (!payload.ok) throw new Error(payload.error.message);
  const reply = await direct({ hops: [], tags: [], opcode: row.opcode, payload: payload.value });
  if (reply.kind !== 'reply') throw new Error('the bind failed');
  await new Promise((done) => setTimeout(done, 5));
}

describe('SwitchTopology', () => {
  it('does not let a reading that began earlier overwrite a later one', async () => {
    const { device, direct, topology, hold } = await opened();
    expect(topology.vcss.get(0)?.vppbs[2]).toEqual({ kind: 'unbound' });
    // The first reading has its picture of VCS 0 when somebody binds there and the fabric is read in his turn.
    hold(async ({ opcode }) => {
      if (opcode !== 0x5200) return;
      hold(undefined);
      await bind(direct);
      await topology.read(direct);
    });
    await topology.read();
    expect(topology.vcss.get(0)?.vppbs[2]).toEqual({ kind: 'ld', port: 3, ld: 1 });
    await device.close();
  });

  it('does not know what a reading tells that began before it was forgotten', async () => {
    const { device, topology, hold } = await opened();
    hold(async ({ opcode }) => {
      if (opcode !== 0x5200) return;
      hold(undefined);
      topology.forget();
    });
    await topology.read();
    expect(topology.known).toBe(false);
    await topology.read();
    expect(topology.known).toBe(true);
    await device.close();
  });

  it('reads every CEL anew after the device was lost', async () => {
    const { device, topology } = await opened();
    const hops = [{ kind: 'port', port: 2 as never }] as const;
    await topology.readCel(hops);
    expect(topology.cel(hops)).toBeDefined();
    topology.lose();
    expect(topology.cel(hops)).toBeUndefined();
    await topology.read();
    // Its own comes with the fabric.
    expect(topology.cel([])?.has(0x5200)).toBe(true);
    await device.close();
  });

  it('reads a CEL once for all who want it at the same time', async () => {
    const { device, topology, hold } = await opened();
    let sent = 0;
    hold(async () => void sent++);
    await Promise.all(Array.from({ length: 50 }, () => topology.readCel([{ kind: 'port', port: 2 as never }])));
    expect(sent).toBe(2);
    await device.close();
  });
});

describe('what devices say of themselves', () => {
  const mld = [{ kind: 'port', port: 3 as never }] as const;

  it('corrects the number of LDs that the port supports, and is not taken for a reading', async () => {
    const { device, topology } = await opened();
    await topology.refresh();
    expect(topology.ports.get(3)?.ldCount).toBe(4);
    topology.noteLdCount(3, 2);
    expect(topology.ports.get(3)?.ldCount).toBe(2);
    expect(topology.component(mld)).toBe('fm-owned-ld');
    topology.forget();
    topology.noteLdCount(3, 3);
    expect(topology.known).toBe(false);
    await device.close();
  });

  it('is asked once, again after an event at the port, and not of what is never to be asked', async () => {
    const { device, topology, hold } = await opened();
    await topology.refresh();
    const asked: number[] = [];
    hold(async ({ hops, opcode }) => {
      const [port] = hops;
      if (opcode === 0x0001 && port?.kind === 'port') asked.push(port.port);
    });
    await topology.refresh();
    expect(asked).toEqual([]);
    await topology.noteEvent({ port: 4 });
    await topology.noteEvent({});
    expect(asked).toEqual([4]);
    await device.close();
  });

  it('lets a device that does not answer rest, and the others have their say', async () => {
    const { device, direct } = await opened();
    let asked = 0;
    const deaf: OwnSend = async (command) => {
      const [port] = command.hops;
      if (port?.kind !== 'port' || port.port !== 2) return direct(command);
      asked++;
      return { kind: 'failed', failure: { outcome: 'unknown', errno: 'ETIMEDOUT', text: 'no answer' } };
    };
    const topology = new SwitchTopology(deaf, {
      switchCci: 'fm-interface',
      neverSend: new Map(),
      maxPayload: () => 8192,
    });
    for (let i = 0; i < 5; i++) await topology.refresh();
    expect(asked).toBe(1);
    expect(topology.tagPlace(2)).toEqual({ port: 2, serial: undefined });
    expect(topology.tagPlace(5).serial).toBe('00000000c0ffee05');
    await device.close();
  });

  it('is not asked through a tunnel that this switch must not be sent', async () => {
    const { device, direct } = await opened();
    let tunnelled = 0;
    const topology = new SwitchTopology(
      async (command) => {
        if (command.hops.length > 0) tunnelled++;
        return direct(command);
      },
      { switchCci: 'fm-interface', neverSend: new Map([[0x5300, 'crashes']]), maxPayload: () => 8192 },
    );
    await topology.refresh();
    expect(topology.known).toBe(true);
    expect(tunnelled).toBe(0);
    await device.close();
  });
});
