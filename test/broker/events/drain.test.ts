import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryFileSystem } from '../journal/memory-file-system.ts';
import { binding, FakeSwitch, FILE, opaque, openRig, portError } from './rig.ts';

describe('draining', () => {
  it('empties every log of the switch into those of the tenants, page by page', async () => {
    const rig = await openRig();
    for (let i = 0; i < 10; i++) rig.device.raise(portError(1 + (i % 2)), 'warning');
    rig.device.raise(binding(0, 1));
    await rig.drained();
    expect(rig.device.log('warning').records).toEqual([]);
    expect(rig.feed('acme').events).toHaveLength(6);
    expect(rig.feed('globex').events).toHaveLength(5);
    expect(rig.feed('fabric').events).toHaveLength(11);
    expect(rig.feed('idle').events).toEqual([]);
    expect(rig.journal.map(({ change, type, tenants }) => [change, type, tenants])).toContainEqual([
      'drained',
      'virtual-switch',
      ['acme', 'fabric'],
    ]);
  });

  it('asks for the picture of the fabric again when a record tells that it changed, and only then', async () => {
    const rig = await openRig();
    rig.device.raise(portError(1), 'warning');
    await rig.drained();
    expect(rig.refreshes).toBe(0);
    rig.device.raise(binding(0, 1));
    await rig.drained();
    expect(rig.refreshes).toBe(1);
  });

  it('asks once for a log that the switch does not have, and again after the switch was lost', async () => {
    const rig = await openRig();
    await rig.drained();
    await rig.drained();
    const asked = (): number => rig.device.asked.filter((one) => one === '0100').length;
    expect(asked()).toBe(9);
    rig.events.forget();
    await rig.drained();
    expect(asked()).toBe(14);
  });

  it.each<[string, Parameters<typeof openRig>[0], readonly string[]]>([
    ['a switch without event logs in its CEL is left alone', { cel: [0x0001] }, []],
    ['a switch that must not be asked for events is left alone', { neverSend: [0x0100] }, []],
    ['a log that cannot be cleared is read once a look', { cel: [0x0100] }, ['0100', '0100', '0100', '0100', '0100']],
    ['nor is one that must not be', { neverSend: [0x0101, 0x0300] }, ['0100', '0100', '0100', '0100', '0100']],
  ])('%s', async (_what, options, asked) => {
    const rig = await openRig(options);
    rig.device.raise(binding(0, 1));
    await rig.drained();
    expect(rig.device.asked).toEqual(asked);
  });

  it('what cannot be cleared is told once', async () => {
    const rig = await openRig({ cel: [0x0100] });
    rig.device.raise(binding(0, 1));
    await rig.drained();
    await rig.drained();
    rig.device.raise(binding(0, 2));
    await rig.drained();
    expect(rig.feed('acme').events).toHaveLength(2);
  });

  it('one look at a log that never ends is bounded', async () => {
    const rig = await openRig();
    rig.device.fault = (opcode) => {
      if (opcode === 0x0101) for (let i = 0; i < 4; i++) rig.device.raise(portError(1));
      return undefined;
    };
    for (let i = 0; i < 8; i++) rig.device.raise(portError(1));
    await rig.drained();
    expect(rig.device.asked.filter((one) => one === '0101').length).toBeLessThanOrEqual(16);
    expect(rig.device.log('informational').records.length).toBeGreaterThan(0);
  });

  it('a reply that does not decode clears nothing', async () => {
    const rig = await openRig();
    rig.device.raise(binding(0, 1));
    rig.device.fault = (opcode) => (opcode === 0x0100 ? 4 : undefined);
    await rig.drained();
    expect(rig.device.asked).toEqual(['0100']);
    expect(rig.device.log('informational').records).toHaveLength(1);
  });

  it('devices are drained where that is asked for: into the feed, not into the logs of the switch', async () => {
    const rig = await openRig({ components: true });
    rig.device.raise(opaque(3), 'warning', 'port:4');
    rig.device.raise(binding(0, 1));
    await rig.drained();
    expect(
      rig
        .feed('acme')
        .events.map((event) => [event.kind, 'source' in event && event.source, 'handle' in event && event.handle]),
    ).toEqual([
      ['record', 'switch', 1],
      ['record', 'port:4', 0],
    ]);
    expect(rig.device.log('warning', 'port:4').records).toEqual([]);
    expect(rig.events.read('acme', 'warning', 4096).payload).toHaveLength(32);
  });
});

