import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { formatLoadError, loadFabric, readPolicy } from '../../src/policy/index.ts';
import { cli, type Ran, words } from '../support/command-line.ts';

// docs/reviewed-vendor-commands.md from YAML to the journal, with a broker of its own: what stands there is what happens.

const page = await readFile('docs/reviewed-vendor-commands.md', 'utf8');
const blocks = [...page.matchAll(/```(\S+) ?(.*)\n([\s\S]*?)```/g)].map(([, language = '', label = '', text = '']) => ({
  language,
  label,
  text,
}));
const block = (language: string, label: string): string => {
  const found = blocks.find((one) => one.language === language && one.label === label);
  if (found === undefined) throw new Error(`the page has no ${language} ${label}`);
  return found.text;
};
const SLUG = 'northbay-get-port-temperature';

const told = new AbortController();
let root = '';
let url = '';
let serving: Promise<Ran>;
let token = '';
const env = () => ({ CCI_URL: url, CCI_TOKEN: token });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cci-vendor-'));
  await cp('config', join(root, 'config'), { recursive: true });
  await cp('policies', join(root, 'policies'), { recursive: true });
  await mkdir(join(root, 'policies', 'commands.d'));
  await writeFile(join(root, 'policies', 'commands.d', `${SLUG}.yaml`), block('yaml', `commands.d/${SLUG}.yaml`));
  await appendFile(join(root, 'policies', 'tenants', 'acme.csv'), block('csv', 'tenants/acme.csv'));
  await appendFile(join(root, 'config', 'topologies', 'small.yaml'), block('yaml', 'topology'));
  const listening = Promise.withResolvers<void>();
  const config = join(root, 'config', 'broker.yaml');
  const state = join(root, 'var');
  serving = cli(['serve', '--port', '0', '--config', config, '--state-directory', state], {
    told: told.signal,
    onErr: (text) => {
      url = /listening\s+(\S+)/.exec(text)?.[1] ?? url;
      if (url !== '') listening.resolve();
    },
  });
  await Promise.race([listening.promise, serving.then(({ err }) => Promise.reject(new Error(err)))]);
  const line = `token issue --config ${config} --state-directory ${state} --tenant acme --subject alice --group operators --scope "cci:read cci:debug-read"`;
  token = (await cli(words(line))).out.trim();
}, 30_000);
afterAll(async () => {
  told.abort();
  expect((await serving).code).toBe(0);
  await rm(root, { recursive: true, force: true });
});

/** `$ cci ... [| grep WORD]` and what follows it, of every console on the page. */
const sessions = blocks
  .filter(({ language }) => language === 'console')
  .flatMap(({ text }) => text.split(/^\$ /m).slice(1))
  .map((part): readonly [line: string, output: string] => [
    part.slice(0, part.indexOf('\n')),
    part.slice(part.indexOf('\n') + 1),
  ])
  // The example of a help text begins with a `$` too, further in.
  .filter(([line]) => line.startsWith('cci '));

it.each(sessions)('%s prints what the page says', async (line, output) => {
  const [command = '', word] = line.split(' | grep ');
  const ran = await cli(words(command.replace(/^cci /, '')), { env: env() });
  const printed = (ran.out + ran.err).replace(/request [0-9a-f-]+/, 'request ID');
  const shown =
    word === undefined
      ? printed
      : printed
          .split('\n')
          .filter((one) => one.includes(word))
          .join('\n');
  expect(shown.trimEnd()).toBe(output.trimEnd());
});

it('runs every session of the page', () =>
  expect(sessions.map(([line]) => line.split(' ')[1])).toEqual(['show', 'run', 'run', 'run', 'run']));

it('the journal has the record of the page', async () => {
  const folder = join(root, 'var', 'journal');
  await vi.waitFor(
    async () => {
      const files = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
      const text = (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))).join('');
      const records = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(records.find(({ command, verdict }) => command === SLUG && verdict === 'allow')).toMatchObject(
        JSON.parse(block('json', 'record')),
      );
    },
    { timeout: 15_000 },
  );
});

it('`cci can` decides it, and completion offers it with its fields', async () => {
  const can = await cli(words(`can ${SLUG} --port-id 2 --sensor retimer`), { env: env() });
  expect([can.code, can.out]).toEqual([0, expect.stringContaining('tenants/acme.csv')]);
  expect((await cli(words(`can ${SLUG} --port-id 4 --sensor retimer`), { env: env() })).code).toBe(3);
  const offered = (line: string) =>
    cli(['complete', '--', ...line.split(' ')], { env: env() }).then(({ out }) => out.trimEnd().split('\n'));
  expect(await offered('run north')).toEqual([SLUG]);
  expect(await offered(`run ${SLUG} --p`)).toEqual(['--params', '--port-id']);
  expect(await offered(`run ${SLUG} --sensor `)).toEqual(['module', 'retimer']);
  // Without a token, and without a broker, completion has what the catalogue has.
  expect((await cli(['complete', '--', 'run', 'north'], { env: { CCI_URL: url } })).out).toBe('');
  expect(
    (await cli(['complete', '--', 'run', 'north'], { env: { CCI_URL: 'http://127.0.0.1:9', CCI_TOKEN: 'x' } })).out,
  ).toBe('');
});

it('a slug that neither the catalogue nor the broker has is a typing mistake', async () => {
  const ran = await cli(words('run northbay-get-temperature --port-id 2'), { env: env() });
  expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('there is no command `northbay-get-temperature`')]);
});

it('the wrong file of the page gets the errors of the page', async () => {
  const fabric = loadFabric('config/fabric.yaml');
  if (!fabric.ok) throw new Error('no fabric');
  const wrong = block('yaml', 'wrong northbay-set-fan.yaml');
  const errorsOf = async (text: string) => {
    const names = ['model.conf', 'mandatory.csv', 'tenants/acme.csv'];
    const files = await Promise.all(
      names.map(async (name) => [name, await readFile(join('policies', name), 'utf8')] as const),
    );
    const read = await readPolicy({
      files: { ...Object.fromEntries(files), 'commands.d/northbay-set-fan.yaml': text },
      fabric: fabric.value,
      profile: 'host',
      today: '2026-12-31',
    });
    return read.ok ? '' : `${read.error.map(formatLoadError).join('\n')}\n`;
  };
  expect(await errorsOf(wrong)).toBe(block('text', 'errors'));
  expect(await errorsOf(wrong.replace('mx: 100', 'max: 100'))).toContain(block('text', 'then'));
});
