import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../../support/command-line.ts';

let directory = '';
const path = (name: string) => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-meaning-'));
  await cp('policies', path('old'), { recursive: true });
  for (const name of ['wide', 'narrow', 'bad']) await cp('policies', path(name), { recursive: true });
  const acme = await readFile('policies/tenants/acme.csv', 'utf8');
  const tenantFile = (name: string) => join(path(name), 'tenants', 'acme.csv');
  await writeFile(tenantFile('wide'), `${acme}\np, role:reader, acme, own, bind-vppb, allow\n`);
  await writeFile(tenantFile('narrow'), acme.replace(/^p, role:operator, acme, own, bind-vppb, allow\n/m, ''));
  await writeFile(tenantFile('bad'), `${acme}\np, role:reader, acme, own, bind-vppb, Allow\n`);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('cci policy diff', () => {
  it('ends with 3 when anybody may do more, and says who, what and by which row', async () => {
    const ran = await cli(['policy', 'diff', path('old'), path('wide')]);
    expect(ran).toMatchObject({ code: 3, err: '' });
    expect(ran.out).toMatch(
      /^widened {2}tenant acme: everybody\n {2}bind-vppb\n {4}on own\n {2}before: denied: no row allows it\n {2}after: {2}allowed by tenants\/acme\.csv:\d+/,
    );
    expect(ran.out).toContain('widened: somebody may do more than before');
  });

  it('ends with 0 when it is narrower, and when it is the same', async () => {
    const narrower = await cli(['policy', 'diff', path('old'), path('narrow')]);
    expect(narrower.code).toBe(0);
    expect(narrower.out).toContain('narrowed: nobody may do more than before, somebody less');
    const same = await cli(['policy', 'diff', path('old'), path('old')]);
    expect(same.code).toBe(0);
    expect(same.out).toMatch(/^equal in meaning \([0-9a-f]{12} to [0-9a-f]{12}\)\n$/);
  });

  it('counts ownership: another fabric file for the same rows', async () => {
    const fabric = path('fabric.yaml');
    const text = await readFile('config/fabric.yaml', 'utf8');
    await writeFile(fabric, text.replace('      - /switches/sw0/ports/4\n', ''));
    const ran = await cli(['policy', 'diff', path('old'), path('old'), '--old-fabric', fabric]);
    expect(ran.code).toBe(3);
    expect(ran.out).toContain("before: denied: it is not the tenant's");
    expect((await cli(['policy', 'diff', path('old'), path('old'), '--fabric', fabric])).code).toBe(0);
  });

  it('tells of mandatory rows', async () => {
    const file = join(path('narrow'), 'mandatory.csv');
    await writeFile(
      file,
      `${await readFile('policies/mandatory.csv', 'utf8')}p2, T20, *, J, *, *, *, *, bind-vppb if mutating, deny, not after that\n`,
    );
    const ran = await cli(['policy', 'diff', path('old'), path('narrow')]);
    expect(ran.out).toMatch(/narrowed {2}mandatory row T20 \(mandatory\.csv:\d+\): not after that\n/);
    expect(ran.out).toMatch(
      /profile host; lockdown none or integrity; taint J; reach own or cross-tenant; if mutating\n/,
    );
  });

  it('gives tools the same as JSON', async () => {
    const ran = await cli(['policy', 'diff', path('old'), path('wide'), '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({
      widened: true,
      grants: [{ kind: 'widened', tenant: 'acme', commands: ['bind-vppb'], resources: ['own'] }],
    });
  });

  it('ends with 1 for a policy that no broker would load, with 2 for half a command line', async () => {
    const ran = await cli(['policy', 'diff', path('old'), path('bad')]);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(/tenants\/acme\.csv:\d+:\d+: `Allow` is not an effect/);
    expect((await cli(['policy', 'diff', path('old')])).code).toBe(2);
  });
});

