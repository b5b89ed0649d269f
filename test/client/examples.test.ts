import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as library from '../../src/client/index.ts';
import { createHttpEdge, type HttpEdge } from '../../src/edge/index.ts';
import { type Rehearsal, startRehearsal } from '../edge/mctp/rehearsal.ts';

const root = new URL('../../', import.meta.url).pathname;
let rehearsal: Rehearsal;
let edge: HttpEdge;
let url: string;

beforeAll(async () => {
  rehearsal = await startRehearsal();
  edge = createHttpEdge(rehearsal.broker.core, { limits: { shutdownMs: 200 } });
  url = (await edge.listen('127.0.0.1', 0)).url;
});
afterAll(async () => {
  await edge.close();
  await rehearsal[Symbol.asyncDispose]();
});

async function example(name: string, words: readonly string[], tenant = 'fabric') {
  const env = {
    ...process.env,
    CCI_URL: url,
    CCI_TOKEN: await rehearsal.token(tenant),
    CCI_TOKEN_FILE: join(rehearsal.directory, `${tenant}.token`),
  };
  return new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [join(root, 'docs/examples', name), ...words], { env, cwd: root }, (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }),
    );
  });
}

describe('the examples do what they say', () => {
  it('ports', async () => {
    expect(await example('ports.ts', ['4', '14'])).toMatchObject({
      code: 0,
      out: 'port 4: type-3-sld, 0 LDs\nport 14: type-3-mld, 16 LDs\n',
    });
    const refused = await example('ports.ts', ['300']);
    expect(refused.code).toBe(1);
  });

  it('session', async () => {
    const { code, out, err } = await example('session.ts', ['600']);
    expect(`${code} ${out.split('\n')[0]}`).toBe('0 32 ports, idle');
    expect(err).toContain('open');
  });

  it('bind', async () => {
    expect(await example('bind.ts', ['0', '7', '14', '5'])).toMatchObject({ code: 0, out: 'done\n' });
    const denied = await example('bind.ts', ['0', '8', '14', '6'], 'guest');
    expect(`${denied.code} ${denied.out}`).toMatch(/^1 not allowed: /);
  });

  it('each of them is tried here', () => {
    const tried = readFileSync(new URL(import.meta.url), 'utf8');
    for (const name of readdirSync(join(root, 'docs/examples'))) expect(tried).toContain(`'${name}'`);
  });
});

it('the package exports all that the library has', async () => {
  const entry: object = await import(new URL('../../client.js', import.meta.url).href);
  expect(Object.keys(entry).sort()).toEqual(Object.keys(library).sort());
});
