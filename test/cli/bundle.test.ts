import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SmallTree } from './small-tree.ts';

// bin/bundle.js: a bundle is taken while it is what the sources say, and never else.

const BUNDLE = 'node_modules/.cache/cci/bundle';
const MANIFEST = `${BUNDLE}/manifest.json`;

let tree: SmallTree;
beforeEach(() => {
  tree = new SmallTree();
});
afterEach(() => tree.remove());

describe('a bundle of these very sources', () => {
  it('is what runs, and finds what the sources would find', async () => {
    const before = await tree.start();
    expect(before).toMatchObject({ from: 'sources', late: 'late — first' });
    await tree.bundle();
    expect(await tree.start()).toEqual({ ...before, from: 'bundle' });
    expect(before).toMatchObject({ url: pathToFileURL(tree.at('src/cli/main.ts')).href, folder: tree.at('src/cli') });
  });

  it('goes along when the tree is moved', async () => {
    await tree.bundle();
    const moved = `${tree.root}-moved`;
    renameSync(tree.root, moved);
    expect(await tree.start({}, [], moved)).toMatchObject({
      from: 'bundle',
      folder: join(moved, 'src/cli'),
      packageFolder: join(moved, 'node_modules/old-package'),
    });
  });

  it('is taken in a tree that a group may write, where the group may write it all', async () => {
    await tree.bundle();
    const folders = ['node_modules', 'node_modules/.cache', 'node_modules/.cache/cci'];
    for (const path of folders) chmodSync(tree.at(path), 0o775);
    expect((await tree.start()).from).toBe('sources');
    chmodSync(tree.at('src/cli/main.ts'), 0o664);
    await tree.bundle();
    expect((await tree.start()).from).toBe('bundle');
  });
});

/** The first file of the bundle that is loaded when it is needed. */
function latePart(): string {
  const name = readdirSync(tree.at(BUNDLE)).find((one) => one.startsWith('late-'));
  if (name === undefined) throw new Error('the bundle is one file');
  return `${BUNDLE}/${name}`;
}

interface Manifest {
  format: number;
  files: { [path: string]: readonly number[] };
}

function inManifest(change: (manifest: Manifest) => unknown): void {
  const manifest: Manifest = JSON.parse(readFileSync(tree.at(MANIFEST), 'utf8'));
  const told = change(manifest);
  writeFileSync(tree.at(MANIFEST), typeof told === 'string' ? told : JSON.stringify(manifest));
}

/** With the size and the time that a file had. */
function replaced(path: string, from: string, to: string): void {
  const { atime, mtime } = statSync(tree.at(path));
  writeFileSync(tree.at(path), readFileSync(tree.at(path), 'utf8').replaceAll(from, to));
  utimesSync(tree.at(path), atime, mtime);
}

function linked(path: string): void {
  const elsewhere = join(dirname(tree.root), basename(path));
  renameSync(tree.at(path), elsewhere);
  symlinkSync(elsewhere, tree.at(path));
}

