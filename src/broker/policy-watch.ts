import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface PolicyWatchOptions {
  /** The policy directory; `tenants` and `commands.d` below it are looked at too. */
  readonly directory: string;
  /** Further files that the policy is made of: who owns what. */
  readonly files: readonly string[];
  /** Called when what the files say has changed and nobody has written for a while; never twice at once. */
  readonly onChange: () => Promise<void>;
  readonly onError?: (error: unknown) => void;
  /**
   * What is in force. Where others load policies too, files that say again what they said when this watch looked last may
   * still say something else than what came into force meanwhile.
   */
  readonly inForce?: () => string;
  /** Nobody has written for this long, milliseconds. */
  readonly quietMs?: number;
  /** However much is written, it is looked at after this long. */
  readonly longestMs?: number;
  /** How often to look where the system tells nothing, and where it should tell (some file systems don't). */
  readonly pollMs?: { readonly deaf: number; readonly hearing: number };
  /** What tells of changes; another one in tests. */
  readonly watchDirectory?: typeof watch;
}

const QUIET_MS = 250;
const LONGEST_MS = 2000;
const POLL_MS = { deaf: 3000, hearing: 30_000 } as const;

/**
 * Watches the files of a policy. Directories are watched, not files, because editors put a new file in the place of the
 * old one; a directory that goes away is looked for until it is there again. What counts is the content: a file that is
 * only touched, or written as it was, calls nobody.
 */
export class PolicyWatch {
  private readonly options: PolicyWatchOptions;
  private readonly watchers = new Map<string, FSWatcher>();
  private quiet: NodeJS.Timeout | undefined;
  private latest: NodeJS.Timeout | undefined;
  private poll: NodeJS.Timeout | undefined;
  private signature = '';
  private digest = '';
  /** What was in force when somebody was called last. */
  private before = '';
  private looking: Promise<void> | undefined;
  private again = false;
  private stopped = false;

  private constructor(options: PolicyWatchOptions) {
    this.options = options;
  }

  /** Begins with what the files say now, which is taken to be in force. */
  static async start(options: PolicyWatchOptions): Promise<PolicyWatch> {
    const started = new PolicyWatch(options);
    started.listen();
    const names = await started.names();
    started.signature = await signatureOf(names);
    started.digest = await digestOf(names);
    started.pollLater();
    return started;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const timer of [this.quiet, this.latest, this.poll]) clearTimeout(timer);
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
    await this.looking;
  }

  /** Are all directories watched, so that a change is heard of at once? */
  get hearing(): boolean {
    return this.folders().every((folder) => this.watchers.has(folder.path) || !folder.needed);
  }

  private folders(): readonly {
    readonly path: string;
    readonly needed: boolean;
    readonly only?: ReadonlySet<string>;
  }[] {
    const { directory, files } = this.options;
    const beside = new Map<string, Set<string>>();
    // The directory itself may be replaced whole; only its parent tells.
    for (const path of [directory, ...files]) {
      const names = beside.get(dirname(path)) ?? new Set();
      beside.set(dirname(path), names.add(basename(path)));
    }
    return [
      { path: directory, needed: true },
      { path: join(directory, 'tenants'), needed: true },
      { path: join(directory, 'commands.d'), needed: false },
      ...[...beside].filter(([path]) => path !== directory).map(([path, only]) => ({ path, needed: true, only })),
    ];
  }

  private listen(): void {
    for (const { path, only } of this.folders()) {
      if (this.watchers.has(path)) continue;
      try {
        const watcher = (this.options.watchDirectory ?? watch)(path, { persistent: false }, (_event, name) => {
          if (only === undefined || name === null || only.has(name)) this.heard();
        });
        watcher.on('error', () => this.forget(path, watcher));
        this.watchers.set(path, watcher);
      } catch {
        // Not there, or no watches are left: the poll sees to it.
      }
    }
  }

  private forget(path: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.watchers.get(path) === watcher) this.watchers.delete(path);
    this.heard();
  }

  private heard(): void {
    if (this.stopped) return;
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.look(), this.options.quietMs ?? QUIET_MS);
    this.quiet.unref();
    // Whoever writes without a pause must not keep a change from coming into force.
    this.latest ??= setTimeout(() => this.look(), this.options.longestMs ?? LONGEST_MS).unref();
  }

  private pollLater(): void {
    if (this.stopped) return;
    const { deaf, hearing } = this.options.pollMs ?? POLL_MS;
    this.poll = setTimeout(
      () => {
        this.listen();
        this.look();
        this.pollLater();
      },
      this.hearing ? hearing : deaf,
    );
    this.poll.unref();
  }

  private look(): void {
    clearTimeout(this.quiet);
    clearTimeout(this.latest);
    this.latest = undefined;
    if (this.looking !== undefined) {
      this.again = true;
      return;
    }
    this.looking = this.compare()
      .catch((error: unknown) => this.options.onError?.(error))
      .finally(() => {
        this.looking = undefined;
        if (!this.again || this.stopped) return;
        this.again = false;
        this.look();
      });
  }

  private async compare(): Promise<void> {
    // A watch on a directory that was replaced hears nothing of the new one.
    for (const [path, watcher] of this.watchers) {
      watcher.close();
      this.watchers.delete(path);
    }
    this.listen();
    const names = await this.names();
    const signature = await signatureOf(names);
    if (signature === this.signature) return;
    const digest = await digestOf(names);
    this.signature = signature;
    const inForce = this.options.inForce?.() ?? '';
    if ((digest === this.digest && inForce === this.before) || this.stopped) return;
    this.digest = digest;
    this.before = inForce;
    await this.options.onChange();
  }

  /** Paths of all files, in order. Hidden ones and an editor's `name~` are no part of a policy. */
  private async names(): Promise<readonly string[]> {
    const { directory, files } = this.options;
    const found: string[] = [...files];
    for (const folder of [directory, join(directory, 'tenants'), join(directory, 'commands.d')]) {
      const entries = await readdir(folder).catch(() => []);
      for (const entry of entries.sort())
        if (!entry.startsWith('.') && !entry.endsWith('~')) found.push(join(folder, entry));
    }
    return found;
  }
}

/** Which files there are and when each was written: cheap, and different after every change. */
async function signatureOf(names: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    names.map(async (name) => {
      const about = await stat(name, { bigint: true }).catch(() => undefined);
      if (about === undefined) return `${name} -`;
      return `${name} ${about.ino} ${about.size} ${about.mtimeNs} ${about.ctimeNs}`;
    }),
  );
  return parts.join('\n');
}

/** What is in the files; the names of those that can't be read (folders among them) count by their name. */
async function digestOf(names: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const name of names) {
    const bytes = await readFile(name).catch(() => undefined);
    hash.update(`${name}\n${bytes?.length ?? -1}\n`);
    if (bytes !== undefined) hash.update(bytes);
  }
  return hash.digest('hex');
}
