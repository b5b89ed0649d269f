import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allExtents, overlaps } from '../../../src/backend/emulator/capacity.ts';
import { encodeRoute, parseVia } from '../../../src/cci/index.ts';
import { commands, type RandomCommand } from './random-commands.ts';
import { Rig, type Shipped } from './rig.ts';

function execute(rig: Rig, command: RandomCommand) {
  const hops = command.via === '' ? [] : (parseVia(command.via) ?? []);
  const route = encodeRoute({ hops, tags: hops.map(() => 1), opcode: command.opcode, payload: command.payload });
  rig.pass(command.waitMs);
  return rig.emulator.execute(route.opcode, route.payload);
}

/** What must hold of the emulator whatever it was sent. */
function invariants(rig: Rig): void {
  const { machine, lastError } = rig.emulator;
  if (lastError !== undefined) throw lastError;
  const seen = new Set<string>();
  let bound = 0;
  for (const vcs of machine.state.vcss) {
    vcs?.vppbs.forEach((vppb, id) => {
      if (vppb.status !== 'port' && vppb.status !== 'ld') return;
      bound++;
      const key = `${vppb.port}/${vppb.ld}`;
      if (seen.has(key)) throw new Error(`${key} is bound twice`);
      seen.add(key);
      const port = machine.port(vppb.port);
      const owner = vppb.ld === null ? port?.bound : port && machine.deviceAt(port)?.lds[vppb.ld]?.bound;
      expect(owner).toMatchObject({ vcs: vcs.id, vppb: id });
    });
  }
  const identify = rig.emulator.execute(0x5100, new Uint8Array(0)).payload;
  if (identify.length === 73) expect((identify[70] ?? 0) + 256 * (identify[71] ?? 0)).toBe(bound);
  for (const device of machine.state.devices) {
    const spec = machine.specOf(device);
    const pieces = device.lds.flatMap((ld) => [
      { dpa: ld.base1, length: ld.range1 },
      { dpa: ld.base2, length: ld.range2 },
    ]);
    const used = pieces.filter((piece) => piece.length > 0n);
    for (const [i, a] of used.entries()) {
      for (const b of used.slice(i + 1)) if (overlaps(a, b)) throw new Error(`allocations of ${spec.name} overlap`);
    }
    const extents = device.dcd === null ? [] : allExtents(device.dcd);
    for (const [i, a] of extents.entries()) {
      for (const b of extents.slice(i + 1)) {
        const shared = a.tag === b.tag && a.dpa === b.dpa && device.dcd?.regions[a.region]?.sharable === true;
        if (overlaps(a, b) && !shared) throw new Error(`extents of ${spec.name} overlap`);
      }
    }
  }
}

/** Sends a run of commands; equal runs give equal transcripts. */
function play(on: Shipped, run: readonly RandomCommand[], check: boolean): readonly string[] {
  const rig = new Rig(on, { support: 'all', seed: 7, timing: { hostReleaseMs: 100 } });
  const events: string[] = [];
  rig.emulator.onEvent((event) => events.push(JSON.stringify(event)));
  const transcript = run.map((command) => {
    const reply = execute(rig, command);
    if (reply.payload.length > 8192) throw new Error('a reply over the limit');
    if (check) invariants(rig);
    return `${reply.returnCode} ${reply.background} ${Buffer.from(reply.payload).toString('hex')}`;
  });
  return [...transcript, ...events, rig.emulator.save()];
}

const plays: readonly (readonly [string, Shipped, fc.Arbitrary<RandomCommand>])[] = [
  ['commands of every kind', 'small', commands.mixed],
  ['binds and unbinds', 'small', commands.binding],
  ['LD allocations among binds', 'small', fc.oneof(commands.allocation, commands.binding)],
  ['dynamic capacity', 'dcd-pool', commands.capacity],
];

describe('1,000 random commands leave the invariants intact', () => {
  it.each(plays)('%s: no LD bound twice, no allocation over another, counters as the lists', (_what, on, arbitrary) => {
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 1000, maxLength: 1000, size: 'max' }), (run) => {
        play(on, run, true);
      }),
      { numRuns: 3, seed: 20_260_101, endOnFailure: true },
    );
  });
});

describe('determinism', () => {
  it('two switches with one seed and the same commands give the same bytes, events and state', () => {
    fc.assert(
      fc.property(fc.array(commands.mixed, { maxLength: 200 }), (run) => {
        expect(play('small', run, false)).toEqual(play('small', run, false));
      }),
      { numRuns: 10 },
    );
  });

  it('a restored switch goes on as the saved one would have', () => {
    fc.assert(
      fc.property(
        fc.array(commands.mixed, { maxLength: 100 }),
        fc.array(commands.mixed, { maxLength: 50 }),
        (before, after) => {
          const rig = new Rig('small', { support: 'all', seed: 3 });
          for (const command of before) execute(rig, command);
          const copy = new Rig('small', { support: 'all', seed: 99 });
          // The clock of another process stands elsewhere.
          copy.pass(123_456);
          copy.emulator.restore(rig.emulator.save());
          for (const command of after) expect(execute(copy, command)).toEqual(execute(rig, command));
          expect(copy.emulator.save()).toBe(rig.emulator.save());
        },
      ),
      { numRuns: 20 },
    );
  });

  it('a state of another topology, another format or no JSON is refused', () => {
    const rig = new Rig();
    expect(() => rig.emulator.restore(new Rig('dcd-pool').emulator.save())).toThrow('another topology');
    expect(() => rig.emulator.restore('{"format":"x"}')).toThrow('not a `cci-emulator-state/1` file');
    expect(() => rig.emulator.restore('null')).toThrow('not a `cci-emulator-state/1` file');
    expect(() => rig.emulator.restore('{')).toThrow('not JSON');
  });
});

describe('scale', () => {
  it('255 ports with 16 LDs behind each DSP take less than 100 MB of heap', () => {
    const before = process.memoryUsage().heapUsed;
    const rig = new Rig('max-255');
    for (let port = 16; port < 255; port++) rig.code(0x4200, '', `port:${port}/ld:15`);
    expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(100);
    expect(rig.emulator.machine.state.ports.filter((port) => port !== null)).toHaveLength(255);
  });
});
