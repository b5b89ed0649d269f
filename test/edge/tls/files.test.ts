import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkMaterial, TlsError, TlsFiles, type TlsMaterial } from '../../../src/edge/tls/index.ts';
import { authority, selfSigned, type TestCertificate } from '../../support/certificates.ts';

const DAY_MS = 86_400_000;
const ca = authority();
const first = ca.issue({ name: 'first' });
const second = ca.issue({ name: 'second' });

let directory = '';
let said = '';
const sink = new Writable({
  write(chunk, _encoding, done) {
    said += String(chunk);
    done();
  },
});
const log = pino({}, sink);
const paths = () => ({ certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-tls-'));
  said = '';
  await put(first);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function put(one: Pick<TestCertificate, 'certificate' | 'key'>): Promise<void> {
  await writeFile(paths().certificate, one.certificate);
  await writeFile(paths().key, one.key, { mode: 0o600 });
}

const open = (more: Parameters<typeof TlsFiles.open>[1] = {}) =>
  TlsFiles.open(paths(), { log, lookEveryMs: 0, ...more });

describe('certificate and key', () => {
  it.each<[string, TlsMaterial, RegExp]>([
    ['a key of another certificate', { ...first, key: second.key }, /not that of the first certificate/],
    ['no certificate', { ...first, certificate: 'hello' }, /the certificate is no certificate in PEM/],
    [
      'half of a certificate',
      { ...first, certificate: first.certificate.replace(/[A-Z]{3}\n/, '\n') },
      /in PEM|cannot be used/,
    ],
    ['no key', { ...first, key: first.certificate }, /no private key in PEM/],
    ['an authority that may not sign', { ...first, clientCa: second.certificate }, /may not sign others/],
    ['no authority', { ...first, clientCa: '' }, /`client_ca` is no certificate/],
  ])('%s cannot be used, and the sentence says why', (_what, material, why) => {
    expect(() => checkMaterial(material)).toThrow(why);
    expect(() => checkMaterial(material)).toThrow(TlsError);
  });

  it('are told by name, end and the hosts that they are for', () => {
    const facts = checkMaterial({
      ...ca.issue({ hosts: ['broker.example', '*.wild.example', '10.0.0.1'] }),
      clientCa: ca.certificate,
    });
    expect(facts.notAfterMs).toBeGreaterThan(Date.now() + 300 * DAY_MS);
    const hosts = ['broker.example', '10.0.0.1', 'other.example', 'a.wild.example', '10.0.0.2', '', 'a b'];
    expect(hosts.filter(facts.isFor)).toEqual(['broker.example', '10.0.0.1']);
  });
});

describe('the files', () => {
  it.each([0o644, 0o604, 0o601, 0o660])('are refused where the key has mode %o, with what to do', async (mode) => {
    await chmod(paths().key, mode);
    await expect(open()).rejects.toThrow(`chmod 600 ${paths().key}`);
  });

  it.each([0o600, 0o400, 0o640])('are taken where the key has mode %o', async (mode) => {
    await chmod(paths().key, mode);
    expect((await open()).facts.subject).toBe('CN=first');
  });

  it('that are not there are named', async () => {
    await rm(paths().certificate);
    await expect(open()).rejects.toThrow(/`certificate`: .*cert\.pem` cannot be read \(ENOENT\)/);
    await mkdir(paths().certificate);
    await expect(open()).rejects.toThrow(/no PEM file/);
  });
});

describe('a renewal', () => {
  it('comes into force once both files have stood for a look', async () => {
    const files = await open();
    const seen: string[] = [];
    files.onChange(({ certificate }) => seen.push(certificate));
    await writeFile(paths().certificate, second.certificate);
    await files.look();
    await writeFile(paths().key, second.key);
    expect(await files.look()).toEqual({ changed: false });
    expect(said).not.toContain('stays');
    expect(await files.look()).toEqual({ changed: true });
    expect(seen).toEqual([second.certificate]);
    expect(files.material.key).toBe(second.key);
    expect(said).toContain('a new certificate is in force');
  });

  it('is taken at once where somebody asks, and seen through a symbolic link', async () => {
    await writeFile(join(directory, 'new.pem'), second.certificate);
    await writeFile(join(directory, 'new-key.pem'), second.key, { mode: 0o600 });
    const files = await open();
    for (const [name, at] of [
      ['new.pem', 'cert.pem'],
      ['new-key.pem', 'key.pem'],
    ] as const) {
      await symlink(name, join(directory, 'link'));
      await rename(join(directory, 'link'), join(directory, at));
    }
    expect(await files.look(true)).toEqual({ changed: true });
    expect(files.facts.subject).toBe('CN=second');
    expect(await files.look(true)).toEqual({ changed: false });
  });

  it.each<[string, () => Promise<void>, RegExp]>([
    ['only half of it came', () => writeFile(paths().certificate, second.certificate), /key is not that of/],
    ['the key is open to others', () => put(second).then(() => chmod(paths().key, 0o644)), /chmod 600/],
    ['a file is gone', () => rm(paths().key), /ENOENT/],
    ['it has run out already', () => put(selfSigned({ notAfter: new Date(Date.now() - 1000) })), /run out already/],
  ])('leaves the old one in force where %s, and says so once', async (_what, change, why) => {
    const files = await open();
    await change();
    const looks = [await files.look(), await files.look(), await files.look()];
    expect(looks.map(({ problem }) => problem !== undefined)).toEqual([false, true, false]);
    expect(looks[1]?.problem).toMatch(why);
    expect(files.material.certificate).toBe(first.certificate);
    expect(said.match(/stays/g)).toHaveLength(1);
    await put(second);
    await chmod(paths().key, 0o600);
    await files.look();
    expect(await files.look()).toEqual({ changed: true });
  });

  it('is looked for by itself', async () => {
    const files = await open({ lookEveryMs: 10 });
    await put(second);
    for (let i = 0; i < 200 && files.facts.subject !== 'CN=second'; i++) await new Promise((r) => setTimeout(r, 10));
    expect(files.facts.subject).toBe('CN=second');
    files.close();
  });
});

describe('the end of a certificate', () => {
  it('is told a month before, once a day, and then as an error', async () => {
    let nowMs = Date.now();
    const files = await open({ nowMs: () => nowMs });
    expect(said).toBe('');
    nowMs = files.facts.notAfterMs - 20 * DAY_MS + 1000;
    await files.look();
    await files.look();
    expect(said.match(/runs out in 20 days/g)).toHaveLength(1);
    nowMs += DAY_MS;
    await files.look();
    expect(said).toContain('runs out in 19 days');
    nowMs = files.facts.notAfterMs + 1;
    await files.look();
    expect(said).toContain('has run out: clients refuse to connect');
  });
});
