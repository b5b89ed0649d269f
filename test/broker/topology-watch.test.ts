import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FabricChange } from '../../src/broker/topology-changes.ts';
import { differencesOf, type Picture, pictureId, subjectOf } from '../../src/broker/topology-picture.ts';
import { FabricWatch, type Moved, watchStateOf } from '../../src/broker/topology-watch.ts';
import type { Binding } from '../../src/policy/index.ts';

const unbound: Binding = { kind: 'unbound' };
const busy: Binding = { kind: 'unknown' };
const port3: Binding = { kind: 'port', port: 3 };
const port4: Binding = { kind: 'port', port: 4 };

const picture = (...vppbs: readonly Binding[]): Picture => ({
  serial: '00',
  ports: [
    { id: 2, role: 'usp', device: 'none', lds: 0 },
    { id: 3, role: 'dsp', device: 'sld', lds: 0, serial: '0a' },
    { id: 4, role: 'dsp', device: 'mld', lds: 4, serial: '0b' },
  ],
  vcss: [{ id: 0, usp: 2, vppbs }],
});

function watched(): { watch: FabricWatch; moved: Moved[]; saves: () => number; clock: { now: number } } {
  const moved: Moved[] = [];
  const clock = { now: 1000 };
  let saves = 0;
  const watch = new FabricWatch({
    nowMs: () => clock.now,
    save: async () => void saves++,
    onMoved: (found) => void moved.push(...found),
    onUnwritten: () => {},
  });
  return { watch, moved, saves: () => saves, clock };
}

const none: ReadonlySet<number> = new Set();
const bind: FabricChange = { kind: 'vppb', vcs: 0, vppb: 0, from: unbound, to: port3 };

describe('a picture', () => {
  it('has a name that equal pictures share', () => {
    expect(pictureId(picture(unbound))).toBe(pictureId(picture({ ...unbound })));
    expect(pictureId(picture(unbound))).not.toBe(pictureId(picture(port3)));
  });

  it.each([
    ['another binding', picture(port3), ['vPPB 0 of VCS 0: unbound -> port 3']],
    ['an LD', picture({ kind: 'ld', port: 4, ld: 2 }), ['vPPB 0 of VCS 0: unbound -> LD 2 of port 4']],
    ['one vPPB more', picture(unbound, unbound), ['VCS 0: upstream port 2, 1 vPPBs -> upstream port 2, 2 vPPBs']],
    ['no VCS', { ...picture(unbound), vcss: [] }, ['VCS 0: there -> not there']],
    ['another switch', { ...picture(unbound), serial: '01' }, ['the switch: serial 00 -> serial 01']],
    ['a switch that does not say who it is', { ...picture(unbound), serial: '' }, []],
    ['a port less', { ...picture(unbound), ports: picture().ports.slice(0, 2) }, ['port 4: there -> not there']],
    [
      'another device of the same kind',
      { ...picture(unbound), ports: picture().ports.map((port) => (port.id === 3 ? { ...port, serial: '0c' } : port)) },
      ['port 3: serial 0a -> serial 0c'],
    ],
    [
      'an MLD with fewer LDs',
      { ...picture(unbound), ports: picture().ports.map((port) => (port.id === 4 ? { ...port, lds: 2 } : port)) },
      ['port 4: dsp, mld of 4 LDs -> dsp, mld of 2 LDs'],
    ],
  ] as const)('differs from another by %s', (_name, after, expected) => {
    const found = differencesOf(picture(unbound), after).map(
      (difference) => `${subjectOf(difference)}: ${difference.before} -> ${difference.after}`,
    );
    expect(found).toEqual(expected);
  });
});

