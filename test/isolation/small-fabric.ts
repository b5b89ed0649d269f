import { readFile } from 'node:fs/promises';
import type { BrokerParts } from '../support/broker-fixture.ts';
import { grantsCsv } from './world.ts';

/** The example configuration's switch and owners, with grants of everything for both tenants. */
export async function smallParts(): Promise<Pick<BrokerParts, 'fabric' | 'topology' | 'grants'>> {
  const config = new URL('../../config/', import.meta.url);
  return {
    fabric: await readFile(new URL('fabric.yaml', config), 'utf8'),
    topology: await readFile(new URL('topologies/small.yaml', config), 'utf8'),
    // Of this seed come grants on every kind of path.
    grants: new Map(['acme', 'globex'].map((tenant) => [tenant, grantsCsv(tenant, 2)])),
  };
}
