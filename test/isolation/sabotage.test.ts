import { expect, test } from 'vitest';
import type { Backend, CciReply, CciRequest } from '../../src/backend/index.ts';
import { makeAttempt, typed } from './commands.ts';
import { Dice } from './seeded.ts';
import { type Breach, type Options, openSession, type Sabotage } from './session.ts';
import { fabricYaml, makeWorld, type World } from './world.ts';

/** Runs a few fabrics with something broken and gives the breaches. */
async function breachesWith(
  options: (world: World) => Options,
  sabotage?: (world: World) => Sabotage,
): Promise<readonly Breach[]> {
  const breaches: Breach[] = [];
  for (let seed = 1; seed <= 6 && breaches.length === 0; seed++) {
    const world = makeWorld(seed);
    await using session = await openSession(world, seed, options(world), sabotage?.(world));
    const dice = new Dice(seed);
    for (let turn = 0; turn < 120; turn++) {
      const tenant = dice.pick(world.tenants);
      const attempt = makeAttempt(dice, world, tenant);
      await session.run(tenant, attempt);
    }
    breaches.push(...session.breaches);
  }
  return breaches;
}

test('the oracle notices a broker that takes one tenant for another', async () => {
  const found = await breachesWith(
    () => ({}),
    // The broker believes that acme owns what is globex's and the other way round.
    (world) => ({
      fabric: fabricYaml(world)
        .replaceAll('  acme:', '  swapped:')
        .replaceAll('  globex:', '  acme:')
        .replaceAll('  swapped:', '  globex:'),
    }),
  );
  expect(found.map(({ property }) => property)).toContain('reach');
});

test('the oracle notices a broker that forwards to the port beside the one it decided on', async () => {
  const found = await breachesWith(() => ({
    wrap: rewriting((request) =>
      request.opcode === 0x5300 || request.opcode === 0x5102
        ? Uint8Array.from(request.payload, (byte, i) => (i === 0 ? (byte + 1) & 0xff : byte))
        : request.payload,
    ),
  }));
  expect(found.map(({ property }) => property)).toContain('reach');
});

test('the oracle notices a broker that adds a foreign port to a list it narrowed', async () => {
  const found = await breachesWith((world) => ({
    wrap: rewriting((request) => {
      const [count = 0] = request.payload;
      if (request.opcode !== 0x5101) return request.payload;
      return Uint8Array.of(count + 1, ...request.payload.subarray(1), world.ports.at(-1)?.id ?? 0);
    }),
  }));
  expect(found.map(({ property }) => property)).toContain('reach');
});

test('the oracle notices a reply that is not filtered', async () => {
  const world = makeWorld(3);
  await using session = await openSession(world, 3);
  const truth = session.broker.device.emulator.execute(0x5100, new Uint8Array(0));
  const { core } = session.broker;
  // A core whose 5100h is the device's own.
  session.broker.submit = async (caller, request) => {
    const result = await core.submit(caller, 'sw0', request);
    return result.ok ? { ok: true, value: { ...result.value, payload: truth.payload } } : result;
  };
  await session.run('acme', typed({ kind: 'switch' }, 0x5100, new Uint8Array(0)));
  expect(session.breaches.map(({ property }) => property)).toContain('reply');
});

/** A backend that changes payloads on their way to the device, once the broker has started. */
function rewriting(change: (request: CciRequest) => Uint8Array): (backend: Backend) => Backend {
  return (backend) => {
    let seen = 0;
    return Object.create(backend, {
      execute: {
        value: (request: CciRequest, deadlineMs: number): Promise<CciReply> => {
          seen++;
          // The first requests are how the broker gets to know the switch.
          const payload = seen < 30 ? request.payload : change(request);
          return backend.execute({ opcode: request.opcode, payload }, deadlineMs);
        },
      },
    }) as Backend;
  };
}