describe('what the broker did itself', () => {
  it('is expected at once, under way and done, and then no more', async () => {
    const { watch, moved } = watched();
    watch.see(picture(unbound), none);
    await watch.expect([bind]);
    watch.see(picture(busy), none);
    watch.see(picture(port3), none);
    expect(moved).toEqual([]);
    watch.see(picture(unbound), none);
    expect(moved.map(subjectOf)).toEqual(['vPPB 0 of VCS 0']);
  });

  it('may fail, and take days while it is seen under way', async () => {
    const { watch, moved, clock } = watched();
    watch.see(picture(unbound), none);
    await watch.expect([bind]);
    watch.see(picture(busy), none);
    clock.now += 7 * 86_400_000;
    watch.see(picture(busy), none);
    watch.see(picture(unbound), none);
    expect(moved).toEqual([]);
  });

  it('does not excuse another place, another vPPB, or what comes long after', async () => {
    for (const [vppbs, after] of [
      [[port4, unbound], 0],
      [[unbound, port3], 0],
      [[port3, unbound], 3_600_001],
    ] as const) {
      const { watch, moved, clock } = watched();
      watch.see(picture(unbound, unbound), none);
      await watch.expect([bind]);
      clock.now += after;
      watch.see(picture(...vppbs), none);
      expect(moved).toHaveLength(1);
    }
  });

  it('is not expected where it was not sent after all', async () => {
    const { watch, moved } = watched();
    watch.see(picture(unbound), none);
    const forget = await watch.expect([bind]);
    forget();
    watch.see(picture(port3), none);
    expect(moved).toHaveLength(1);
  });

  it('is still expected of the one that waits where another of the same kind was not sent', async () => {
    const { watch, moved } = watched();
    watch.see(picture(unbound), none);
    const forget = await watch.expect([bind, { kind: 'port', port: 3 }]);
    const done = await watch.expect([bind, { kind: 'port', port: 3 }]);
    forget();
    watch.see(picture(port3), none);
    done(true);
    expect(moved).toEqual([]);
    watch.see(picture(unbound), none);
    expect(moved).toHaveLength(1);
  });

  it('is expected of each: bind, unbind and the same bind again, all asked for at once', async () => {
    const { watch, moved } = watched();
    watch.see(picture(unbound), none);
    const unbind: FabricChange = { kind: 'vppb', vcs: 0, vppb: 0, from: port3, to: unbound };
    const ends = [await watch.expect([bind]), await watch.expect([unbind]), await watch.expect([bind])];
    for (const [at, now] of [port3, unbound, port3].entries()) {
      watch.see(picture(now), none);
      ends[at]?.(true);
    }
    expect(moved).toEqual([]);
    watch.see(picture(unbound), none);
    expect(moved).toHaveLength(1);
  });

  it('excuses nothing more once it was sent and there was nothing to do', async () => {
    const { watch, moved } = watched();
    watch.see(picture(port3, unbound), none);
    (await watch.expect([bind]))(true);
    watch.see(picture(port3, port4), none);
    watch.see(picture(unbound, port4), none);
    watch.see(picture(port3, port4), none);
    expect(moved.map(({ vppb, after }) => [vppb, after])).toEqual([
      [1, 'port 4'],
      [0, 'unbound'],
      [0, 'port 3'],
    ]);
  });

  it('has its time from when it was sent, however long it waited', async () => {
    const { watch, moved, clock } = watched();
    watch.see(picture(unbound), none);
    const end = await watch.expect([bind]);
    clock.now += 3_000_000;
    end(true);
    clock.now += 3_000_000;
    watch.see(picture(port3), none);
    expect(moved).toEqual([]);
  });

  it('is not expected where it could not be written down, since it is not sent then', async () => {
    const moved: Moved[] = [];
    let isFull = false;
    const watch = new FabricWatch({
      nowMs: () => 1000,
      save: async () => {
        if (isFull) throw new Error('disk full');
      },
      onMoved: (found) => void moved.push(...found),
      onUnwritten: () => {},
    });
    watch.see(picture(unbound), none);
    isFull = true;
    await expect(watch.expect([bind])).rejects.toThrow('disk full');
    watch.see(picture(port3), none);
    expect(moved).toHaveLength(1);
  });

  it('at a port excuses what is seen there, never who that is', async () => {
    const { watch, moved } = watched();
    const gone = (serial?: string): Picture => ({
      ...picture(unbound),
      ports: picture().ports.map((port) =>
        port.id === 3
          ? {
              id: 3,
              role: 'dsp',
              device: serial === undefined ? 'none' : 'sld',
              lds: 0,
              ...(serial === undefined ? {} : { serial }),
            }
          : port,
      ),
    });
    watch.see(picture(unbound), none);
    await watch.expect([{ kind: 'port', port: 3 }]);
    watch.see(gone(), none);
    watch.see(gone('0a'), none);
    expect(moved).toEqual([]);
    watch.see(gone(), none);
    watch.see(gone('0f'), none);
    expect(moved.map(({ kind }) => kind)).toEqual(['identity']);
  });

  it('is written down before it is sent, once', async () => {
    const { watch, saves } = watched();
    watch.see(picture(unbound), none);
    const before = saves();
    await watch.expect([bind]);
    await watch.expect([bind]);
    expect(saves()).toBe(before + 1);
  });
});