const changes: readonly (readonly [what: string, change: () => unknown])[] = [
  ['a source was edited', () => tree.write('src/cli/late.ts', `export const late = 'another and longer';\n`)],
  ['a source was replaced by one of the same size and time', () => replaced('src/cli/late.ts', 'first', 'other')],
  ['a source was touched', () => utimesSync(tree.at('src/cli/late.ts'), new Date(), new Date())],
  ['a source became a link', () => linked('src/cli/late.ts')],
  ['packages were installed', () => tree.write('node_modules/.package-lock.json', '{ "packages": {} }')],
  ['packages were installed by something that is not npm', () => rmSync(tree.at('node_modules/.package-lock.json'))],
  ['a package was edited', () => tree.write('node_modules/old-package/index.js', 'exports.folderOf = () => "else";')],
  ['a package says that other files are meant', () => replaced('node_modules/old-package/package.json', ' }', '} ')],
  ['the script that bundles was changed', () => tree.write('scripts/bundle.ts', '')],
  ['the file that decides was changed', () => writeFileSync(tree.at('bin/bundle.js'), '\n', { flag: 'a' })],
  ['the tree says something else of itself', () => replaced('package.json', '{ ', ' {')],
  ['the main file of the bundle is missing', () => rmSync(tree.at(`${BUNDLE}/main.mjs`))],
  ['a part of the bundle is missing', () => rmSync(tree.at(latePart()))],
  ['a part of the bundle was changed', () => replaced(latePart(), 'first', 'wrong')],
  ['a part of the bundle became a link', () => linked(latePart())],
  ['a part of the bundle can be written by others', () => chmodSync(tree.at(latePart()), 0o646)],
  ['the bundle is a link', () => linked(BUNDLE)],
  ['the cache is a link', () => linked('node_modules/.cache')],
  ['all packages are behind a link', () => linked('node_modules')],
  ['the bundle can be written by others', () => chmodSync(tree.at(BUNDLE), 0o757)],
  ['the bundle can be written by a group', () => chmodSync(tree.at(BUNDLE), 0o775)],
  ['the cache can be written by others', () => chmodSync(tree.at('node_modules/.cache'), 0o777)],
  ['the manifest can be written by others', () => chmodSync(tree.at(MANIFEST), 0o666)],
  ['the manifest is missing', () => rmSync(tree.at(MANIFEST))],
  ['the manifest is a link', () => linked(MANIFEST)],
  ['the manifest is a folder', () => [rmSync(tree.at(MANIFEST)), mkdirSync(tree.at(MANIFEST))]],
  ['the manifest is torn', () => inManifest(() => '{"format":1,"files":{"src/cli/main.ts":[')],
  ['the manifest is empty', () => inManifest(() => '')],
  ['the manifest is of another kind', () => inManifest(() => '[]')],
  ['the manifest is nothing', () => inManifest(() => 'null')],
  ['the manifest has no files', () => inManifest(() => '{"format":1}')],
  ['the manifest is of another version', () => inManifest((manifest) => (manifest.format += 1))],
  ['the manifest names no file', () => inManifest((manifest) => (manifest.files = {}))],
  ['the manifest leaves the main source out', () => inManifest(({ files }) => delete files['src/cli/main.ts'])],
  ['the manifest leaves its own main file out', () => inManifest(({ files }) => delete files[`${BUNDLE}/main.mjs`])],
  [
    'the manifest leaves the packages out',
    () => inManifest(({ files }) => delete files['node_modules/.package-lock.json']),
  ],
  ['the manifest says nothing of a file', () => inManifest(({ files }) => (files['src/cli/main.ts'] = []))],
  ...['../tree/package.json', '/etc/hostname', 'src/../package.json', './package.json', 'src//cli/main.ts', ''].map(
    (path) =>
      [
        `the manifest has the path \`${path}\``,
        () => {
          const { size, mtimeMs, ctimeMs } = statSync(
            join(tree.root, path === '/etc/hostname' ? `../../..${path}` : path),
          );
          inManifest(({ files }) => (files[path] = [size, mtimeMs, ctimeMs]));
        },
      ] as const,
  ),
  ['the manifest has a file that is no file', () => inManifest(({ files }) => (files['src/cli'] = stateOf('src/cli')))],
];

function stateOf(path: string): readonly number[] {
  const { size, mtimeMs, ctimeMs } = statSync(tree.at(path));
  return [size, mtimeMs, ctimeMs];
}

describe('the sources run, and a bundle never, where', () => {
  it.each(changes)('%s', async (_what, change) => {
    await tree.bundle();
    expect((await tree.start()).from).toBe('bundle');
    change();
    expect((await tree.start()).from).toBe('sources');
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(!isRoot).each([MANIFEST, BUNDLE, 'node_modules/.cache', 'node_modules', 'src/cli/main.ts'])(
    '%s is owned by somebody else than the sources are (skipped unless root)',
    async (path) => {
      await tree.bundle();
      chownSync(tree.at(path), 65_533, 65_533);
      expect((await tree.start()).from).toBe('sources');
    },
  );

  it('the tree is a copy', async () => {
    await tree.bundle();
    const copy = `${tree.root}-copy`;
    cpSync(tree.root, copy, { recursive: true, preserveTimestamps: true });
    expect(await tree.start({}, [], copy)).toMatchObject({ from: 'sources', folder: join(copy, 'src/cli') });
  });

  it.each([
    ['they are asked for', { CCI_FROM_SOURCE: '1' }, []],
    ['coverage is taken', { NODE_V8_COVERAGE: 'coverage' }, []],
    ['changes of files are waited for', { WATCH_REPORT_DEPENDENCIES: '1' }, []],
    ['something is loaded before', {}, ['--import', 'data:text/javascript,']],
    ['something is required before', {}, ['-r', 'node:fs']],
    ['a loader is given', {}, ['--loader=data:text/javascript,']],
    ['something is loaded before, says the environment', { NODE_OPTIONS: '--import=data:text/javascript,' }, []],
    ['packages are to be seen under other conditions', {}, ['--conditions=development']],
    ['somebody debugs', {}, ['--inspect=127.0.0.1:0']],
    ['links are to stay links', {}, ['--preserve-symlinks']],
  ] as const)('%s', async (_what, environment, flags) => {
    await tree.bundle();
    const coverage = 'NODE_V8_COVERAGE' in environment ? { NODE_V8_COVERAGE: tree.at('coverage') } : {};
    expect((await tree.start({ ...environment, ...coverage }, flags)).from).toBe('sources');
    expect((await tree.start()).from).toBe('bundle');
  });
});
