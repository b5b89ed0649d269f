import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readJournal } from '../../../src/broker/journal/index.ts';
import { cli, words } from '../../support/command-line.ts';
import { startTestBroker } from '../../support/running-broker.ts';

// docs/policy-tools.md: its files are the files, its commands are run on them, and its outputs are theirs.

const page = await readFile('docs/policy-tools.md', 'utf8');
const blocks = [...page.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map(([, kind = '', names = '', text = '']) => ({
  kind,
  names: names.split(' ').filter((name) => name !== ''),
  text,
}));
const examples = blocks
  .filter(({ kind }) => kind === 'console')
  .map(({ text }) => {
    const [command = '', ...output] = text.split('\n');
    return { command: command.replace(/^\$ cci /, ''), output: output.join('\n') };
  });

let directory = '';
const here = (name: string) => join(directory, name);

/** What differs from run to run, and line numbers of files that are not the page's. */
function steady(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'REQUEST')
    .replace(/mandatory\.csv:\d+/g, 'mandatory.csv:N')
    .replace(/\b[0-9a-f]{64}\b/g, 'SNAPSHOT')
    .replace(/\b[0-9a-f]{12}\b/g, 'SNAPSHOT')
    .replace(/^\d+ TIME/gm, 'N TIME')
    .replace(/^( +\d+ {2}(?:allow|deny) .*? {2})\d+( to \d+)? +/gm, '$1N ')
    .trimEnd();
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cci-doc-'));
  for (const { kind, names, text } of blocks) {
    for (const name of kind === 'csv' || kind === 'yaml' ? names : []) {
      await mkdir(dirname(here(name)), { recursive: true });
      await writeFile(here(name), text);
    }
  }
  for (const folder of ['policies', 'policies-next']) {
    for (const file of ['model.conf', 'mandatory.csv']) await cp(join('policies', file), here(`${folder}/${file}`));
  }
  await cp('config/topologies/small.yaml', here('topology.yaml'));
  const shadow = await readFile(here('broker.yaml'), 'utf8');
  await writeFile(
    here('broker.yaml'),
    `profile: host
http: { host: 127.0.0.1, port: 0 }
state_directory: state
fabric: fabric.yaml
${shadow}  reload: manual
  crosscheck: off
issuers: [{ kind: development, tenants: ['*', fabric] }]
log: { level: silent }
events: { poll_ms: 0 }
switches: { sw0: { backend: { kind: emulator, topology: topology.yaml } } }
`,
  );
  const broker = await startTestBroker(here('broker.yaml'), {}, here('state'));
  const submit = async (subject: string, groups: readonly string[], command: string, params: object = {}) => {
    const token = await broker.token({ tenant: 'acme', subject, groups });
    await broker.core.submit({ token, source: '127.0.0.1:1' }, 'sw0', { kind: 'named', command, params });
  };
  await submit('rita', [], 'get-physical-port-state', { port_id_list: [2] });
  await submit('rita', [], 'identify');
  await submit('ian', ['operators', 'interns'], 'unbind-vppb', { vcs_id: 0, vppb_id: 3, option: 'wait-for-link-down' });
  await submit('bob', ['interns'], 'get-physical-port-state', { port_id_list: [2] });
  const bind = { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 };
  await submit('alice', ['operators'], 'bind-vppb', bind);
  await broker.close();
  await cp(here('state/journal'), here('journal'), { recursive: true });
}, 60_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

const inside = (word: string): string =>
  ['policies', 'policies-next', 'fabric.yaml', 'journal'].includes(word) ? here(word) : word;

it('has examples', () => expect(examples.length).toBeGreaterThan(7));

it.each(examples)('cci $command', async ({ command, output }) => {
  const ran = await cli(words(command).map(inside));
  const said = ran.out.replaceAll(`${directory}/`, '');
  if (process.env.SHOW_DOC === '1') process.stderr.write(`$ cci ${command}\n${said}[${ran.code}] ${ran.err}\n`);
  expect(steady(said)).toBe(steady(output));
});

it('the record of a difference is the one on the page', async () => {
  const [block] = blocks.filter(({ kind, names }) => kind === 'json' && names[0] === 'shadow');
  const found: unknown[] = [];
  for await (const record of readJournal(here('journal'))) {
    if ('shadow' in record && record.shadow !== undefined) {
      const { principal, command, verdict, flags, shadow } = record;
      found.push({ principal, command, verdict, flags, shadow });
    }
  }
  if (process.env.SHOW_DOC === '1') process.stderr.write(`${JSON.stringify(found, null, 2)}\n`);
  expect(steady(JSON.stringify(found[0]))).toBe(steady(JSON.stringify(JSON.parse(block?.text ?? ''))));
});
