import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../../support/command-line.ts';
import { type Broker, startTestBroker } from '../../support/running-broker.ts';

let directory = '';
let journal = '';
const path = (name: string) => join(directory, name);

/** What a real broker has written about three callers. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-past-'));
  const broker: Broker = await startTestBroker('config/broker.yaml', {}, path('state'));
  journal = path('state/journal');
  const submit = async (tenant: string, groups: readonly string[], command: string, params: object = {}) => {
    const token = await broker.token({ tenant, subject: 'alice', groups });
    await broker.core.submit({ token, source: '127.0.0.1:1' }, 'sw0', { kind: 'named', command, params });
  };
  const bind = { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 };
  await submit('acme', [], 'bind-vppb', bind);
  await submit('acme', ['operators'], 'bind-vppb', bind);
  await submit('acme', [], 'get-physical-port-state', { port_id_list: [2] });
  await submit('globex', ['operators'], 'bind-vppb', bind);
  await broker.close();
  for (const name of ['same', 'wide', 'narrow']) await cp('policies', path(name), { recursive: true });
  const acme = await readFile('policies/tenants/acme.csv', 'utf8');
  const without = acme.replace(/^p, role:operator, acme, own, bind-vppb, allow\n/m, '');
  await writeFile(path('narrow/tenants/acme.csv'), without);
  await writeFile(path('wide/tenants/acme.csv'), `${without}\np, role:reader, acme, own, bind-vppb, allow\n`);
  await writeFile(path('same/tenants/acme.csv'), `${acme}\n# another file, the same meaning\n`);
}, 60_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

const replay = (policy: string, ...more: string[]) =>
  cli(['policy', 'replay', '--journal', journal, '--policy', policy === 'policies' ? policy : path(policy), ...more]);

describe('cci policy replay', () => {
  it('ends with 0 when nothing flips', async () => {
    expect(await replay('same')).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringMatching(/4 decisions replayed.*\nnothing flips\n$/s),
    });
    expect((await replay('policies')).out).toContain('were taken with this very policy');
  });

  it('ends with 1 when only past commands would be denied, and tells each', async () => {
    const ran = await replay('narrow');
    expect(ran.code).toBe(1);
    expect(ran.out).toMatch(
      /^\d+ \S+Z [0-9a-f-]{36} allow -> deny\n {2}user:\S+#alice of acme: bind-vppb on .*\n {2}nothing grants it on/,
    );
    expect(ran.out).toContain('1 past command would be denied, no past denial allowed');
  });

  it('ends with 3 when a past denial would be allowed', async () => {
    const ran = await replay('wide');
    expect(ran.code).toBe(3);
    expect(ran.out).toMatch(/deny -> allow/);
    expect(ran.out).toContain('1 past denial would be allowed');
  });

  it('gives tools one object a line, the summary last', async () => {
    const lines = (await replay('wide', '--json')).out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.at(0)).toMatchObject({ flip: { before: 'deny', after: 'allow', command: 'bind-vppb' } });
    expect(lines.at(-1)).toMatchObject({ summary: { records: 4, replayed: 4, widened: 1, unreadable: 0 } });
  });

  it('draws a bar on a terminal and takes it away again', async () => {
    const many = path('many');
    await mkdir(many);
    const [line] = (await readFile(join(journal, 'journal-000001.jsonl'), 'utf8'))
      .split('\n')
      .filter((text) => text.includes('"intent"'));
    const texts = Array.from({ length: 4001 }, (_, i) => String(line).replace(/"seq":\d+/, `"seq":${i + 1}`));
    await writeFile(join(many, 'journal-000001.jsonl'), `${texts.join('\n')}\n`);
    const ran = await cli(['policy', 'replay', '--journal', many, '--policy', path('same')], { terminal: true });
    expect(ran.err).toMatch(/\r\[#+\.*\] +\d+% [\d,]+/);
    expect(ran.err.endsWith('\r\u001b[K')).toBe(true);
    expect((await cli(['policy', 'replay', '--journal', many, '--policy', path('same')])).err).toBe('');
  });

  it('says what it could not replay', async () => {
    const old = path('old');
    await mkdir(old);
    const text = await readFile(join(journal, 'journal-000001.jsonl'), 'utf8');
    const strip = (line: string) => line.replace(/"conditions":\[[^\]]*\],/, '');
    await writeFile(join(old, 'journal-000001.jsonl'), `${text.split('\n').map(strip).join('\n')}not json\n`);
    const ran = await cli(['policy', 'replay', '--journal', old, '--policy', path('narrow')]);
    expect(ran.code).toBe(0);
    expect(ran.out).toContain("4 records can't be replayed: written before the journal held all facts");
    expect(ran.err).toContain('1 line of the journal');
  });

  it('ends with 1 for a journal that is not there', async () => {
    const ran = await cli(['policy', 'replay', '--journal', path('nowhere')]);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toContain('--journal');
  });
});

describe('cci policy learn', () => {
  const learn = (...more: string[]) => cli(['policy', 'learn', '--journal', journal, '--tenant', 'acme', ...more]);

  it('prints rows that the loader takes, with their use', async () => {
    const ran = await learn();
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('p, role:learned-operators, acme, /switches/sw0/ports/3/lds/1, bind-vppb, allow\n');
    expect(ran.out).toContain('# once by 1 caller, last ');
    expect(ran.err).toMatch(/3 grants for 2 names; \d+ rows of the policy decided nothing/);
    await cp('policies', path('learned'), { recursive: true });
    await writeFile(path('learned/tenants/acme.csv'), ran.out);
    expect((await cli(['policy', 'check', path('learned')])).code).toBe(0);
    expect((await replay('learned')).code).toBe(0);
    expect(await cli(['policy', 'diff', 'policies', path('learned')])).toMatchObject({
      code: 0,
      out: expect.stringContaining('narrowed: nobody may do more'),
    });
  });

  it('folds as far as it is told', async () => {
    expect((await learn('--generalize', '1000')).out).toContain('# A row may give up to 1000 pairs');
    expect((await learn('--generalize', 'many')).code).toBe(2);
  });

  it('gives tools the same as JSON', async () => {
    const found = JSON.parse((await learn('--json')).out);
    expect(found).toMatchObject({
      tenant: 'acme',
      roles: expect.any(Array),
      csv: expect.stringContaining('role:learned-'),
    });
  });

  it('refuses tenants that are not there or have used nothing', async () => {
    expect((await cli(['policy', 'learn', '--journal', journal, '--tenant', 'acmee'])).code).toBe(2);
    expect(await cli(['policy', 'learn', '--journal', journal, '--tenant', 'globex'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('`globex`'),
    });
    expect((await cli(['policy', 'learn', '--journal', journal])).code).toBe(2);
  });
});
