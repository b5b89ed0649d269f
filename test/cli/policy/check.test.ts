import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cli } from '../../support/command-line.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-policy-'));
  await cp('policies', directory, { recursive: true });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const tenantFile = () => join(directory, 'tenants', 'acme.csv');

describe('cci policy check', () => {
  it('says what the shipped policies are, without a broker', async () => {
    const ran = await cli(['policy', 'check']);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/in order, snapshot [0-9a-f]{12}/);
    expect(ran.out).toContain('3 tenants');
  });

  it('names every mistake with its place and what to write instead, and ends with 1', async () => {
    const text = await readFile(tenantFile(), 'utf8');
    await writeFile(tenantFile(), `${text}p, role:reader, acme, own, bind-vpb, alow\np, reader, acme, own\n`);
    const ran = await cli(['policy', 'check', directory]);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/tenants\/acme\.csv:\d+:\d+: .*bind-vpb/);
    expect(ran.out).toContain('alow');
    expect(ran.out).toContain('help:');
    expect(ran.err).toContain('mistakes');
  });

  it('gives tools the same as JSON', async () => {
    expect(JSON.parse((await cli(['policy', 'check', directory, '--json'])).out)).toMatchObject({
      ok: true,
      tenants: 3,
    });
    await writeFile(tenantFile(), 'p, role:reader, acme, own, identify, Deny\n');
    const ran = await cli(['policy', 'check', directory, '--json']);
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.out)).toMatchObject({ ok: false, errors: [{ code: 'effect', line: 1 }] });
  });

  it('refuses a loosened shipped row in profile host, and says so in profile bmc', async () => {
    const file = join(directory, 'mandatory.csv');
    await writeFile(file, (await readFile(file, 'utf8')).replace(/^p2, T1,.*\n/m, ''));
    expect((await cli(['policy', 'check', directory])).code).toBe(1);
    const ran = await cli(['policy', 'check', directory, '--profile', 'bmc']);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('loosened shipped rows: T1');
  });

  it('reports the mistakes of the fabric file first', async () => {
    const fabric = join(directory, '..', `fabric-${process.pid}.yaml`);
    await writeFile(fabric, 'switches: {}\ntenants: [acme]\n');
    const ran = await cli(['policy', 'check', directory, '--fabric', fabric]);
    await rm(fabric);
    expect(ran.code).toBe(1);
    expect(ran.out).toContain('help:');
  });

  it('asks what a reviewer would ask, ends with 0 all the same, and with 1 under --strict-warnings', async () => {
    const text = await readFile(tenantFile(), 'utf8');
    await writeFile(tenantFile(), `${text}p, role:reader, acme, own, bind-vppb, allow\n`);
    const ran = await cli(['policy', 'check', directory]);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/tenants\/acme\.csv:\d+:28: grant-to-everybody: .*\n {2}help: /);
    expect(ran.out).toContain('loads, with 2 questions for its reviewer');
    expect((await cli(['policy', 'check', directory, '--strict-warnings'])).code).toBe(1);
    const json = await cli(['policy', 'check', directory, '--strict-warnings', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({
      ok: false,
      findings: expect.arrayContaining([expect.objectContaining({ code: 'grant-to-everybody', level: 'warning' })]),
      silenced: expect.arrayContaining([expect.objectContaining({ silenced: expect.any(String) })]),
    });
  });

  it('takes a silencing comment, lists it when asked, and ends with 1 for one that is malformed', async () => {
    const shown = await cli(['policy', 'check', directory, '--show-silenced', '--strict-warnings']);
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/grant-reaches-others: .*\n {2}silenced: /);
    const text = await readFile(tenantFile(), 'utf8');
    await writeFile(tenantFile(), `${text}# cci:allow redundant\n`);
    const ran = await cli(['policy', 'check', directory]);
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(/malformed-silencer: .*\n.*\n.*loads, with 1 question for its reviewer/);
  });

  it('prints nothing that a terminal would obey', async () => {
    await writeFile(tenantFile(), 'p, role:\u001b[31mreader, acme, own, identify, allow\n');
    const ran = await cli(['policy', 'check', directory]);
    expect(ran.code).toBe(1);
    expect(ran.out).not.toContain('\u001b');
  });
});
