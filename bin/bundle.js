// Finds the one file that `cci` was bundled into (scripts/bundle.ts), and tells whether it is still what the sources say. A
// bundle is only ever a quicker way to run these sources: wherever anything is not certain, the sources themselves run.
import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** Where it is kept: beside the compiled code, and gone with the packages. */
export const BUNDLE = 'node_modules/.cache/cci/bundle';
export const FORMAT = 1;
const SOURCE = 'src/cli/main.ts';
/** npm writes it anew with every installation. */
const INSTALLED = 'node_modules/.package-lock.json';
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;

/** Flags of those who hook into modules or look at them, of which a bundle has none. */
const HOOKS =
  /(?:^|[\s"])(?:-[rC]|--(?:import|require|conditions|preserve-symlinks|inspect|loader|experimental[a-z-]*-(?:loader|config))\b)/;

/** A path that does not begin at the root, or leads out of it. */
const OUTSIDE = /^\/|\\|(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * A file as the bundle remembers it. The time of change is there because nobody can set it: a file that was put in place
 * with the size and the time of another is told from it.
 */
export function stateOf({ size, mtimeMs, ctimeMs }) {
  return [size, mtimeMs, ctimeMs];
}

/** The bundle's main file, or why the sources have to run. */
export function bundleIn(root) {
  try {
    const not = hooked() ?? strange(root) ?? stale(root);
    return not === undefined ? { main: join(root, BUNDLE, 'main.mjs') } : { not };
  } catch (error) {
    return { not: error.code === 'ENOENT' ? `${error.path} is missing` : String(error.message) };
  }
}

/** Variables of those: what to use, coverage, `node --watch`, links. */
const VARIABLES = ['CCI_FROM_SOURCE', 'NODE_V8_COVERAGE', 'WATCH_REPORT_DEPENDENCIES', 'NODE_PRESERVE_SYMLINKS'];

/** Does somebody want the modules themselves? */
function hooked() {
  const variable = VARIABLES.find((name) => process.env[name]);
  if (variable !== undefined) return `${variable} is set`;
  const { NODE_OPTIONS = '' } = process.env;
  return HOOKS.test(process.execArgv.join(' ')) || HOOKS.test(NODE_OPTIONS) ? 'Node loads something before' : undefined;
}

/** Could anybody have written it who could not have written the sources? */
function strange(root) {
  if (realpathSync(root) !== root) return 'the tree is reached by a link';
  const own = lstatSync(join(root, SOURCE));
  let folder = root;
  for (const name of BUNDLE.split('/')) {
    folder = join(folder, name);
    const found = lstatSync(folder);
    if (!found.isDirectory()) return `${folder} is no folder`;
    if (!isAsOwn(found, own)) return `${folder} is open to others`;
  }
  const manifest = join(folder, 'manifest.json');
  const found = lstatSync(manifest);
  if (!found.isFile()) return `${manifest} is no file`;
  return isAsOwn(found, own) ? undefined : `${manifest} is open to others`;
}

function isAsOwn({ uid, gid, mode }, own) {
  if (uid !== own.uid || (mode & OTHERS_WRITE) !== 0) return false;
  return (mode & GROUP_WRITES) === 0 || ((own.mode & GROUP_WRITES) !== 0 && gid === own.gid);
}

/** Every file that went in, and every file that came out, has to be the very one that it was. */
function stale(root) {
  const { format, files } = JSON.parse(readFileSync(join(root, BUNDLE, 'manifest.json'), 'utf8'));
  if (format !== FORMAT) return 'the manifest is of another version';
  for (const needed of [SOURCE, INSTALLED, `${BUNDLE}/main.mjs`]) {
    if (!Object.hasOwn(files, needed)) return `the manifest does not have ${needed}`;
  }
  const own = lstatSync(join(root, SOURCE));
  for (const path in files) {
    if (OUTSIDE.test(path)) return `${path} is not inside`;
    const [size, mtimeMs, ctimeMs] = files[path];
    const found = lstatSync(`${root}/${path}`);
    if (found.size !== size || found.mtimeMs !== mtimeMs || found.ctimeMs !== ctimeMs) return `${path} has changed`;
    if (!found.isFile()) return `${path} is no file`;
    if (path.startsWith(BUNDLE) && !isAsOwn(found, own)) return `${path} is open to others`;
  }
  return undefined;
}
