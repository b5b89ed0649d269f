import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { loadConfig, parseConfig } from '../../../src/broker/config/index.ts';

const template = readFileSync(new URL('../../../config/production.yaml', import.meta.url), 'utf8');

/** A machine's /etc with everything that the template names, as it should be. */
function installed(): string {
  const root = mkdtempSync(join(tmpdir(), 'cci-production-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['tls', 'journal', 'policies', 'policies/tenants', 'state']) {
    mkdirSync(join(root, folder), { mode: folder === 'state' ? 0o700 : 0o755 });
  }
  for (const [file, mode] of [
    ['fabric.yaml', 0o644],
    ['tls/server.pem', 0o644],
    ['tls/server.key', 0o600],
    ['journal/signing.pem', 0o600],
    ['policies/mandatory.csv', 0o644],
    ['policies/tenants/acme.csv', 0o644],
  ] as const) {
    writeFileSync(join(root, file), '', { mode });
    chmodSync(join(root, file), mode);
  }
  writeFileSync(join(root, 'broker.yaml'), template.replace('/var/lib/cci-broker', 'state'), { mode: 0o644 });
  return root;
}

async function problemsOf(root: string): Promise<string> {
  const loaded = await loadConfig(join(root, 'broker.yaml'));
  return loaded.ok ? '' : loaded.problems.map(({ line, message }) => `${line}: ${message}`).join('\n');
}

test('the template that comes with the project is accepted', async () => {
  const parsed = parseConfig(template, '/etc/cci-broker/broker.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  expect(await problemsOf(installed())).toBe('');
});

test('all that is wrong is said at once: the file, the modes, what is missing', async () => {
  const root = installed();
  chmodSync(join(root, 'tls/server.key'), 0o644);
  chmodSync(join(root, 'policies'), 0o777);
  chmodSync(join(root, 'policies/tenants/acme.csv'), 0o664);
  chmodSync(join(root, 'fabric.yaml'), 0o666);
  chmodSync(join(root, 'state'), 0o755);
  rmSync(join(root, 'journal/signing.pem'));
  const file = join(root, 'broker.yaml');
  const text = readFileSync(file, 'utf8')
    .replace('raw_commands: off', 'raw_commands: taints-this-switch')
    .replace('issuers:\n', 'issuers:\n  - kind: development\n')
    .replace('  # sinks:', '  sinks: [{ kind: syslog, transport: tcp, host: logs.example.org, port: 601 }]');
  writeFileSync(file, text);
  const problems = await problemsOf(root);
  for (const expected of [
    'cannot turn raw commands on',
    'development issuer is not for production',
    'records go to `logs.example.org` in plain text',
    `\`${join(root, 'tls/server.key')}\` is open to others: run \`chmod 0600\` on it`,
    `\`${join(root, 'policies')}\` can be changed by others: run \`chmod go-w\` on it`,
    `\`${join(root, 'policies/tenants/acme.csv')}\` can be changed by others`,
    `\`${join(root, 'fabric.yaml')}\` can be changed by others`,
    `\`${join(root, 'state')}\` is open to others: run \`chmod 0700\` on it`,
    `\`${join(root, 'journal/signing.pem')}\` cannot be read`,
  ]) {
    expect(problems).toContain(expected);
  }
  expect(problems).not.toContain('server.pem');
});

test('a journal without a key of its own, and records over http, are not for production', async () => {
  const root = installed();
  const file = join(root, 'broker.yaml');
  const text = readFileSync(file, 'utf8').replace(/ {2}signing_key: .*\n/, '');
  writeFileSync(
    file,
    text.replace('  # sinks:', '  sinks: [{ kind: otlp, url: "http://[2001:db8::1]:4318/v1/logs" }]'),
  );
  const problems = await problemsOf(root);
  expect(problems).toContain('name `journal.signing_key`');
  expect(problems).toContain('records go to `2001:db8::1` in plain text: use https');
  writeFileSync(file, text.replace(/\njournal:[\s\S]*?\nswitches:/, '\nswitches:'));
  expect(await problemsOf(root)).toContain('name `journal.signing_key`');
});

test('records to this machine itself need no TLS', async () => {
  const root = installed();
  const file = join(root, 'broker.yaml');
  const sinks =
    '  sinks: [{ kind: otlp, url: "http://127.0.0.1:4318/v1/logs" }, { kind: syslog, transport: udp, host: "::1", port: 514 }]';
  writeFileSync(file, readFileSync(file, 'utf8').replace('  # sinks:', sinks));
  expect(await problemsOf(root)).toBe('');
});

test('a folder above that others may write into is as bad as a file, a sticky one is not', async () => {
  const root = installed();
  chmodSync(root, 0o777);
  expect(await problemsOf(root)).toContain(`\`${root}\` can be changed by others`);
  chmodSync(root, 0o1777);
  expect(await problemsOf(root)).toBe('');
});

test.skipIf(process.getuid?.() !== 0)('what belongs to somebody else is not trusted', async () => {
  const root = installed();
  chownSync(join(root, 'policies/mandatory.csv'), 12345, 12345);
  chownSync(join(root, 'tls/server.key'), 12345, 12345);
  const problems = await problemsOf(root);
  expect(problems).toContain(`\`${join(root, 'policies/mandatory.csv')}\` belongs to user 12345`);
  expect(problems).toContain(`\`${join(root, 'tls/server.key')}\` belongs to user 12345`);
});

test('a policy directory without an end is refused instead of being walked', async () => {
  const root = installed();
  const many = join(root, 'policies', 'many');
  mkdirSync(many);
  for (let i = 0; i < 2001; i++) writeFileSync(join(many, String(i)), '');
  expect(await problemsOf(root)).toContain('holds more than 2000 files');
});

test('outside production none of this is asked', async () => {
  const root = installed();
  chmodSync(join(root, 'policies'), 0o777);
  chmodSync(join(root, 'tls/server.key'), 0o644);
  const file = join(root, 'broker.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('production: true', 'production: false'));
  expect(await problemsOf(root)).toBe('');
});

test('commands that travel to a switch in plain text are not for production, whatever is said about the network', async () => {
  const root = installed();
  const file = join(root, 'broker.yaml');
  const text = readFileSync(file, 'utf8');
  const behind = (host: string) =>
    text.replace(
      / {4}backend: .*/,
      `    backend: { kind: mctp-tcp, host: ${host}, dialect: spec, insecure_network: true }`,
    );
  writeFileSync(file, behind('198.51.100.7'));
  expect(await problemsOf(root)).toContain('commands go to `198.51.100.7` in plain text');
  writeFileSync(file, behind('127.0.0.1'));
  expect(await problemsOf(root)).toBe('');
});

test('links hide nobody who may change what they lead to', async () => {
  const root = installed();
  const away = join(root, 'away');
  mkdirSync(away);
  chmodSync(away, 0o777);
  // The fabric file by way of a folder that everybody may write to.
  renameSync(join(root, 'fabric.yaml'), join(away, 'fabric.yaml'));
  symlinkSync('away/fabric.yaml', join(root, 'fabric.yaml'));
  // A release of the policy, as tools that switch between two of them leave it.
  renameSync(join(root, 'policies'), join(root, 'policies-7'));
  symlinkSync('policies-7', join(root, 'policies'));
  chmodSync(join(root, 'policies-7/mandatory.csv'), 0o646);
  // And a folder of it that is somewhere else.
  mkdirSync(join(root, 'elsewhere'));
  renameSync(join(root, 'policies-7/tenants'), join(root, 'elsewhere/tenants'));
  symlinkSync('../elsewhere/tenants', join(root, 'policies-7/tenants'));
  chmodSync(join(root, 'elsewhere/tenants/acme.csv'), 0o664);
  // A link back to where it is must not be followed for ever.
  symlinkSync('.', join(root, 'elsewhere/tenants/again'));
  const problems = await problemsOf(root);
  for (const path of [away, join(root, 'policies/mandatory.csv'), join(root, 'policies/tenants/acme.csv')]) {
    expect(problems).toContain(`\`${path}\` can be changed by others`);
  }
});

test('the key behind a link is as safe as the folders on the way to it', async () => {
  const root = installed();
  const away = join(root, 'away');
  mkdirSync(away, { mode: 0o755 });
  renameSync(join(root, 'tls/server.key'), join(away, 'server.key'));
  symlinkSync(join(away, 'server.key'), join(root, 'tls/server.key'));
  expect(await problemsOf(root)).toBe('');
  chmodSync(away, 0o777);
  expect(await problemsOf(root)).toContain(`\`${away}\` can be changed by others`);
});