describe('records that the switch lost', () => {
  const full = async () => {
    const rig = await openRig();
    rig.device.room = 2;
    for (let i = 0; i < 7; i++) rig.device.raise(portError(1));
    await rig.drained();
    return rig;
  };

  it('are told to everybody on the switch, how many only to operators', async () => {
    const rig = await full();
    const overflows = (tenant: string) => rig.feed(tenant).events.filter(({ kind }) => kind === 'overflow');
    expect(overflows('fabric')).toMatchObject([{ log: 'informational', lost: 5 }]);
    for (const tenant of ['acme', 'globex']) {
      expect(overflows(tenant)).toHaveLength(1);
      expect(overflows(tenant)[0]).not.toHaveProperty('lost');
    }
    expect(overflows('idle')).toEqual([]);
    expect(rig.journal.at(-1)).toMatchObject({ change: 'lost', count: 5 });
  });

  it('by a device are told to those alone who have a part in what is behind its port', async () => {
    const rig = await openRig({ components: true });
    rig.device.room = 2;
    for (const path of ['port:3', 'port:4']) for (let i = 0; i < 3; i++) rig.device.raise(opaque(1), 'warning', path);
    await rig.drained();
    const sources = (tenant: string) =>
      rig.feed(tenant).events.flatMap((event) => (event.kind === 'overflow' ? [event.source] : []));
    expect(sources('fabric')).toEqual(['port:3', 'port:4']);
    expect(sources('acme')).toEqual(['port:3', 'port:4']);
    expect(sources('globex')).toEqual(['port:3']);
  });

  it('count as one in the log of a tenant, who is not to know how busy others are', async () => {
    const rig = await full();
    expect(rig.events.read('globex', 'informational', 4096).payload.subarray(0, 4)).toEqual(Uint8Array.of(1, 0, 1, 0));
    expect(rig.events.read('fabric', 'informational', 4096).payload.subarray(0, 4)).toEqual(Uint8Array.of(1, 0, 5, 0));
  });

  it('are counted once while the switch cannot be cleared', async () => {
    const rig = await openRig({ cel: [0x0100] });
    rig.device.room = 2;
    for (let i = 0; i < 7; i++) rig.device.raise(portError(1));
    await rig.drained();
    await rig.drained();
    rig.device.raise(portError(1));
    await rig.drained();
    const lost = rig.feed('fabric').events.flatMap((event) => (event.kind === 'overflow' ? [event.lost] : []));
    expect(lost).toEqual([5, 1]);
  });
});

describe('the time of an event', () => {
  const NOW = 1_000_000n * 1_000_000n;
  const timeOf = async (clockNs: bigint, laterNs: bigint, options: Parameters<typeof openRig>[0] = {}) => {
    const rig = await openRig(options);
    rig.device.clockNs = clockNs;
    rig.device.raise(binding(0, 1));
    rig.device.clockNs = clockNs === 0n ? 0n : clockNs + laterNs;
    await rig.drained();
    const [event] = rig.feed('acme').events;
    return event?.kind === 'record' ? BigInt(event.timestamp) : undefined;
  };

  it.each<[string, bigint, bigint, bigint, Parameters<typeof openRig>[0]]>([
    ['is now where the clock of the switch was never set', 0n, 0n, NOW, {}],
    ['is as long ago as the clock of the switch says', 5_000n, 300n, NOW - 300n, {}],
    ['is now where it lies ahead', 5_000n, -300n, NOW, {}],
    ['is what the switch says where its clock cannot be read', 5_000n, 300n, 5_000n, { neverSend: [0x0300] }],
  ])('%s', async (_what, clock, later, expected, options) => {
    expect(await timeOf(clock, later, options)).toBe(expected);
  });
});

describe('nothing is cleared before it is kept', () => {
  /** Every record that ever was is in the switch, in what is on disk, or was told as lost. */
  const survivors = async (files: MemoryFileSystem, device: FakeSwitch): Promise<number> => {
    const rig = await openRig({ fileSystem: files, device });
    await rig.drained();
    expect(device.log('informational').records).toEqual([]);
    return rig.feed('fabric').events.filter(({ kind }) => kind === 'record').length;
  };

  it('whatever the disk refuses, at whatever moment: the record stays in the switch, and comes once', async () => {
    const calls = await (async () => {
      const rig = await openRig();
      rig.device.raise(binding(0, 1));
      await rig.drained();
      await rig.events.close();
      return rig.files.calls.length;
    })();
    expect(calls).toBeGreaterThan(6);
    for (let at = 0; at < calls; at++) {
      const rig = await openRig().catch(() => undefined);
      if (rig === undefined) continue;
      const opened = rig.files.calls.length;
      rig.files.fault = (call) => (call.number === opened + at ? 'EIO' : undefined);
      rig.device.raise(binding(0, 1));
      await rig.drained();
      rig.device.raise(binding(0, 2));
      await rig.drained();
      await rig.drained();
      expect(rig.feed('acme').events.map((event) => event.kind === 'record' && event.id.split('-')[1])).toEqual([
        '1',
        '2',
      ]);
      expect(rig.device.log('informational').records).toEqual([]);
      await rig.events.close();
      expect(await survivors(rig.files, rig.device)).toBe(2);
    }
  });

  it('a disk that stays full clears nothing, and what is read is read again later', async () => {
    const rig = await openRig();
    rig.files.fault = ({ name }) => (name === 'append' ? 'ENOSPC' : undefined);
    rig.device.raise(binding(0, 1));
    await rig.drained();
    expect(rig.device.log('informational').records).toHaveLength(1);
    expect(rig.feed('acme').events).toEqual([]);
    rig.files.fault = () => undefined;
    await rig.drained();
    expect(rig.device.log('informational').records).toEqual([]);
    expect(rig.feed('acme').events).toHaveLength(1);
  });

  it.each(['fail', 'lost-reply'] as const)('a clear that is %s tells nothing twice', async (fault) => {
    const rig = await openRig();
    rig.device.raise(binding(0, 1));
    rig.device.fault = (opcode) => (opcode === 0x0101 ? fault : undefined);
    await rig.drained();
    rig.device.fault = () => undefined;
    rig.device.raise(binding(0, 2));
    await rig.drained();
    expect(rig.feed('acme').events).toHaveLength(2);
    expect(rig.device.log('informational').records).toEqual([]);
  });

  it('pulling the plug at any moment loses no record and repeats none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 9 }),
        async (at, fraction, count) => {
          const files = new MemoryFileSystem();
          const device = new FakeSwitch();
          const rig = await openRig({ fileSystem: files, device });
          for (let i = 0; i < count; i++) device.raise(binding(0, i % 4, { port: 1 }));
          const begun = files.calls.length;
          // Nothing works any more from that call on, and then the power is gone.
          files.fault = ({ number }) => (number >= begun + at ? 'EIO' : undefined);
          await rig.drained();
          files.fault = () => undefined;
          files.pullThePlug(fraction);
          expect(await survivors(files, device)).toBe(count);
        },
      ),
      { seed: 21, numRuns: 60 },
    );
  });
});

