import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandToken } from '../../src/cli/token-command.ts';
import { createHttpEdge, type HttpEdge } from '../../src/edge/index.ts';
import { crashing, oldSession } from '../edge/mctp/old-session.ts';
import { type Rehearsal, startRehearsal } from '../edge/mctp/rehearsal.ts';
import { readOld, runOldTool } from '../edge/mctp/tools.ts';
import { authority } from '../support/certificates.ts';
import { cli } from '../support/command-line.ts';

let rehearsal: Rehearsal;
let edge: HttpEdge;
let url: string;

async function serve(port = 0): Promise<void> {
  edge = createHttpEdge(rehearsal.broker.core, { limits: { shutdownMs: 200 } });
  // The same place again later: on 127.0.0.1 another test may be given the port meanwhile.
  url = (await edge.listen('127.0.0.8', port)).url;
}

beforeAll(async () => {
  rehearsal = await startRehearsal();
  await serve();
});
afterAll(async () => {
  await edge.close();
  await rehearsal[Symbol.asyncDispose]();
});

/** Runs the agent until the function has come back. */
async function withAgent(
  words: readonly string[],
  use: (port: number, told: () => string) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  let said = '';
  const { promise, resolve } = Promise.withResolvers<number>();
  const run = cli(['agent', '--listen', '127.0.0.1:0', '--dialect', 'jackrabbit', '--url', url, ...words], {
    told: stop.signal,
    onErr: (text) => {
      said += text;
      const port = /127\.0\.0\.1:(\d+), dialect/.exec(said)?.[1];
      if (port !== undefined && said.includes('connected to')) resolve(Number(port));
    },
  });
  try {
    await use(await promise, () => said);
  } finally {
    stop.abort();
    expect(await run).toMatchObject({ code: 0, out: '' });
  }
}

const identify = oldSession[0] ?? { what: '', message: '' };

describe('cci agent', () => {
  it('a tool that knows no tokens shows the same through agent and broker as without them', async () => {
    await using other = await startRehearsal();
    await withAgent(['--token-file', join(rehearsal.directory, 'fabric.token')], async (port) => {
      for (const command of oldSession) {
        const direct = await runOldTool(other.direct, command);
        expect(`${command.what}: ${await runOldTool(port, command)}`).toBe(`${command.what}: ${direct}`);
      }
      for (const command of crashing) {
        if (command.type !== 8) expect(readOld(await runOldTool(port, command)).code, command.what).toBeGreaterThan(1);
      }
    });
  });

  it('while the broker is away every request is answered with an error at once; then all goes on', async () => {
    await withAgent(['--token-file', join(rehearsal.directory, 'fabric.token')], async (port, told) => {
      expect(readOld(await runOldTool(port, identify)).code).toBe(0);
      const { port: http } = new URL(url);
      await edge.close();
      await expect.poll(told).toContain('not connected');
      const begin = performance.now();
      expect(readOld(await runOldTool(port, identify)).code).toBe(4);
      expect(performance.now() - begin).toBeLessThan(5000);
      await serve(Number(http));
      await expect.poll(async () => readOld(await runOldTool(port, identify)).code).toBe(0);
    });
  });

  it('reaches a broker that wants TLS and a certificate of its clients', async () => {
    const ca = authority();
    const own = ca.issue({ name: 'agent' });
    const at = (name: string): string => join(rehearsal.directory, name);
    await writeFile(at('ca.pem'), ca.certificate);
    await writeFile(at('own.pem'), own.certificate);
    await writeFile(at('own-key.pem'), own.key, { mode: 0o600 });
    const secure = createHttpEdge(rehearsal.broker.core, {
      tls: { material: { ...ca.issue(), clientCa: ca.certificate }, clientCertificates: 'require' },
      limits: { shutdownMs: 200 },
    });
    const { url: to } = await secure.listen('127.0.0.1', 0);
    const tls = ['--url', to, '--ca', at('ca.pem'), '--cert', at('own.pem'), '--cert-key', at('own-key.pem')];
    await withAgent(['--token-file', at('fabric.token'), ...tls], async (port, told) => {
      expect(readOld(await runOldTool(port, identify)).code).toBe(0);
      expect(told()).toContain(`connected to ${to}`);
    });
    await secure.close();
  });

  it('takes its token from a command, and never shows it', async () => {
    const token = await rehearsal.token('fabric');
    await withAgent(['--token-command', `printf %s ${token}`], async (port, told) => {
      expect(readOld(await runOldTool(port, identify)).code).toBe(0);
      expect(told()).not.toContain(token);
    });
  });

  it.each([
    [['--listen', '0.0.0.0:0'], 'others could connect'],
    [['--token-file', 'a', '--token-command', 'b'], 'exclude each other'],
    [['--listen', '127.0.0.1:0'], 'there is no token'],
    [['--dialect', 'klingon'], 'klingon'],
  ])('says what is wrong with %j', async (words, text) => {
    const ran = await cli(['agent', ...words]);
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(text);
  });
});

describe('a token command', () => {
  const claims = (exp: number): string => `e30.${Buffer.from(JSON.stringify({ exp })).toString('base64url')}.x`;

  it('is run again before its token ends, and not more often than it must be', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cci-token-'));
    const count = join(directory, 'count');
    await writeFile(join(directory, 'token'), claims(9_999_999_999));
    const source = new CommandToken(`echo x >> ${count}; cat ${join(directory, 'token')}`, () => {});
    for (let i = 0; i < 5; i++) expect(await source.current()).toBe(claims(9_999_999_999));
    await writeFile(join(directory, 'token'), claims(1));
    expect(await source.renew()).toBe(claims(1));
    expect(await source.current()).toBe(claims(1));
    await rm(directory, { recursive: true });
  });

  it('that fails is told of once, without what it printed', async () => {
    const problems: string[] = [];
    const source = new CommandToken('echo secret; exit 3', (text) => problems.push(text));
    expect(await source.current()).toBe('');
    expect(await source.current()).toBe('');
    expect(problems).toEqual(['ended with 3']);
  });
});
