import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { errorTable } from '../../src/cli/exit-codes.ts';
import { createHttpEdge, defaultHttpLimits, problemTable } from '../../src/edge/index.ts';
import { fakeCore } from '../support/fake-core.ts';
import { type Broker, startTestBroker } from '../support/running-broker.ts';

// What the pages promise is what the code does.

let cliPage = '';
let httpPage = '';
let directory = '';
let broker: Broker;
beforeAll(async () => {
  [cliPage, httpPage] = await Promise.all([readFile('docs/cli.md', 'utf8'), readFile('docs/http-api.md', 'utf8')]);
  directory = await mkdtemp(join(tmpdir(), 'cci-docs-'));
  broker = await startTestBroker('config/broker.yaml');
});
afterAll(async () => {
  await broker.close();
  await rm(directory, { recursive: true, force: true });
});

it('docs/cli.md has the exit status of every code', () => {
  for (const [code, { exit }] of Object.entries(errorTable)) {
    const row = cliPage.split('\n').find((line) => line.startsWith(`| ${exit} |`));
    expect(row).toContain(`\`${code}\``);
  }
});

it('docs/http-api.md has the status of every problem, and the limits', () => {
  for (const [code, { status }] of Object.entries(problemTable))
    expect(httpPage).toContain(`| \`${code}\` | ${status} |`);
  expect(httpPage).toContain(`| body of a request | ${defaultHttpLimits.bodyBytes / 1024} KiB |`);
  expect(httpPage).toContain(`| all headers | ${defaultHttpLimits.headerBytes / 1024} KiB |`);
  expect(httpPage).toContain(`| depth of JSON | ${defaultHttpLimits.jsonDepth} |`);
  expect(httpPage).toContain(
    `| connections, streams | ${defaultHttpLimits.connections}, ${defaultHttpLimits.streams} (${defaultHttpLimits.streamsPerTenant} of one tenant) |`,
  );
  expect(httpPage).toContain(`| shutdown | ${defaultHttpLimits.shutdownMs / 1000} s |`);
});

it('docs/http-api.md names every route', async () => {
  const edge = createHttpEdge(fakeCore());
  const { paths } = (await edge.inject('/openapi.json')).json<{ paths: { [path: string]: object } }>();
  await edge.close();
  for (const path of Object.keys(paths))
    expect(httpPage).toContain(path.replace('/v1/switches/{switch}/operations/{id}', '/operations/{id}'));
});

it('the client in docs/http-api.md runs as it stands and prints what the page says', { timeout: 30_000 }, async () => {
  const edge = createHttpEdge(broker.core);
  const { url } = await edge.listen('127.0.0.1', 0);
  const source = /```ts\n([\s\S]+?)```/.exec(httpPage)?.[1] ?? '';
  const expected = /```text\n([\s\S]+?)```/.exec(httpPage)?.[1] ?? '';
  const program = join(directory, 'example.ts');
  await writeFile(program, source.replace('../src/client/index.ts', pathToFileURL('src/client/index.ts').href));
  const token = await broker.token({
    tenant: 'acme',
    subject: 'alice',
    groups: ['operators'],
    scopes: ['cci:read', 'cci:config'],
  });
  const { stdout } = await promisify(execFile)(process.execPath, [program], {
    env: { CCI_URL: url, CCI_TOKEN: token },
  });
  await edge.close();
  expect(source).not.toBe('');
  expect(stdout).toBe(expected);
});
