import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { type OutputAsset, type OutputChunk, rolldown } from 'rolldown';
import { Inputs } from './bundle/inputs.ts';
import { places } from './bundle/places.ts';

const ENTRY = 'src/cli/main.ts';
/** What decides what is in a bundle without being in it. */
const DECIDING = ['package.json', 'node_modules/.package-lock.json', 'bin/bundle.js', 'scripts/bundle.ts'];
/** Stay packages: one has machine code that it looks for beside itself, the other is loaded for issuers elsewhere alone. */
const PACKAGES = ['koffi', 'undici'];
/** What `ws` and `debug` do without where it is not installed; they ask at run time, from a bundle as from their own place. */
const OPTIONAL = ['bufferutil', 'utf-8-validate', 'supports-color'];

/** What the reader of bundles says about them. */
interface Reader {
  readonly BUNDLE: string;
  readonly FORMAT: number;
  stateOf(stat: Stats): readonly number[];
}

/**
 * Makes of `src/cli/main.ts`, and of all that it reaches, one file and one for each part that is loaded when it is needed,
 * with a manifest of what went in. `bin/bundle.js` reads that, and takes the bundle only while all of it is unchanged.
 *
 * @param root of the tree; its former bundle is replaced
 * @throws Error where something stands against it; what was there stays
 */
export async function makeBundle(root: string): Promise<void> {
  const reader: Reader = await import(new URL('../bin/bundle.js', import.meta.url).href);
  const target = join(root, reader.BUNDLE);
  mkdirSync(dirname(target), { recursive: true });
  const fresh = mkdtempSync(`${target}-`);
  const old = `${fresh}-old`;
  try {
    const inputs = new Inputs(root);
    for (const path of deciding(root)) inputs.add(join(root, path));
    const chunks = await bundled(root, reader.BUNDLE, inputs);
    for (const { fileName, code } of chunks) write(join(fresh, fileName), code);
    const outputs = chunks.map(
      ({ fileName }) => [`${reader.BUNDLE}/${fileName}`, lstatSync(join(fresh, fileName))] as const,
    );
    const files = [...inputs.unchanged(), ...outputs].map(([name, stat]) => [name, reader.stateOf(stat)]);
    write(join(fresh, 'manifest.json'), JSON.stringify({ format: reader.FORMAT, files: Object.fromEntries(files) }));
    chmodSync(fresh, 0o755);
    if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) renameSync(target, old);
    renameSync(fresh, target);
  } finally {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  }
}

function deciding(root: string): readonly string[] {
  return [...DECIDING, ...readdirSync(join(root, 'scripts/bundle')).map((name) => `scripts/bundle/${name}`)];
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

/** Names stay as they are, for stack traces; nothing is left out, so that what runs is what the sources say. */
async function bundled(root: string, folder: string, inputs: Inputs): Promise<readonly OutputChunk[]> {
  const build = await rolldown({
    input: { main: ENTRY },
    cwd: root,
    platform: 'node',
    tsconfig: false,
    treeshake: false,
    external: [...PACKAGES, ...OPTIONAL],
    logLevel: 'silent',
    plugins: [places(folder, inputs)],
  });
  try {
    // Endings that need no look at a `package.json`.
    const names = { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' };
    const { output } = await build.generate({ ...names, format: 'es', minify: false, comments: false });
    const all = new Set(output.map(({ fileName }) => fileName));
    return output.map((one) => checked(one, all));
  } finally {
    await build.close();
  }
}

/** @throws Error where a bundle would look for something that it may find elsewhere, or not at all */
function checked(one: OutputChunk | OutputAsset, all: ReadonlySet<string>): OutputChunk {
  if (one.type === 'asset') throw new Error(`${one.fileName} is no code`);
  const isKnown = (name: string): boolean =>
    all.has(name) || PACKAGES.includes(name) || name.startsWith('node:') || builtinModules.includes(name);
  const strange = [...one.imports, ...one.dynamicImports].find((name) => !isKnown(name));
  if (strange !== undefined) throw new Error(`\`${strange}\` is neither in the tree nor in Node`);
  return one;
}
