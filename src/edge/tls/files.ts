import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type CertificateFacts, checkMaterial, TlsError, type TlsMaterial } from './material.ts';

/** Where certificate, key and authorities are: absolute paths of PEM files. */
export interface TlsPaths {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa?: string;
}

export interface TlsFilesOptions {
  readonly log?: Logger;
  /** Pause between two looks at the files; 5 s if not given, 0 for none. */
  readonly lookEveryMs?: number;
  readonly nowMs?: () => number;
}

const DAY_MS = 86_400_000;
/** How long before its end a certificate is warned about. */
const WARN_MS = 30 * DAY_MS;
const FILE_MAX = 1024 * 1024;

/**
 * Certificate files, looked at again and again: new ones are taken when they fit together, else the old ones stay in
 * force and the log says why. Looks by name, so that a renewal by symbolic links is seen as well.
 */
export class TlsFiles {
  readonly #paths: TlsPaths;
  readonly #log: Logger | undefined;
  readonly #nowMs: () => number;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  #timer: NodeJS.Timeout | undefined;
  #material: TlsMaterial;
  #facts: CertificateFacts;
  /** State of the files that was tried last, and the one seen last. */
  #tried: string;
  #seen: string;
  #saidAtMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<TlsLook> | undefined;

  private constructor(paths: TlsPaths, options: TlsFilesOptions, first: Read) {
    this.#paths = paths;
    this.#log = options.log;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#material = first.material;
    this.#facts = first.facts;
    this.#tried = first.state;
    this.#seen = first.state;
    const everyMs = options.lookEveryMs ?? 5000;
    if (everyMs > 0) {
      this.#timer = setInterval(() => void this.look(), everyMs);
      this.#timer.unref();
    }
    this.#sayWhenItEnds();
  }

  /** Reads and checks the files. @throws TlsError with one sentence */
  static async open(paths: TlsPaths, options: TlsFilesOptions = {}): Promise<TlsFiles> {
    const state = await stateOf(paths);
    return new TlsFiles(paths, options, await read(paths, state));
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  get facts(): CertificateFacts {
    return this.#facts;
  }

  /** Called with each new material from now on. */
  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Looks at the files now. A change is taken once it has stood for one look, so that nobody reads half of a renewal;
   * `isAsked` takes it at once. Never rejects.
   */
  async look(isAsked = false): Promise<TlsLook> {
    // What is under way may have read the files before they were changed.
    if (isAsked) await this.#looking;
    this.#looking ??= this.#look(isAsked).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #look(isAsked: boolean): Promise<TlsLook> {
    this.#sayWhenItEnds();
    const state = await stateOf(this.#paths);
    const stood = state === this.#seen;
    this.#seen = state;
    if (!isAsked && (state === this.#tried || !stood)) return { changed: false };
    this.#tried = state;
    try {
      const next = await read(this.#paths, state);
      const isSame = JSON.stringify(next.material) === JSON.stringify(this.#material);
      if (isSame) return { changed: false };
      const nowMs = this.#nowMs();
      if (next.facts.notAfterMs <= nowMs && this.#facts.notAfterMs > nowMs) {
        throw new TlsError('the new certificate has run out already');
      }
      this.#material = next.material;
      this.#facts = next.facts;
    } catch (error) {
      const problem = error instanceof TlsError ? error.message : 'the files cannot be read';
      this.#log?.error({ certificate: this.#paths.certificate }, `the certificate in force stays: ${problem}`);
      return { changed: false, problem };
    }
    const { subject, fingerprint } = this.#facts;
    this.#log?.info({ subject, fingerprint, notAfter: shown(this.#facts) }, 'a new certificate is in force');
    this.#saidAtMs = Number.NEGATIVE_INFINITY;
    this.#sayWhenItEnds();
    for (const tell of this.#listeners) tell(this.#material);
    return { changed: true };
  }

  /** Once a day from thirty days before. */
  #sayWhenItEnds(): void {
    const nowMs = this.#nowMs();
    const leftMs = this.#facts.notAfterMs - nowMs;
    if (leftMs > WARN_MS || nowMs - this.#saidAtMs < DAY_MS) return;
    this.#saidAtMs = nowMs;
    const about = { certificate: this.#paths.certificate, notAfter: shown(this.#facts) };
    if (leftMs <= 0) this.#log?.error(about, 'the certificate has run out: clients refuse to connect');
    else this.#log?.warn(about, `the certificate runs out in ${Math.ceil(leftMs / DAY_MS)} days`);
  }
}

/** What a look at the files found. */
export interface TlsLook {
  readonly changed: boolean;
  /** Why new files were not taken. */
  readonly problem?: string;
}

interface Read {
  readonly material: TlsMaterial;
  readonly facts: CertificateFacts;
  readonly state: string;
}

const shown = (facts: CertificateFacts): string => new Date(facts.notAfterMs).toISOString();

async function read({ certificate, key, clientCa }: TlsPaths, state: string): Promise<Read> {
  const material = {
    certificate: await readText(certificate, 'certificate'),
    key: await readText(key, 'key', refuseExposedKey),
    ...(clientCa === undefined ? {} : { clientCa: await readText(clientCa, 'client_ca') }),
  };
  return { material, facts: checkMaterial(material), state };
}

async function readText(
  path: string,
  what: string,
  check: (path: string, facts: { readonly mode: number; readonly uid: number }) => void = () => {},
): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new TlsError(`\`${what}\`: \`${path}\` cannot be read (${codeOf(error)})`);
  }
  try {
    // Of the file that is read, not of one that stood there a moment ago.
    const facts = await file.stat();
    if (!facts.isFile() || facts.size > FILE_MAX) throw new TlsError(`\`${what}\`: \`${path}\` is no PEM file`);
    check(path, facts);
    return await file.readFile('utf8');
  } catch (error) {
    if (error instanceof TlsError) throw error;
    throw new TlsError(`\`${what}\`: \`${path}\` cannot be read (${codeOf(error)})`);
  } finally {
    await file.close();
  }
}

/** Whoever reads the key can be the broker to its clients. A group may read it: that is how systems share keys. */
function refuseExposedKey(path: string, { mode, uid }: { readonly mode: number; readonly uid: number }): void {
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  if ((mode & 0o007) !== 0) {
    throw new TlsError(`the key \`${path}\` is open to others (mode ${octal}): chmod 600 ${path}`);
  }
  if ((mode & 0o020) !== 0) {
    throw new TlsError(`the key \`${path}\` can be written by its group (mode ${octal}): chmod 600 ${path}`);
  }
  const own = process.getuid?.();
  if (uid !== 0 && own !== undefined && uid !== own) {
    throw new TlsError(`the key \`${path}\` belongs to user ${uid}: it has to be root's or the broker's own`);
  }
}

async function stateOf({ certificate, key, clientCa }: TlsPaths): Promise<string> {
  const paths = [certificate, key, clientCa].filter((path) => path !== undefined);
  const states = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path, { bigint: true }).catch((error: unknown) => codeOf(error));
      return typeof found === 'string' ? found : `${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
    }),
  );
  return states.join(' ');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
