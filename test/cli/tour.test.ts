import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cli, type Ran, words } from '../support/command-line.ts';

// The tour of the README, with the shipped configuration and a broker of its own.

const told = new AbortController();
let state = '';
let url = '';
let serving: Promise<Ran>;
const tokens: { [who: string]: string } = {};

const as = (who: string, line: string): Promise<Ran> =>
  cli(words(line), { env: { CCI_URL: url, CCI_TOKEN: tokens[who] ?? '' } });
const rows = (table: string): readonly string[] => table.trimEnd().split('\n').slice(1);

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), 'cci-tour-'));
  const listening = Promise.withResolvers<void>();
  serving = cli(['serve', '--port', '0', '--state-directory', state], {
    told: told.signal,
    onErr: (text) => {
      url = /listening\s+(\S+)/.exec(text)?.[1] ?? url;
      if (url !== '') listening.resolve();
    },
  });
  await Promise.race([listening.promise, serving.then(({ err }) => Promise.reject(new Error(err)))]);
  for (const [who, line] of [
    ['alice', '--tenant acme --subject alice --group operators --scope "cci:read cci:config"'],
    ['gwen', '--tenant globex --subject gwen --group operators --scope "cci:read cci:config"'],
    ['oscar', '--tenant fabric --subject oscar --group operators --scope "cci:read cci:config cci:posture cci:policy"'],
  ] as const) {
    const issued = await cli(words(`token issue --state-directory ${state} ${line}`));
    tokens[who] = issued.out.trim();
  }
});
afterAll(async () => {
  told.abort();
  expect((await serving).code).toBe(0);
  await rm(state, { recursive: true, force: true });
});

it('the broker says in one block what it serves, what is in force, and what to try next', async () => {
  // Written to stderr while it runs; `serving` ends only with the broker.
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(200);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('cci_edge_http_requests_total');
});

it('acme sees its own ports, virtual switch and LDs, and nothing of globex', async () => {
  expect((await as('alice', 'whoami')).out).toContain('tenant     acme');
  const ports = rows((await as('alice', 'show ports')).out);
  expect(ports.map((row) => Number(row.trim().split(/\s+/)[0]))).toEqual([0, 2]);
  expect(rows((await as('alice', 'show vcs')).out)).toHaveLength(4);
  const lds = rows((await as('alice', 'show lds')).out).map((row) => row.trim().split(/\s+/).slice(0, 2).join('/'));
  expect(lds).toEqual(['3/0', '3/1']);
  const theirs = rows((await as('gwen', 'show lds')).out).map((row) => row.trim().split(/\s+/).slice(0, 2).join('/'));
  expect(theirs).toEqual(['3/2', '3/3']);
});

it('acme binds and unbinds its own LD, and is told of the operation', async () => {
  const can = await as('alice', 'can bind-vppb --vcs-id 0 --vppb-id 3 --physical-port-id 3 --ld-id 1');
  expect(can.code).toBe(0);
  const bound = await as('alice', 'run bind-vppb --vcs-id 0 --vppb-id 3 --physical-port-id 3 --ld-id 1 --wait');
  expect(bound.err).toContain('ended: success');
  expect(bound.code).toBe(0);
  expect((await as('alice', 'show vcs')).out).toMatch(/\n +0 +enabled +0 +3 +bound-to-ld +3 +1\n/);
  expect((await as('alice', 'show operations')).out).toContain('bind-vppb');
  const line = 'run unbind-vppb --vcs-id 0 --vppb-id 3 --option wait-for-link-down --wait';
  expect((await as('alice', line)).code).toBe(0);
  expect((await as('alice', 'show vcs')).out).toMatch(/\n +0 +enabled +0 +3 +unbound +- +-\n/);
});

it("what is globex's looks to acme like what does not exist, to `run` and to `can`", async () => {
  const foreign = await as('alice', 'run unbind-vppb --vcs-id 1 --vppb-id 0 --option wait-for-link-down');
  const absent = await as('alice', 'run unbind-vppb --vcs-id 77 --vppb-id 0 --option wait-for-link-down');
  const withoutId = ({ code, out, err }: Ran) => ({ code, out, err: err.replace(/request [\w-]+/, '') });
  expect(foreign.code).toBe(3);
  expect(withoutId(foreign)).toEqual(withoutId(absent));
  expect((await as('alice', 'can get-ld-info --via port:7')).code).toBe(3);
});

it('nobody gets a raw command through the shipped configuration', async () => {
  for (const who of ['alice', 'oscar']) expect((await as(who, 'raw 0xc010')).code).toBe(3);
});

it('an operator raises the lockdown, a tenant does not', async () => {
  expect((await as('alice', 'lockdown raise integrity')).code).toBe(3);
  expect((await as('oscar', 'lockdown raise integrity --reason tour')).code).toBe(0);
  expect((await as('alice', 'show lockdown')).out).toMatch(/\nsw0 +integrity /);
});

it('a broken token, and none, are refused with one sentence', async () => {
  tokens.mallory = `${tokens.alice}x`;
  for (const who of ['mallory', 'nobody']) {
    const ran = await as(who, 'whoami');
    expect(ran.code).toBe(3);
    expect(ran.err).toMatch(/^cci: .+\(EAUTH, request .+\)\n {2}next: .+\n$/);
  }
});

it('the journal has all of it, in one chain', async () => {
  const verified = await cli(words(`audit verify --state-directory ${state}`));
  expect(verified).toMatchObject({ code: 0 });
  expect(verified.out).toMatch(/^intact: \d+ records, one unbroken chain\n/);
  const tail = await cli(words(`audit tail -n 200 --json --state-directory ${state}`));
  const records = tail.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const bind = records.find(({ kind, command }) => kind === 'intent' && command === 'bind-vppb');
  expect(bind).toMatchObject({ tenant: 'acme', verdict: 'allow' });
  const shown = await cli(words(`audit show ${bind.requestId} --state-directory ${state}`));
  expect(shown.out).toContain('done: 0001h');
});
