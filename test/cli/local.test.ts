import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cli } from '../support/command-line.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-cli-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function claims(token: string): { readonly [name: string]: unknown } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

describe('cci token issue', () => {
  const issue = (...words: string[]) => cli(['token', 'issue', '--state-directory', directory, ...words]);

  it('prints the token to stdout and nothing else, and makes a key that only its owner can read', async () => {
    const ran = await issue(
      '--tenant',
      'acme',
      '--subject',
      'alice',
      '--group',
      'a',
      '--group',
      'b',
      '--scope',
      'cci:read  cci:config',
      '--ttl',
      '15m',
    );
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    expect(ran.err).toMatch(/^for alice of tenant acme, until \d{4}-/);
    const body = claims(ran.out);
    expect(body).toMatchObject({ tenant: 'acme', sub: 'alice', groups: ['a', 'b'], scope: 'cci:read cci:config' });
    expect(Number(body.exp) - Number(body.iat)).toBe(900);
    expect((await stat(join(directory, 'issuer', 'development-issuer.jwk'))).mode & 0o777).toBe(0o600);
  });

  it('without --scope and --group has neither claim; with --json says when it ends', async () => {
    const ran = await issue('--tenant', 'acme', '--subject', 'alice', '--json');
    const issued = JSON.parse(ran.out);
    expect(issued).toMatchObject({ expiresAtMs: expect.any(Number) });
    expect(claims(issued.token)).not.toHaveProperty('scope');
    expect(claims(issued.token)).not.toHaveProperty('groups');
  });

  it.each([
    ['a life of a week', ['--tenant', 'acme', '--subject', 'a', '--ttl', '7d']],
    ['an empty subject', ['--tenant', 'acme', '--subject', '']],
    ['a tenant that is no name', ['--tenant', '../x', '--subject', 'a']],
  ])('refuses %s', async (_what, words) => {
    const ran = await issue(...words);
    expect(ran.code).toBe(1);
    expect(ran.out).toBe('');
    expect(ran.err).toMatch(/^cci: .+\n {2}next: .+\n$/);
  });

  it('is refused for a configuration without the development issuer, and for one in production', async () => {
    const shipped = await readFile('config/broker.yaml', 'utf8');
    const real = shipped.replace(
      /issuers:[\s\S]*?\n\n/,
      'issuers:\n  - issuer: https://idp.example.org\n    audience: cci-broker\n    algorithms: [ES256]\n    jwks_url: https://idp.example.org/jwks.json\n    tenants: [acme]\n\n',
    );
    await writeFile(join(directory, 'key.pem'), '', { mode: 0o600 });
    for (const [name, text] of [
      ['real.yaml', real],
      ['production.yaml', `production: true\njournal: { signing_key: key.pem }\n${real}`],
    ] as const) {
      const file = join(directory, name);
      await writeFile(file, text);
      const ran = await issue('--config', file, '--tenant', 'acme', '--subject', 'a');
      expect(ran.code).toBe(1);
      expect(ran.out).toBe('');
      expect(ran.err).toMatch(/is for production|names no development issuer/);
    }
  });

  it('names file and line of a configuration that cannot be used', async () => {
    const file = join(directory, 'bad.yaml');
    await writeFile(file, 'profile: hots\n');
    const ran = await issue('--config', file, '--tenant', 'acme', '--subject', 'a');
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('bad.yaml:1');
  });
});

describe('cci emulate', () => {
  it('serves the switch on the wire until it is told to end', async () => {
    const told = new AbortController();
    let port = 0;
    const listening = Promise.withResolvers<void>();
    const running = cli(['emulate', '--topology', 'config/topologies/small.yaml', '--listen', '127.0.0.1:0'], {
      told: told.signal,
      onErr: (text) => {
        port = Number(/127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
        listening.resolve();
      },
    });
    await listening.promise;
    await new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve();
      });
      socket.once('error', reject);
    });
    told.abort();
    expect((await running).code).toBe(0);
  });

  it('says what is wrong with a topology', async () => {
    const file = join(directory, 'topology.yaml');
    await writeFile(file, 'nonsense: 1\n');
    const ran = await cli(['emulate', '--topology', file, '--listen', '127.0.0.1:0']);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain('cannot be used');
  });
});
