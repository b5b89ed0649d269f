import { expect, test } from 'vitest';
import { startBrokerFixture } from '../support/broker-fixture.ts';
import { type Place, typed } from './commands.ts';
import { openSession } from './session.ts';
import { smallParts } from './small-fabric.ts';
import { plain } from './two-worlds.ts';
import { makeWorld } from './world.ts';

const SWITCH: Place = { kind: 'switch' };
const named = (place: Place, opcode: number, ...payload: number[]) =>
  typed(place, opcode, Uint8Array.from(payload)).request;

test.each([
  ['port states', named(SWITCH, 0x5101, 1, 4)],
  ['VCSs', named(SWITCH, 0x5200, 0, 255, 1, 1)],
  ['LD allocations', named({ kind: 'port', port: 3 }, 0x5401, 2, 2)],
  ['allocated bandwidth', named({ kind: 'port', port: 3 }, 0x5406, 2, 2)],
  ['bandwidth limits', named({ kind: 'port', port: 3 }, 0x5408, 2, 2)],
] as const)(
  'a read of %s that are all foreign is an empty success, not a taint that freezes the others',
  async (_name, request) => {
    await using broker = await startBrokerFixture(await smallParts());
    const result = await broker.submit(await broker.credential('acme'), request);
    expect(result).toMatchObject({ ok: true, value: { returnCode: 0 } });
    const bind = named(SWITCH, 0x5201, 1, 2, 3, 0, 3, 0);
    expect(await broker.submit(await broker.credential('globex'), bind)).toMatchObject({ ok: true });
  },
);

test('a vPPB of his that a foreign port is bound to is shown as unbound', async () => {
  // In this world VCS 0 of acme has port 2 bound, which is not his.
  const world = makeWorld(1);
  await using session = await openSession(world, 1);
  const attempt = typed(SWITCH, 0x5200, Uint8Array.of(0, 255, 1, 0));
  expect(await session.run('acme', attempt)).toMatchObject({ ok: true, value: { returnCode: 0 } });
  expect(session.breaches).toEqual([]);
});

test('a refusal does not tell whether another tenant has used the shared device before', async () => {
  const answers: string[] = [];
  for (const isUsed of [false, true]) {
    await using broker = await startBrokerFixture(await smallParts());
    if (isUsed) {
      const globex = await broker.credential('globex');
      await broker.submit(globex, named({ kind: 'ld', port: 3, ld: 2 }, 0x0001));
    }
    const raw = { kind: 'raw', opcode: 0x4102, payload: new Uint8Array(8), via: 'port:3/ld:0' } as const;
    answers.push(plain(await broker.submit(await broker.credential('acme'), raw)));
  }
  expect(answers[1]).toBe(answers[0]);
});

test('his LD is not sanitized under a host that the fabric file does not know', async () => {
  const parts = await smallParts();
  // VCS 1, which uses LD 2 of port 3, is left out of the file, and that LD is acme's.
  const fabric = parts.fabric
    .replace('- { ids: 0-1, vppbs: 4 }', '- { ids: 0, vppbs: 4 }')
    .replace(/ {6}- \/switches\/sw0\/vcss\/1\n/, '')
    .replace(/ {6}- \/switches\/sw0\/ports\/3\/lds\/2\n/, '')
    .replace('      - /switches/sw0/ports/3/lds/1\n', '$&      - /switches/sw0/ports/3/lds/2\n');
  await using broker = await startBrokerFixture({ ...parts, fabric });
  const sanitize = named({ kind: 'ld', port: 3, ld: 2 }, 0x4400);
  expect(await broker.submit(await broker.credential('acme'), sanitize)).toMatchObject({ ok: false });
});
