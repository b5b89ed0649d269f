import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Inputs } from '../../scripts/bundle/inputs.ts';
import { SmallTree } from '../cli/small-tree.ts';

const run = promisify(execFile);
const CACHE = 'node_modules/.cache/cci';

let tree: SmallTree;
beforeEach(() => {
  tree = new SmallTree();
});
afterEach(() => tree.remove());

describe('there is no bundle, and the one before stays, where', () => {
  it.each([
    [
      'a package has files outside of the tree',
      () => {
        const elsewhere = join(tree.root, '../elsewhere');
        mkdirSync(elsewhere);
        writeFileSync(join(elsewhere, 'index.js'), 'exports.folderOf = () => 1;');
        rmSync(tree.at('node_modules/old-package'), { recursive: true });
        symlinkSync(elsewhere, tree.at('node_modules/old-package'));
      },
      /is outside of the tree/,
    ],
    [
      'a package is missing',
      () => tree.write('src/cli/late.ts', `import 'nowhere';\nexport const late = 'never';\n`),
      /`nowhere` is neither in the tree nor in Node/,
    ],
    ['a source cannot be read', () => tree.write('src/cli/late.ts', 'export const = ;\n'), /./],
    [
      'a source asks for more than its place',
      () => tree.write('src/cli/late.ts', `export const late = import.meta.resolve('./main.ts');\n`),
      /src\/cli\/late\.ts asks for more/,
    ],
    ['packages came without npm', () => rmSync(tree.at('node_modules/.package-lock.json')), /\.package-lock\.json/],
  ])('%s', async (_what, change, why) => {
    await tree.bundle();
    const before = readdirSync(tree.at(`${CACHE}/bundle`));
    change();
    await expect(tree.bundle()).rejects.toThrow(why);
    expect(readdirSync(tree.at(`${CACHE}/bundle`))).toEqual(before);
    expect(readdirSync(tree.at(CACHE)).filter((name) => name.startsWith('bundle'))).toEqual(['bundle']);
  });
});

describe('a source that is written while it is bundled ends the bundling', () => {
  it.each([
    ['behind its reading', (inputs: Inputs) => inputs.add(tree.at('package.json')), (): void => undefined],
    [
      'so shortly before it that a second writing would not show',
      (): void => undefined,
      (inputs: Inputs) => inputs.add(tree.at('package.json')),
    ],
  ])('%s', (_what, before, after) => {
    const inputs = new Inputs(tree.root);
    before(inputs);
    tree.write('package.json', '{ "type": "module", "name": "other" }');
    after(inputs);
    expect(() => inputs.unchanged()).toThrow('package.json is being written');
  });
});

describe('npm run prepare', () => {
  it('says in one line that there is no bundle, and harms no installation, where the packages for it are missing', async () => {
    const { stdout, stderr } = await run(process.execPath, [tree.at('scripts/prepare.js')]);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^cci is not bundled, and starts from its sources: .*rolldown.*\n$/);
    expect(existsSync(tree.at(CACHE))).toBe(false);
  });
});