describe('what is kept', () => {
  it('survives a restart: feeds, logs, handles, clocks and limits', async () => {
    const rig = await openRig();
    for (let i = 0; i < 5; i++) rig.device.raise(binding(0, i % 4));
    await rig.drained();
    rig.events.setLimit('acme', 8);
    rig.events.setClock('acme', 5n);
    rig.events.clear('acme', 'informational', false, [1, 2]);
    const before = [rig.feed('acme'), rig.events.read('acme', 'informational', 4096), rig.events.clock('acme')];
    await rig.events.close();
    const again = await openRig({ fileSystem: rig.files, device: rig.device });
    expect([again.feed('acme'), again.events.read('acme', 'informational', 4096), again.events.clock('acme')]).toEqual(
      before,
    );
    expect(again.events.limit('acme')).toBe(8);
    again.device.raise(binding(0, 3));
    await again.drained();
    expect(again.feed('acme').events.map((event) => 'handle' in event && event.handle)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is bounded, and what fell out is told as a gap', async () => {
    const rig = await openRig({ keep: 16 });
    const start = rig.events.last('acme');
    for (let turn = 0; turn < 5; turn++) {
      for (let i = 0; i < 8; i++) rig.device.raise(portError(1));
      await rig.drained();
    }
    const { events } = rig.feed('acme', start);
    expect(events[0]).toMatchObject({ kind: 'gap', lost: 24 });
    expect(events).toHaveLength(17);
    expect(rig.feed('acme').events[0]?.kind).toBe('record');
    // Resuming behind the gap gives no other one.
    expect(rig.feed('acme', events[0]?.id).events).toEqual(events.slice(1));
  });

  it('a file that is damaged is put aside, and readers are told', async () => {
    const rig = await openRig();
    rig.device.raise(binding(0, 1));
    await rig.drained();
    const { id = '' } = rig.feed('acme').events[0] ?? {};
    await rig.events.close();
    rig.files.edit(FILE, (data) => Buffer.concat([Buffer.from('{"kind":"tenant"}\n'), data]));
    const again = await openRig({ fileSystem: rig.files });
    expect(rig.files.names().some((name) => name.includes('unreadable'))).toBe(true);
    expect(again.feed('acme', id)).toMatchObject({ events: [{ kind: 'gap' }] });
    expect(again.feed('acme', id).events[0]).not.toHaveProperty('lost');
  });

  it('half a last line counts as not written', async () => {
    const rig = await openRig();
    for (let i = 0; i < 3; i++) {
      rig.device.raise(binding(0, i));
      await rig.drained();
    }
    await rig.events.close();
    rig.files.edit(FILE, (data) => data.subarray(0, data.lastIndexOf('"kind":"add"') + 30));
    const again = await openRig({ fileSystem: rig.files });
    expect(again.feed('acme').events).toHaveLength(2);
  });

  it('of a tenant who is no more is dropped', async () => {
    const rig = await openRig();
    rig.device.raise(portError(2));
    await rig.drained();
    await rig.events.close();
    const fabric = `
switches: { sw0: { ports: [{ ids: 0-5 }], vcss: [] } }
tenants: { acme: { owns: [/switches/sw0/ports/2] } }
`;
    const without = await openRig({ fileSystem: rig.files, fabric });
    // What was globex's does not become acme's with the port, and is on disk no more once something is written.
    expect(without.feed('acme').events).toEqual([]);
    without.device.raise(portError(2));
    await without.drained();
    expect(without.feed('acme').events).toHaveLength(1);
    expect(rig.files.text(FILE)).not.toContain('globex');
  });
});
