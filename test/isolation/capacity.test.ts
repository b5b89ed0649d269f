import { expect, test } from 'vitest';
import type { CommandAnswer, CommandRequest, CoreResult, Credential } from '../../src/broker/core-api.ts';
import type { BrokerFixture } from '../support/broker-fixture.ts';
import { startBrokerFixture } from '../support/broker-fixture.ts';
import { tagOf } from './commands.ts';
import { compareWorlds } from './two-worlds.ts';
import { fabricYaml, grantsCsv, topologyYaml, type World } from './world.ts';

// One MLD with dynamic capacity behind port 2: acme has LDs 0 and 1 of it, globex LDs 2 and 3.
const world: World = {
  serial: 0x5eed_ffff,
  tenants: ['acme', 'globex'],
  ports: [
    { id: 0, role: 'usp', listedLds: 0, ldOwners: [], owner: 'acme' },
    { id: 1, role: 'usp', listedLds: 0, ldOwners: [], owner: 'globex' },
    {
      id: 2,
      role: 'dsp',
      listedLds: 4,
      ldOwners: ['acme', 'acme', 'globex', 'globex'],
      device: { kind: 'mld', serial: 0x5eed_0002, lds: 4, sizes: [1, 1, 1, 1], dynamic: true },
    },
    {
      id: 3,
      role: 'dsp',
      listedLds: 0,
      ldOwners: [],
      owner: 'acme',
      device: { kind: 'sld', serial: 0x5eed_0003, lds: 0, sizes: [], dynamic: true },
    },
  ],
  vcss: [
    { id: 0, usp: 0, vppbs: 2, listedVppbs: 2, owner: 'acme', bindings: [{ vppb: 0, port: 2, ld: 0 }] },
    { id: 1, usp: 1, vppbs: 2, listedVppbs: 2, owner: 'globex', bindings: [{ vppb: 0, port: 2, ld: 2 }] },
  ],
};
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const mine = hex(tagOf('acme', 0));

function broker(): Promise<BrokerFixture> {
  return startBrokerFixture({
    fabric: fabricYaml(world),
    topology: topologyYaml(world),
    grants: new Map(world.tenants.map((tenant) => [tenant, grantsCsv(tenant, 2)])),
  });
}

const at = (command: string, params: object, via = 'port:2'): CommandRequest => ({
  kind: 'named',
  command,
  params,
  via,
});
const add = (host: number, tag: string, via?: string, policy = 'free', region = 1) =>
  at(
    'initiate-dynamic-capacity-add',
    { host_id: host, selection_policy: policy, region, length: String(1 << 28), tag },
    via,
  );
const reference = (tag: string, via?: string) => at('dynamic-capacity-add-reference', { tag }, via);
const list = (via?: string) => at('dynamic-capacity-list-tags', { starting_index: 0, max_tags: 100 }, via);

async function tagsSeen(fixture: BrokerFixture, caller: Credential, via?: string): Promise<readonly string[]> {
  const answer = await fixture.submit(caller, list(via));
  if (!answer.ok) throw new Error(answer.problem.detail);
  const { tag_information_list: found } = answer.value.result as { tag_information_list: { tag: string }[] };
  return found.map(({ tag }) => tag);
}

const done = { ok: true, value: { returnCode: 0 } } as const;
const refused = { ok: false, problem: { code: 'EPERM' } } as const;

test('a tenant adds capacity to his own host by a tag, which nobody else can see, use or give away', async () => {
  await using fixture = await broker();
  const [acme, globex] = [await fixture.credential('acme'), await fixture.credential('globex')];
  expect(await fixture.submit(acme, add(0, mine))).toMatchObject(done);
  expect(await tagsSeen(fixture, acme)).toEqual([mine]);
  expect(await tagsSeen(fixture, globex)).toEqual([]);
  expect(await fixture.submit(acme, reference(mine))).toMatchObject(done);
  for (const request of [
    reference(mine),
    add(2, mine),
    add(2, mine, 'port:2', 'enable-shared-access'),
    at('dynamic-capacity-remove-reference', { tag: mine }),
    at('initiate-dynamic-capacity-release', {
      host_id: 0,
      flags: { removal_policy: 'tag-based', forced_removal: true, sanitize_on_release: false },
      length: '0',
      tag: mine,
    }),
  ]) {
    fixture.requests.length = 0;
    expect(await fixture.submit(globex, request), JSON.stringify(request)).toMatchObject(refused);
    expect(fixture.requests).toEqual([]);
  }
  // Access for the other host of his own.
  expect(await fixture.submit(acme, add(1, mine, 'port:2', 'enable-shared-access'))).toMatchObject(done);
});