describe('cci policy matrix', () => {
  it('is a table for people', async () => {
    const ran = await cli(['policy', 'matrix', path('old'), '--tenant', 'globex']);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/^tenant globex\nWHO +COMMANDS +ON +BY\neverybody +may +class:allowlisted/);
    expect(ran.out).not.toContain('tenant acme');
  });

  it('is a page that loads nothing, runs nothing and escapes everything', async () => {
    const file = path('matrix.html');
    const ran = await cli([
      'policy',
      'matrix',
      path('old'),
      '--html',
      file,
      '--command',
      'bind-vppb',
      '--resource',
      '/switches/sw0/*',
    ]);
    expect(ran).toMatchObject({ code: 0, out: '' });
    expect(ran.err).toContain('wrote ');
    const page = await readFile(file, 'utf8');
    expect(page).toMatch(/^<!DOCTYPE html>\n<html lang="en">/);
    expect(page).toContain(
      `http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"`,
    );
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\ssrc=|url\(|@import|\son[a-z]+=/i);
    expect([...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([
      '#tenant-acme',
      '#tenant-fabric',
      '#tenant-globex',
    ]);
    for (const tag of ['table', 'tbody', 'tr', 'td', 'th', 'ul', 'li', 'code', 'section', 'main', 'header']) {
      expect([tag, page.split(new RegExp(`<${tag}[ >]`)).length]).toEqual([tag, page.split(`</${tag}>`).length]);
    }
    expect(page).toContain('command <code>bind-vppb</code>');
    const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('is JSON, also beside a page', async () => {
    const ran = await cli(['policy', 'matrix', path('old'), '--json', '--html', path('other.html')]);
    expect(JSON.parse(ran.out)).toMatchObject({ profile: 'host', without: [], rows: expect.any(Array) });
  });

  it('refuses filters that name nothing, and pages that can not be written', async () => {
    expect(await cli(['policy', 'matrix', '--tenant', 'acmee'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean `acme`?'),
    });
    expect((await cli(['policy', 'matrix', '--command', 'bind-vpb'])).code).toBe(2);
    expect((await cli(['policy', 'matrix', '--html', path('no/such/dir.html')])).code).toBe(1);
  });
});

describe('cci policy query', () => {
  it('says yes with somebody who can, and ends with 0', async () => {
    const ran = await cli([
      'policy',
      'query',
      'can globex ever bind-vppb on /switches/sw0/ports/4',
      '--policy',
      path('old'),
    ]);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toMatch(/^yes, in profile host:\n {2}who {6}group:.*#operators of globex, with role:operator/);
    expect(ran.out).toContain('needs    a token with scope cci:config');
  });

  it('says no with what stands against it, and ends with 3', async () => {
    const ran = await cli('policy query can acme ever bind-vppb on /switches/sw0/ports/4'.split(' '));
    expect(ran).toMatchObject({
      code: 3,
      err: '',
      out: 'no, in profile host:\n  /switches/sw0/ports/4 belongs to globex: no row can give it to acme\n',
    });
  });

  it('lists who can, and says when nobody can', async () => {
    const all = await cli(['policy', 'query', 'who can unbind-vppb on /switches/sw0/ports/2']);
    expect(all.out).toMatch(/#operators of acme, with role:operator/);
    expect((await cli(['policy', 'query', 'who can freeze-security-state on /switches/sw0/ports/2'])).out).toMatch(
      /^nobody, /,
    );
  });

  it('gives tools the same as JSON', async () => {
    const ran = await cli(['policy', 'query', 'can acme identify on /switches/sw0', '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({
      yes: true,
      profile: 'host',
      witnesses: [{ tenant: 'acme', names: [] }],
    });
  });

  it('ends with 2 for what is no question, with help, and with 1 for a policy that does not load', async () => {
    expect(await cli(['policy', 'query', 'may acme bind'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('who can COMMAND on RESOURCE'),
    });
    expect((await cli(['policy', 'query', 'can acme identify on /switches/sw0', '--policy', path('bad')])).code).toBe(
      1,
    );
  });
});
