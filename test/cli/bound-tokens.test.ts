import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RevocationView } from '../../src/broker/core-api.ts';
import { authority } from '../support/certificates.ts';
import { cli, type FakeBroker, fakeBroker } from '../support/command-line.ts';

let directory = '';
let broker: FakeBroker | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-cli-'));
});
afterEach(async () => {
  await broker?.close();
  broker = undefined;
  await rm(directory, { recursive: true, force: true });
});

const keyFile = () => join(directory, 'key.jwk');

describe('cci token key', () => {
  it('makes a key that only its owner can read, once, and prints what tokens are bound to', async () => {
    const [first, second] = [
      await cli(['token', 'key', '--dpop-key', keyFile()]),
      await cli(['token', 'key', '--json'], { env: { CCI_DPOP_KEY: keyFile() } }),
    ];
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^[\w-]{43}\n$/) });
    expect(first.err).toContain('mode 0600');
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
    expect(JSON.parse(second.out)).toEqual({ file: keyFile(), thumbprint: first.out.trim() });
    expect(second.err).toBe('');
    // The private part is in the file alone.
    const { d } = JSON.parse(await readFile(keyFile(), 'utf8')) as { readonly d: string };
    expect(first.out + first.err + second.out).not.toContain(d);
  });

  it('takes a key that others could read for stolen, and no file that is none', async () => {
    await cli(['token', 'key', '--dpop-key', keyFile()]);
    await chmod(keyFile(), 0o640);
    const shared = await cli(['token', 'key', '--dpop-key', keyFile()]);
    expect(shared).toMatchObject({ code: 1, out: '' });
    expect(shared.err).toContain('take the key as stolen');
    await writeFile(join(directory, 'text'), 'x', { mode: 0o600 });
    expect((await cli(['token', 'key', '--dpop-key', join(directory, 'text')])).err).toContain('holds no key of ours');
    await symlink(keyFile(), join(directory, 'link'));
    expect((await cli(['token', 'key', '--dpop-key', join(directory, 'link')])).code).toBe(1);
    expect((await cli(['token', 'key'])).code).toBe(2);
  });
});

describe('cci token issue', () => {
  const issue = async (...words: string[]) => {
    const ran = await cli([
      ...['token', 'issue', '--state-directory', directory, '--tenant', 'acme', '--subject', 'alice'],
      ...words,
    ]);
    const body = Buffer.from(ran.out.split('.')[1] ?? '', 'base64url').toString();
    return { ...ran, claims: body === '' ? {} : (JSON.parse(body) as { readonly cnf?: unknown }) };
  };

  it('binds a token to a key, which it makes, to a certificate, or to both', async () => {
    const { certificate, thumbprint } = authority().issue();
    const pem = join(directory, 'client.pem');
    await writeFile(pem, certificate);
    const ofKey = await issue('--dpop-key', keyFile());
    const jkt = (await cli(['token', 'key', '--dpop-key', keyFile()])).out.trim();
    expect(ofKey.claims.cnf).toEqual({ jkt });
    expect((await issue('--certificate', pem)).claims.cnf).toEqual({ 'x5t#S256': thumbprint });
    expect((await issue('--certificate', pem, '--dpop-key', keyFile())).claims.cnf).toEqual({
      jkt,
      'x5t#S256': thumbprint,
    });
    expect((await issue()).claims).not.toHaveProperty('cnf');
  });

  it('says what is wrong with a certificate', async () => {
    await writeFile(join(directory, 'x'), 'x');
    expect(await issue('--certificate', join(directory, 'x'))).toMatchObject({ code: 2, out: '' });
    expect(await issue('--certificate', join(directory, 'nothing'))).toMatchObject({ code: 2, out: '' });
  });
});

describe('a command with --dpop-key', () => {
  it('shows the token with a proof, and does not go without the key that was named', async () => {
    broker = await fakeBroker();
    await cli(['token', 'key', '--dpop-key', keyFile()]);
    expect((await broker.run(['whoami', '--dpop-key', keyFile()])).code).toBe(0);
    const call = broker.core.calls.find(({ method }) => method === 'whoami');
    expect(call?.credential).toMatchObject({
      scheme: 'dpop',
      proof: { method: 'GET', url: `${broker.url}/v1/whoami` },
    });
    const missing = await broker.run(['whoami', '--dpop-key', join(directory, 'none')]);
    expect(missing.code).toBe(2);
    expect(missing.err).toContain('there is no key file');
  });
});

describe('cci token revoke', () => {
  const entry: RevocationView = {
    ...{ id: '7f9b4a50-0000-4000-8000-000000000000', kind: 'subject', name: 'user:https://idp.example#mallory' },
    ...{ by: 'user:https://idp.example#olga', atMs: 1_800_000_000_000, reason: 'left \u001b[31mus' },
  };

  it('names what is revoked, why and until when, and prints what is in force, made safe to print', async () => {
    const wishes: unknown[] = [];
    broker = await fakeBroker({
      revoke: async (_credential, wish) => {
        wishes.push(wish);
        return { ok: true, value: [entry] };
      },
    });
    const ran = await broker.run([
      ...[
        'token',
        'revoke',
        '--subject',
        'mallory',
        '--issuer',
        'https://idp.example',
        '--reason',
        'left',
        '--for',
        '1h',
      ],
    ]);
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/^ID +KIND +NAME .*\n7f9b4a50-\S+ +subject +user:https:\/\/idp\.example#mallory/);
    expect(ran.out).not.toContain('\u001b');
    expect(wishes).toEqual([
      {
        ...{ kind: 'subject', name: 'mallory', issuer: 'https://idp.example', reason: 'left' },
        expiresAtMs: expect.any(Number),
      },
    ]);
    await broker.run(['token', 'revoke', '--key', 'k'.repeat(43), '--reason', 'x']);
    await broker.run(['token', 'revoke', '--id', 'jti:https://i#1', '--reason', 'x']);
    await broker.run(['token', 'revoke', '--tenant', 'acme', '--reason', 'x']);
    await broker.run(['token', 'revoke', '--lift', entry.id, '--reason', 'x']);
    expect(wishes.slice(1)).toEqual([
      { kind: 'key', name: 'k'.repeat(43), reason: 'x' },
      { kind: 'token', name: 'jti:https://i#1', reason: 'x' },
      { kind: 'tenant', name: 'acme', reason: 'x' },
      { lift: entry.id, reason: 'x' },
    ]);
  });

  it.each([
    [['--subject', 'a']],
    [['--reason', 'x']],
    [['--subject', 'a', '--tenant', 'b', '--reason', 'x']],
    [['--subject', 'a', '--lift', 'b', '--reason', 'x']],
    [['--subject', 'a', '--reason', 'x', '--for', 'ever']],
  ])('asks the broker nothing where it is not clear what is meant: %j', async (words) => {
    broker = await fakeBroker();
    expect((await broker.run(['token', 'revoke', ...words])).code).toBe(2);
    expect(broker.core.calls).toEqual([]);
  });

  it('is listed by cci token revocations, and says so where there is none', async () => {
    broker = await fakeBroker({ revocations: async () => ({ ok: true, value: [entry] }) });
    expect(JSON.parse((await broker.run(['token', 'revocations', '--json'])).out)).toEqual([entry]);
    await broker.close();
    broker = await fakeBroker();
    expect(await broker.run(['token', 'revocations'])).toMatchObject({ code: 0, out: '', err: 'nothing is revoked\n' });
  });
});
