import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { loadFabric, loadPolicy, type RuleEngine } from '../../src/policy/index.ts';
import { exampleMandatory, exampleSpec, fakeEngine, fakeFabric, openGrants } from '../support/fake-policy.ts';
import { checkRow, rows } from './run-row.ts';

const root = new URL('../../', import.meta.url);
const cases = rows.map((row) => [`${row.rule}: ${row.case}`, row] as const);

describe('the table', () => {
  test('has a row for every rule R1 to R15', () => {
    const rules = new Set(rows.map(({ rule }) => rule));
    expect(Array.from({ length: 15 }, (_, i) => `R${i + 1}`).filter((rule) => !rules.has(rule))).toEqual([]);
  });

  test('links every deviation to the text that gives its reason', () => {
    const links = rows.map(({ deviation }) => deviation).filter((link) => link !== undefined);
    expect(links.filter((link) => !existsSync(new URL(link, root)))).toEqual([]);
    expect(rows.filter(({ kernel, deviation }) => deviation !== undefined && kernel === undefined)).toEqual([]);
  });
});

describe('kernel rules, with an engine of thirty lines', () => {
  const fabric = fakeFabric(exampleSpec);
  const mandatory = exampleMandatory.filter(({ id }) => id !== 'P1');

  test.each(cases)('%s', (_name, row) =>
    checkRow(row, (grants) => fakeEngine(fabric, grants ? openGrants : [], mandatory)),
  );
});

/** The example fabric of the fake engine as a file. */
const fabricFile = `
switches:
  sw0:
    ports:
      - { ids: 0-4 }
      - { ids: 5, lds: 4 }
      - { ids: 6-7 }
      - { ids: 8, lds: 2 }
    vcss:
      - { ids: 0-1, vppbs: 4 }
tenants:
  acme:
    owns: [/switches/sw0/ports/0, /switches/sw0/ports/3, /switches/sw0/ports/5/lds/0, /switches/sw0/ports/5/lds/3, /switches/sw0/ports/7, /switches/sw0/ports/8, /switches/sw0/vcss/0]
  globex:
    owns: [/switches/sw0/ports/1, /switches/sw0/ports/4, /switches/sw0/ports/5/lds/1, /switches/sw0/vcss/1]
`;

async function shippedEngine(tenantFile: string): Promise<RuleEngine> {
  const fabric = loadFabric({ text: fabricFile });
  if (!fabric.ok) throw new Error(JSON.stringify(fabric.error));
  const shipped = (name: string): Uint8Array => readFileSync(new URL(`policies/${name}`, root));
  const files = {
    'model.conf': shipped('model.conf'),
    'mandatory.csv': shipped('mandatory.csv'),
    'tenants/fabric.csv': tenantFile,
  };
  const engine = await loadPolicy({ files, fabric: fabric.value, profile: 'bmc' });
  if (!engine.ok) throw new Error(JSON.stringify(engine.error));
  return engine.value;
}

const everything = [
  'p, role:all, fabric, /switches/sw0/*, scope:<=3, allow',
  'p, role:all, fabric, /switches/sw0/*, opcode:0x0001-0xffff, allow',
  ...['set-partition-info', 'activate-fw', 'get-scan-media-capabilities'].map(
    (slug) => `p, role:all, fabric, /switches/sw0/*, ${slug}, allow`,
  ),
  'g, group:tenant/fabric, role:all, fabric',
].join('\n');

describe('kernel rules, with casbin and the shipped rows', async () => {
  const open = await shippedEngine(`${everything}\n`);
  // Not empty, which the loader refuses, but about something else.
  const closed = await shippedEngine(
    'p, role:all, fabric, /switches/sw0/ports/2, identify, allow\ng, group:tenant/fabric, role:all, fabric\n',
  );

  test.each(cases)('%s', (_name, row) => checkRow(row, (grants) => (grants ? open : closed)));
});
