import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EventBody } from '../../../src/cci/index.ts';
import { toHex } from '../../../src/cci/index.ts';
import { binding, opaque, openRig, portError, type Rig } from './rig.ts';

// Two switches on which the same things happen to what is acme's, and anything at all to the rest. acme's feed, his
// logs, the ids and handles in them and the times are the same to the byte.

const own: fc.Arbitrary<EventBody> = fc.oneof(
  fc.integer({ min: 0, max: 3 }).map((vppb) => binding(0, vppb)),
  fc.integer({ min: 0, max: 3 }).map((vppb) => binding(0, vppb, { port: 3, ld: 0 })),
  fc.constant(portError(1)),
  fc.constant(portError(4)),
);
/** Of whom and of what is somebody else's business; a foreign host of his own LD is masked in it. */
const shared = (vcs: number, ld: number): EventBody => binding(vcs, 1, { port: 3, ld });
const foreign: fc.Arbitrary<EventBody> = fc.oneof(
  fc.tuple(fc.constantFrom(1, 2, 9), fc.integer({ min: 0, max: 3 })).map(([vcs, vppb]) => binding(vcs, vppb)),
  fc.integer({ min: 1, max: 3 }).map((ld) => binding(1, 2, { port: 3, ld })),
  fc.constantFrom(0, 2, 3, 5, 77).map((port) => portError(port)),
  fc.nat({ max: 255 }).map(opaque),
);
type Step =
  | { readonly what: 'own'; readonly body: EventBody }
  | { readonly what: 'masked'; readonly here: EventBody; readonly there: EventBody }
  | { readonly what: 'look' }
  | { readonly what: 'clear'; readonly handles: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: own.map((body) => ({ what: 'own' as const, body })) },
  // His vPPB with a device of others, whichever; his LD under a host of others, whichever.
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })).map(([here, there]) => ({
    what: 'masked' as const,
    here: binding(0, 1, { port: 3, ld: here }),
    there: binding(0, 1, { port: 3, ld: there }),
  })),
  fc.constant({ what: 'masked' as const, here: shared(1, 0), there: shared(2, 0) }),
  { weight: 2, arbitrary: fc.constant({ what: 'look' as const }) },
  fc.nat({ max: 4 }).map((handles) => ({ what: 'clear' as const, handles })),
);

it('what a tenant reads does not depend on what happens to others', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 14 }),
      fc.array(fc.array(foreign, { maxLength: 4 }), { minLength: 14, maxLength: 14 }),
      async (steps, noise) => {
        const here = await openRig();
        const there = await openRig();
        for (const rig of [here, there]) {
          rig.device.room = 1000;
          rig.device.clockNs = 7n;
        }
        for (const [i, one] of steps.entries()) {
          for (const body of noise[i] ?? []) there.device.raise(body);
          if (one.what === 'own') for (const rig of [here, there]) rig.device.raise(one.body);
          else if (one.what === 'masked') {
            here.device.raise(one.here);
            there.device.raise(one.there);
          } else if (one.what === 'look') for (const rig of [here, there]) await rig.drained();
          else for (const rig of [here, there]) clearOldest(rig, one.handles);
          // Not a sign of it, however busy it was: not even before anything was drained.
          if (one.what === 'look') expect(seen(there)).toEqual(seen(here));
        }
        for (const rig of [here, there]) await rig.drained();
        expect(seen(there)).toEqual(seen(here));
      },
    ),
    { seed: 41, numRuns: 60 },
  );
});

it('the oracle of this test sees a leak: operators do not read the same', async () => {
  const here = await openRig();
  const there = await openRig();
  there.device.raise(portError(2));
  for (const rig of [here, there]) await rig.drained();
  expect(seen(there, 'fabric')).not.toEqual(seen(here, 'fabric'));
});

function clearOldest(rig: Rig, number: number): void {
  const { payload } = rig.events.read('acme', 'informational', 4096);
  const handles = Array.from({ length: Math.min(number, (payload.length - 32) / 128) }, (_, i) => {
    const at = 32 + i * 128 + 0x14;
    return (payload[at] ?? 0) + 256 * (payload[at + 1] ?? 0);
  });
  rig.events.clear('acme', 'informational', false, handles);
}

/** Everything that a tenant can read; the name of the numbering is chance. */
function seen(rig: Rig, tenant = 'acme') {
  const plain = (id: string): string => id.slice(id.indexOf('-'));
  const { events, next, more } = rig.feed(tenant);
  return {
    events: events.map((event) => ({ ...event, id: plain(event.id) })),
    next: plain(next),
    more,
    last: plain(rig.events.last(tenant)),
    logs: ['informational', 'warning', 'failure', 'fatal', 'dynamic-capacity'].map((log) =>
      toHex(rig.events.read(tenant, log, 100_000).payload),
    ),
    clock: rig.events.clock(tenant),
    limit: rig.events.limit(tenant),
  };
}
