import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { JournalSettings } from './journal-settings.ts';

/** What a configuration names, as far as it matters who else may read or change it. */
export interface NamedFiles {
  /** The configuration itself, the fabric file, and what else decides and is no secret: nobody else may change these. */
  readonly trusted: readonly string[];
  /** Directories whose files decide, all that is below them included. */
  readonly trustedTrees: readonly string[];
  /** Keys and tokens: nobody else may read these. */
  readonly secret: readonly string[];
  /** Nobody else may look into these; they may be missing. */
  readonly privateDirectories: readonly string[];
}

const WRITABLE_BY_OTHERS = 0o022;
const OPEN_TO_OTHERS = 0o077;
const STICKY = 0o1000;
/** Files of one tree that are looked at: a policy directory has a few. */
const TREE_MAX = 2000;

/** One sentence for each file that somebody else could read or change; empty when all is well. Never throws. */
export async function exposedFiles(files: NamedFiles): Promise<readonly string[]> {
  const problems: string[] = [];
  const changeable = [...files.trusted];
  for (const tree of files.trustedTrees) changeable.push(...(await treeOf(tree, problems)));
  for (const path of changeable) problems.push(...(await changeableBy(path)));
  for (const path of await waysTo([...changeable, ...files.secret, ...files.privateDirectories])) {
    problems.push(...(await changeableBy(path)));
  }
  for (const path of files.secret) problems.push(...(await openTo(path, 'chmod 0600', true)));
  for (const path of files.privateDirectories) problems.push(...(await openTo(path, 'chmod 0700', false)));
  return [...new Set(problems)];
}

/** Sinks that carry records over the network for everybody to read. */
export function plainTextSinks(
  sinks: JournalSettings['sinks'],
  isLoopback: (host: string) => boolean,
): readonly { readonly index: number; readonly message: string }[] {
  return sinks.flatMap((sink, index) => {
    if (sink.kind === 'syslog' && sink.transport !== 'tls' && !isLoopback(sink.host)) {
      return [{ index, message: `records go to \`${sink.host}\` in plain text: use \`transport: tls\`` }];
    }
    if (sink.kind === 'otlp' && sink.url.startsWith('http:') && !isLoopback(hostOf(sink.url))) {
      return [{ index, message: `records go to \`${hostOf(sink.url)}\` in plain text: use https` }];
    }
    return [];
  });
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : url;
}

async function changeableBy(path: string): Promise<readonly string[]> {
  // Of a link the mode means nothing, but its owner can lead it elsewhere.
  const link = await lstat(path).catch(() => undefined);
  const found = await stat(path).catch(() => undefined);
  if (link === undefined || found === undefined) return [];
  const problems: string[] = [];
  // In a sticky directory, such as /tmp, nobody renames or removes what is somebody else's.
  const isShared = found.isDirectory() && (found.mode & STICKY) !== 0;
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0 && !isShared) {
    problems.push(`\`${path}\` can be changed by others: run \`chmod go-w\` on it`);
  }
  const stranger = [link, found].find(({ uid }) => !isTrusted(uid));
  if (stranger !== undefined) problems.push(`\`${path}\` belongs to user ${stranger.uid}: run \`chown root\` on it`);
  return problems;
}

async function openTo(path: string, mend: string, required: boolean): Promise<readonly string[]> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return required ? [`\`${path}\` cannot be read: it is not there, or not for this user`] : [];
  const problems: string[] = [];
  if ((found.mode & OPEN_TO_OTHERS) !== 0) problems.push(`\`${path}\` is open to others: run \`${mend}\` on it`);
  if (!isTrusted(found.uid)) problems.push(`\`${path}\` belongs to user ${found.uid}: run \`chown\` on it`);
  return problems;
}

/** Root, and the user that the broker runs as. */
function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.();
}

/** The tree itself and all that is below it, by the names it goes by; what links lead to is part of it. */
async function treeOf(root: string, problems: string[]): Promise<readonly string[]> {
  const found = [root];
  const entered = new Set<string>();
  for (let i = 0; i < found.length; i++) {
    const path = found[i] ?? '';
    const real = await realpath(path).catch(() => path);
    const names = entered.has(real) ? [] : await readdir(path).catch(() => []);
    entered.add(real);
    found.push(...names.map((name) => join(path, name)));
    if (found.length > TREE_MAX) {
      problems.push(`\`${root}\` holds more than ${TREE_MAX} files: nobody can tell who may change them`);
      return [];
    }
  }
  return found;
}

/**
 * All that is passed on the way to the paths: the folders above them, and those above whatever a link leads to. Whoever may
 * write into one of them may put something else in its place.
 */
async function waysTo(paths: readonly string[]): Promise<readonly string[]> {
  const passed = new Set<string>();
  const ahead = [...paths];
  for (let at = ahead.pop(); at !== undefined; at = ahead.pop()) {
    const above = dirname(at);
    const target = await readlink(at).catch(() => undefined);
    const next = target === undefined ? [above] : [above, resolve(await realpath(above).catch(() => above), target)];
    for (const one of next) {
      if (passed.has(one)) continue;
      passed.add(one);
      ahead.push(one);
    }
  }
  return [...passed];
}
