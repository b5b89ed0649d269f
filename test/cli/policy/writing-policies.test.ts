import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, expect, it } from 'vitest';

// The commands of docs/writing-policies.md print what the page says, on the files that the page shows.

const page = await readFile('docs/writing-policies.md', 'utf8');
const main = resolve('src/cli/main.ts');

function block(head: string, nth = 0): string {
  const found = [...page.matchAll(/^```([^\n]+)\n(.*?)^```$/gms)].filter(([, name]) => name === head)[nth]?.[2];
  if (found === undefined) throw new Error(`the page has no ${head}`);
  return found;
}

let directory = '';
afterEach(() => rm(directory, { recursive: true, force: true }));

async function ran(rows: string, line: string): Promise<{ readonly out: string; readonly code: number }> {
  directory = await mkdtemp(join(tmpdir(), 'cci-page-'));
  await mkdir(join(directory, 'policies', 'tenants'), { recursive: true });
  await mkdir(join(directory, 'tests'));
  for (const name of ['model.conf', 'mandatory.csv'])
    await copyFile(`policies/${name}`, join(directory, 'policies', name));
  await writeFile(join(directory, 'policies', 'tenants', 'initech.csv'), rows);
  await writeFile(join(directory, 'fabric.yaml'), block('yaml fabric'));
  await writeFile(join(directory, 'tests', 'initech.yaml'), block('yaml tests/initech.yaml'));
  return new Promise((done) => {
    execFile(process.execPath, [main, ...line.split(' ').slice(1)], { cwd: directory }, (error, out) => {
      done({ out, code: typeof error?.code === 'number' ? error.code : 0 });
    });
  });
}

it.each([
  ['review', 'csv tenants/initech.csv review', 0, 0],
  ['suite', 'csv tenants/initech.csv', 1, 0],
  ['explain', 'csv tenants/initech.csv', 1, 3],
])('%s', { timeout: 30_000 }, async (name, rows, nth, code) => {
  const [, line = '', printed = ''] = /^\$ ([^\n]+)\n(.*)$/s.exec(block(`console ${name}`)) ?? [];
  const done = await ran(block(rows, nth), line);
  expect(done.code).toBe(code);
  expect(printed).not.toBe('');
  expect(done.out.slice(0, printed.length)).toBe(printed);
});
