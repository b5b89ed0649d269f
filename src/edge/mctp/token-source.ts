import { readFile } from 'node:fs/promises';

/** Where a token comes from that has to be fetched again now and then. */
export interface TokenSource {
  /** The token to use now; empty where there is none. Never rejects. */
  current(): string | Promise<string>;
  /** Fetches it anew, because the last one was refused. Never rejects. */
  renew(): Promise<string>;
}

/** Bytes of a token file that are looked at. */
const TOKEN_MAX = 16 * 1024;

/**
 * A token in a file that somebody else keeps fresh. Looked at again at most every `recheckMs`, in the background as long
 * as the token at hand has not run out.
 *
 * @param onProblem told when the file cannot be used, once until it can
 * @param reader how its text is got: by whoever may read it
 */
export class FileToken implements TokenSource {
  private readonly path: string;
  private readonly recheckMs: number;
  private readonly onProblem: (text: string) => void;
  private readonly reader: (path: string) => Promise<string>;
  private token = '';
  private expiresAtMs = 0;
  private readAtMs = Number.NEGATIVE_INFINITY;
  private reading: Promise<string> | undefined;
  private hasProblem = false;

  constructor(
    path: string,
    onProblem: (text: string) => void = () => {},
    recheckMs = 1000,
    reader: (path: string) => Promise<string> = (file) => readFile(file, 'utf8'),
  ) {
    this.path = path;
    this.onProblem = onProblem;
    this.recheckMs = recheckMs;
    this.reader = reader;
  }

  current(): string | Promise<string> {
    const isFresh = performance.now() - this.readAtMs < this.recheckMs;
    if (this.token !== '' && this.expiresAtMs > Date.now()) {
      if (!isFresh) void this.renew();
      return this.token;
    }
    return isFresh ? this.token : this.renew();
  }

  renew(): Promise<string> {
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private async read(): Promise<string> {
    this.readAtMs = performance.now();
    try {
      const token = (await this.reader(this.path)).trim();
      if (!isToken(token)) return this.problem('does not hold a token');
      this.hasProblem = false;
      this.token = token;
      this.expiresAtMs = expiryOf(token) ?? Number.POSITIVE_INFINITY;
      return token;
    } catch (error) {
      return this.problem(`cannot be read (${error instanceof Error && 'code' in error ? error.code : 'unreadable'})`);
    }
  }

  /** A file that is being written anew may be empty for a moment: the token at hand stays in use. */
  private problem(text: string): string {
    if (!this.hasProblem) this.onProblem(`the token file \`${this.path}\` ${text}`);
    this.hasProblem = true;
    return this.token;
  }
}

/** Can it go into a header, and is it of a believable size? */
export function isToken(text: string): boolean {
  return text.length > 0 && text.length <= TOKEN_MAX && /^[\x21-\x7e]+$/.test(text);
}

/**
 * When a token says that it runs out, milliseconds since 1970; undefined where it does not say. Nothing is verified:
 * this only decides when to fetch the next one.
 */
export function expiryOf(token: string): number | undefined {
  const [, claims] = token.split('.');
  if (claims === undefined) return undefined;
  try {
    const read: unknown = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'));
    const exp = typeof read === 'object' && read !== null && 'exp' in read ? read.exp : undefined;
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