describe('a VCS that could not be read', () => {
  it('is as it was before', () => {
    const { watch, moved } = watched();
    watch.see(picture(port3), none);
    watch.see({ ...picture(), vcss: [] }, new Set([0]));
    expect(watch.picture?.vcss).toEqual(picture(port3).vcss);
    watch.see(picture(unbound), none);
    expect(moved).toHaveLength(1);
  });
});

describe('a clock', () => {
  it('that goes back was without power', async () => {
    const { watch, moved } = watched();
    watch.see(picture(unbound), none);
    for (const now of [5n, 5n, 9n, 2n, 3n]) watch.seeClock(now);
    expect(moved).toMatchObject([{ kind: 'shape', after: 'powered on anew' }]);
    await watch.expect([{ kind: 'anything' }]);
    watch.seeClock(0n);
    expect(moved).toHaveLength(1);
  });
});

describe('what was written down', () => {
  it('goes on with the next broker: the picture, what is under way, what moved, the clock', async () => {
    const { watch } = watched();
    watch.see(picture(unbound, unbound), none);
    watch.see(picture(unbound, port4), none);
    watch.seeClock(77n);
    await watch.expect([bind, { kind: 'port', port: 3 }]);
    const state = JSON.parse(JSON.stringify(watch.state('life')));
    const restored = watchStateOf({ kind: 'state', state });
    if (restored === undefined) throw new Error('it is not what was written');
    const next = watched();
    next.watch.restore(restored);
    expect(next.watch.differences).toMatchObject([{ vppb: 1, after: 'port 4' }]);
    next.watch.see(picture(port3, port4), none);
    expect(next.moved).toEqual([]);
    next.watch.seeClock(76n);
    expect(next.moved).toHaveLength(1);
  });

  it.each([
    ['another form', { kind: 'state', state: { picture: 7 } }],
    [
      'a change that there is not',
      { kind: 'state', state: { session: '', picture: null, open: [{ kind: 'x' }], moved: [], lost: 0 } },
    ],
    ['nothing', { kind: 'missing' }],
    ['damage', { kind: 'damaged', why: 'x' }],
  ] as const)('is not believed where it is %s', (_name, loaded) => {
    expect(watchStateOf(loaded)).toBeUndefined();
  });

  it('does not grow without end', () => {
    const { watch } = watched();
    for (let i = 0; i < 600; i++) watch.see(picture(i % 2 === 0 ? unbound : port3), none);
    expect(watch.differences).toHaveLength(256);
    expect(watch.lostDifferences).toBe(599 - 256);
  });
});

const binding: fc.Arbitrary<Binding> = fc.constantFrom(unbound, busy, port3, port4, {
  kind: 'ld',
  port: 4,
  ld: 1,
} as const);

describe('of any sequence of pictures', () => {
  it('every change of a binding that nobody expected is told exactly once', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(binding, binding), { minLength: 1, maxLength: 20 }), (pictures) => {
        const { watch, moved } = watched();
        let expected = 0;
        let last: readonly Binding[] | undefined;
        for (const vppbs of pictures) {
          watch.see(picture(...vppbs), none);
          expected +=
            last === undefined ? 0 : vppbs.filter((now, i) => JSON.stringify(now) !== JSON.stringify(last?.[i])).length;
          last = vppbs;
        }
        expect(moved).toHaveLength(expected);
      }),
      { numRuns: 300, seed: 20_261 },
    );
  });
});

describe('a clock that is put wrong', () => {
  it.each([
    ['forward: a change of ours that is under way is not called a movement of the fabric', 7_200_000, 0, 0],
    ['backward: a change of ours explains nothing for longer than it would have', -7_200_000, 3_600_001, 1],
  ])('%s', async (_what, jumpMs, laterMs, found) => {
    const clock = { wall: 10_000_000, elapsed: 0 };
    const moved: Moved[] = [];
    const watch = new FabricWatch({
      nowMs: () => clock.wall,
      elapsedMs: () => clock.elapsed,
      save: async () => {},
      onMoved: (differences) => void moved.push(...differences),
      onUnwritten: () => {},
    });
    watch.see(picture(unbound), none);
    const end = await watch.expect([bind]);
    end(true);
    clock.wall += jumpMs;
    clock.elapsed += laterMs;
    watch.see(picture(port3), none);
    expect(moved).toHaveLength(found);
  });
});
