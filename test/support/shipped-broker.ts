import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandRequest, Credential } from '../../src/broker/core-api.ts';
import { type BrokerFixture, type BrokerParts, startBrokerFixture } from './broker-fixture.ts';
import { HookedBackend } from './hooked-backend.ts';

const shipped = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The fabric, topology and grants of the example configuration. */
export const shippedParts: BrokerParts = {
  fabric: shipped('config/fabric.yaml'),
  topology: shipped('config/topologies/small.yaml'),
  grants: new Map(['acme', 'globex', 'fabric'].map((tenant) => [tenant, shipped(`policies/tenants/${tenant}.csv`)])),
};

export interface ShippedBroker {
  readonly broker: BrokerFixture;
  readonly device: HookedBackend;
  /** An operator of acme, one of globex, and one of the fabric. */
  readonly alice: Credential;
  readonly bob: Credential;
  readonly olga: Credential;
}

/** The example configuration with a hook between broker and switch. Close `broker` in the end. */
export async function startShippedBroker(more: Partial<BrokerParts> = {}): Promise<ShippedBroker> {
  const hooked: HookedBackend[] = [];
  const broker = await startBrokerFixture({
    ...shippedParts,
    ...more,
    wrap: (backend) => {
      const between = new HookedBackend(backend);
      hooked.push(between);
      return between;
    },
  });
  const [device] = hooked;
  if (device === undefined) throw new Error('no backend');
  return {
    broker,
    device,
    alice: await broker.credential('acme', { subject: 'alice', groups: ['operators'] }),
    bob: await broker.credential('globex', { subject: 'bob', groups: ['operators'] }),
    olga: await broker.credential('fabric', {
      subject: 'olga',
      groups: ['fabric-admins'],
      scopes: ['cci:read', 'cci:config', 'cci:debug-write', 'cci:raw', 'cci:posture', 'cci:policy'],
    }),
  };
}

/** acme binds its own free LD to its own free vPPB. */
export const bindOwn: CommandRequest = {
  kind: 'named',
  command: 'bind-vppb',
  params: { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 },
};

/** The records of a fixture's journal, oldest first, without the checkpoints that the journal makes for itself. */
export async function journalOf(broker: BrokerFixture): Promise<readonly { readonly [key: string]: unknown }[]> {
  await broker.flushJournal();
  const folder = join(broker.directory, 'state', 'journal');
  const names = (await readdir(folder)).filter((file) => file.endsWith('.jsonl')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts
    .join('')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind !== 'checkpoint');
}
