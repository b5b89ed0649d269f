import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeBundle } from '../../scripts/bundle.ts';

const run = promisify(execFile);

/** What a program of few lines says of itself. */
export interface Said {
  readonly from: 'bundle' | 'sources';
  /** Of `late.ts`, which is loaded when it is needed. */
  readonly late: string;
  readonly url: string;
  readonly folder: string;
  /** `__dirname` of a package. */
  readonly packageFolder: string;
}

const FILES: { readonly [path: string]: string } = {
  'package.json': '{ "type": "module" }',
  'src/cli/main.ts': `import { folderOf } from 'old-package';
const { late } = await import('./late.ts');
const from: string = new Error().stack?.includes('/.cache/cci/bundle/') ? 'bundle' : 'sources';
const place = { url: import.meta.url, folder: import.meta.dirname, packageFolder: folderOf() };
process.stdout.write(JSON.stringify({ from, late, ...place }));
`,
  'src/cli/late.ts': `export const late: string = 'late — first';\n`,
  'node_modules/.package-lock.json': '{}',
  'node_modules/old-package/package.json': '{ "main": "index.js" }',
  'node_modules/old-package/index.js': 'exports.folderOf = () => __dirname;\n',
};

/** A tree with the launcher, the script that bundles, and a program of a few lines in place of `cci`. */
export class SmallTree {
  readonly root: string;
  readonly #holder = mkdtempSync(join(tmpdir(), 'cci-small-tree-'));

  constructor() {
    this.root = join(this.#holder, 'tree');
    for (const part of ['bin', 'scripts']) cpSync(resolve(part), join(this.root, part), { recursive: true });
    for (const [path, text] of Object.entries(FILES)) this.write(path, text);
  }

  at(path: string): string {
    return join(this.root, path);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), text);
  }

  /** What was written a moment ago is not bundled yet. */
  async bundle(): Promise<void> {
    await new Promise((done) => setTimeout(done, 50));
    await makeBundle(this.root);
  }

  async start(environment: NodeJS.ProcessEnv = {}, flags: readonly string[] = [], root = this.root): Promise<Said> {
    const { stdout } = await run(process.execPath, [...flags, join(root, 'bin/cci.js')], { env: environment });
    return JSON.parse(stdout);
  }

  remove(): void {
    rmSync(this.#holder, { recursive: true, force: true });
  }
}