test('whose a tag is outlives the broker', async () => {
  let fixture = await broker();
  expect(await fixture.submit(await fixture.credential('acme'), add(0, mine))).toMatchObject(done);
  fixture = await fixture.restart();
  expect(await fixture.submit(await fixture.credential('globex'), reference(mine))).toMatchObject(refused);
  expect(await fixture.submit(await fixture.credential('acme'), reference(mine))).toMatchObject(done);
  await fixture.close();
});

test('a tag that is on the device without the broker knowing whose is nobody’s to take', async () => {
  await using fixture = await broker();
  const device = fixture.device.emulator;
  const payload = Buffer.concat([Buffer.from([2, 0, 0, 1, 0, 0, 0, 0x10, 0, 0, 0, 0]), tagOf('acme', 0)]);
  const head = Buffer.from([2, 0, 12 + payload.length, 0, 0, 1, 0, 0x04, 0x56, payload.length, 0, 0, 0, 0, 0, 0]);
  expect(device.execute(0x5300, Buffer.concat([head, payload])).returnCode).toBe(0);
  const acme = await fixture.credential('acme');
  expect(await fixture.submit(acme, add(0, mine))).toMatchObject(refused);
  expect(await fixture.submit(acme, reference(mine))).toMatchObject(refused);
  expect(await tagsSeen(fixture, acme)).toEqual([]);
});

test('a tag whose add the device refused is free again', async () => {
  await using fixture = await broker();
  const [acme, globex] = [await fixture.credential('acme'), await fixture.credential('globex')];
  const tooLong = at('initiate-dynamic-capacity-add', {
    host_id: 0,
    selection_policy: 'free',
    region: 7,
    length: String(1 << 28),
    tag: mine,
  });
  const answer = await fixture.submit(acme, tooLong);
  expect(answer.ok && answer.value.returnCode).not.toBe(0);
  expect(await fixture.submit(globex, add(2, mine))).toMatchObject(done);
});

test('behind a port that is all his, tenants see extents and tags as the device has them', async () => {
  await using fixture = await broker();
  const acme = await fixture.credential('acme');
  expect(await fixture.submit(acme, add(0, mine, 'port:3'))).toMatchObject(done);
  const extents = await fixture.submit(
    acme,
    at('get-dc-region-extent-lists', { host_id: 0, extent_count: 10, starting_extent_index: 0 }, 'port:3'),
  );
  expect(extents).toMatchObject({ ok: true, value: { result: { total_extent_count: 1, extents: [{ tag: mine }] } } });
  // Of the shared one, where the extents lie would tell of others.
  const shared = await fixture.submit(
    acme,
    at('get-dc-region-extent-lists', { host_id: 0, extent_count: 10, starting_extent_index: 0 }),
  );
  expect(shared).toMatchObject({ ok: false, problem: { code: 'ENOTTY' } });
});

test('more tags than one reply holds are all found', async () => {
  await using fixture = await broker();
  const [acme, globex] = [await fixture.credential('acme'), await fixture.credential('globex')];
  const tag = (number: number) => number.toString(16).padStart(4, '0').repeat(8);
  let last: CoreResult<CommandAnswer> | undefined;
  for (let i = 1; i <= 60; i++)
    last = await fixture.submit(i % 20 === 0 ? globex : acme, add(i % 20 === 0 ? 2 : 0, tag(i)));
  expect(last).toMatchObject(done);
  expect(await tagsSeen(fixture, globex)).toEqual([tag(20), tag(40), tag(60)]);
  expect(await tagsSeen(fixture, acme)).toHaveLength(57);
});

test('long sequences of commands on the shared device tell nothing of the other tenant', async () => {
  for (const tenant of world.tenants) {
    const found = await compareWorlds(world, tenant, 7, 150, { profile: 'host' });
    expect(found.differences.slice(0, 3)).toEqual([]);
    expect(found.answered / found.compared).toBeGreaterThan(0.2);
  }
}, 120_000);
