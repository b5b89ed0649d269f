import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { edgeAccount } from '../../src/cli/edge-account.ts';
import { cli } from '../support/command-line.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A copy of what comes with the project, to be spoilt. */
function copy(): { readonly file: string; change(change: (text: string) => string, file?: string): void } {
  const directory = mkdtempSync(join(tmpdir(), 'cci-check-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const folder of ['config', 'policies']) cpSync(join(root, folder), join(directory, folder), { recursive: true });
  mkdirSync(join(directory, 'config', 'journal'));
  return {
    file: join(directory, 'config', 'broker.yaml'),
    change: (change, file = 'config/broker.yaml') => {
      const path = join(directory, file);
      writeFileSync(path, change(readFileSync(path, 'utf8')));
    },
  };
}

const check = (file: string) => cli(['serve', '--check-config', '--config', file]);

test('a configuration in order says what it is, starts nothing and writes nothing', async () => {
  const { file } = copy();
  const ran = await check(file);
  expect(ran).toMatchObject({ code: 0, err: '' });
  expect(ran.out).toContain('is in order; nothing was started');
  expect(ran.out).toMatch(/policy: \d+ grants of /);
  expect(ran.out).toContain('switch sw0: backend emulator, not opened');
  expect(existsSync(join(file, '../../var'))).toBe(false);
});

test('problems of configuration, policy, issuers, keys, certificates and topology are told together', async () => {
  const { file, change } = copy();
  change((text) =>
    text
      .replace(
        'host: 127.0.0.1\n  port: 8420',
        'host: 127.0.0.1\n  port: 8420\n  tls: { certificate: a.pem, key: a.key }',
      )
      .replace(
        'issuers:\n',
        'issuers:\n  - { issuer: "https://i.example", audience: a, algorithms: [EdDSA], jwks_file: no.json }\n',
      )
      .concat('\nraw_allow_all: true\njournal: { signing_key: journal/none.pem }\n'),
  );
  change((text) => `${text}\np, nobody, acme, own, set:nothing, allow\n`, 'policies/tenants/acme.csv');
  change((text) => text.replace(/role: usp/, 'role: up'), 'config/topologies/small.yaml');
  const ran = await check(file);
  expect(ran.code).toBe(1);
  expect(ran.out).toBe('');
  for (const expected of [
    '`raw_allow_all` means nothing',
    'policy: tenants/acme.csv:',
    'issuer `https://i.example`',
    'journal: the signing key',
    '`http.tls` cannot be used',
    'switch sw0: ',
  ]) {
    expect(ran.err).toContain(expected);
  }
});

test('a file that is not well formed is all that is looked at', async () => {
  const { file, change } = copy();
  change((text) => text.replace('raw_commands', 'raw_comands'));
  const ran = await check(file);
  expect(ran.code).toBe(1);
  expect(ran.err).toContain('has one problem');
  expect(ran.err).toContain('`raw_comands` is not a known key');
});

test('a file that is not there is a problem, not a crash', async () => {
  expect(await check('/nowhere/broker.yaml')).toMatchObject({ code: 1, out: '' });
});

test.runIf(process.getuid?.() === 0)('a user for the edge who is not there is told before it is started', async () => {
  const { file, change } = copy();
  change((text) => text.concat('\nedge: { process: separate, user: nobody-of-this-machine }\n'));
  const ran = await check(file);
  expect(ran.code).toBe(1);
  expect(ran.err).toContain('there is no user `nobody-of-this-machine`');
  change((text) => text.replace('nobody-of-this-machine', '4711:4711'));
  expect(await check(file)).toMatchObject({ code: 0, err: '' });
});

test.runIf(process.getuid?.() === 0)('the edge does not become root under another name', () => {
  expect(() => edgeAccount('toor', (name) => ({ name, uid: 0, gid: 0 }))).toThrow(/`toor` is root/);
  expect(edgeAccount('nobody', (name) => ({ name, uid: 65_534, gid: 65_534 }))?.uid).toBe(65_534);
});
