import { createHash } from 'node:crypto';
import type { JournalFile } from '../journal/index.ts';
import type { RecordingLink } from './contract.ts';
import { RecordingError } from './contract.ts';
import type { Seal } from './seal.ts';

/** Bytes of text that go into one write, and one encrypted block, at most (what was taken at once stays together). */
const BLOCK = 64 << 10;
/** Bytes that may wait at most: who goes on in spite of `pendingBytes` ends the recording. */
export const MAX_PENDING = 16 << 20;
/** Milliseconds from the first byte that no link covers to the link: a second, with time for the disk and the journal. */
const LINK_AFTER_MS = 700;
/** A link that takes longer holds back what would be shown. */
const LINK_LATE_MS = 300;

export interface RecordingFileParts {
  readonly name: string;
  readonly file: JournalFile;
  readonly seal: Seal;
  readonly chain: (link: RecordingLink) => Promise<void>;
  readonly onFailed: (error: RecordingError) => void;
  /** Lines to be added before a link, so that it covers all that was shown. */
  readonly beforeLink: () => string;
  readonly linkAfterMs?: number;
}

/**
 * Text into a file, in order, with everything that fits into one write together; and links to it into the journal. One
 * write and one link are under way at a time. After the first failure nothing more is written.
 */
export class RecordingFile {
  readonly #parts: RecordingFileParts;
  readonly #digest = createHash('sha256');
  #waiting: { readonly text: string; readonly bytes: number; readonly elapsedMs: number }[] = [];
  #pendingBytes = 0;
  /** Bytes in the file, and milliseconds of the recording that they hold. */
  #bytes = 0;
  #elapsedMs = 0;
  #link = 0;
  #linkedBytes = -1;
  #isLinkLost = false;
  #draining: Promise<void> | undefined;
  #linking: Promise<void> = Promise.resolve();
  #linksUnderWay = 0;
  /** When the link that is under way should be there, on the clock of `performance.now()`. */
  #linkDueMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failure: RecordingError | undefined;
  #isClosing = false;

  constructor(parts: RecordingFileParts) {
    this.#parts = parts;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get failure(): RecordingError | undefined {
    return this.#failure;
  }

  /** Writes what stands before the text, the text, and the first link. @throws RecordingError */
  async begin(text: string): Promise<void> {
    await this.#guard('can not be begun', async () => {
      await this.#write(await this.#parts.seal.begin());
      await this.#write(await this.#parts.seal.block(text, false));
      await this.#makeLink();
    });
    this.#mustBeSound();
  }

  /** Takes text of whole lines. Does nothing after a failure or the end. */
  add(text: string, elapsedMs: number): void {
    if (text === '' || this.#failure !== undefined || this.#isClosing) return;
    const bytes = Buffer.byteLength(text);
    this.#waiting.push({ text, bytes, elapsedMs });
    this.#pendingBytes += bytes;
    if (this.#pendingBytes > MAX_PENDING) {
      this.#fail(new RecordingError('the recording can not be written as fast as the program writes'));
      return;
    }
    this.#draining ??= this.#drain();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#linksUnderWay += 1;
      this.#linkDueMs ??= performance.now() + LINK_LATE_MS;
      this.#linking = this.#linking.then(() => this.#linkNow()).then(() => this.#linked());
    }, this.#parts.linkAfterMs ?? LINK_AFTER_MS);
  }

  /**
   * Resolves when everything taken so far is in the file, and no link is late: a disk that is slow must not let grow what the
   * journal does not vouch for. @throws RecordingError
   */
  async flush(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining;
    if (this.#linkDueMs !== undefined && performance.now() > this.#linkDueMs) await this.#linking;
    this.#mustBeSound();
  }

  /** Writes the last text and the last link. @throws RecordingError */
  async close(text: string, elapsedMs: number): Promise<RecordingLink> {
    this.#isClosing = true;
    clearTimeout(this.#timer);
    await this.#linking;
    try {
      await this.flush();
      let link: RecordingLink | undefined;
      await this.#guard('can not be ended', async () => {
        await this.#write(await this.#parts.seal.block(text, true));
        this.#elapsedMs = Math.max(this.#elapsedMs, elapsedMs);
        link = await this.#makeLink(true);
      });
      this.#mustBeSound();
      if (link === undefined) throw new RecordingError('the recording has no last link');
      return link;
    } finally {
      await this.#parts.file.close().catch(() => undefined);
    }
  }

  async #drain(): Promise<void> {
    // What is added in the same turn goes into the same write.
    await Promise.resolve();
    while (this.#waiting.length > 0 && this.#failure === undefined) {
      await this.#guard('can not be written', async () => {
        const { text, bytes, elapsedMs } = this.#nextBlock();
        await this.#write(await this.#parts.seal.block(text, false));
        if (this.#failure === undefined) this.#pendingBytes -= bytes;
        this.#elapsedMs = Math.max(this.#elapsedMs, elapsedMs);
      });
    }
    // In the turn of the last look: what is added from here on begins the next one.
    this.#draining = undefined;
  }

  #nextBlock(): { readonly text: string; readonly bytes: number; readonly elapsedMs: number } {
    let count = 0;
    let bytes = 0;
    let elapsedMs = 0;
    for (const one of this.#waiting) {
      if (count > 0 && bytes + one.bytes > BLOCK) break;
      count += 1;
      bytes += one.bytes;
      elapsedMs = Math.max(elapsedMs, one.elapsedMs);
    }
    const taken = this.#waiting.splice(0, count);
    return { text: taken.map(({ text }) => text).join(''), bytes, elapsedMs };
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const count = await this.#parts.file.append(bytes.subarray(done));
      if (count <= 0) throw new Error('the disk takes no more');
      done += count;
    }
    this.#digest.update(bytes);
    this.#bytes += bytes.length;
  }

  async #linkNow(): Promise<void> {
    if (this.#isClosing || this.#failure !== undefined) return;
    await this.#guard('can not be kept', async () => {
      this.add(this.#parts.beforeLink(), this.#elapsedMs);
      while (this.#draining !== undefined) await this.#draining;
      if (this.#failure === undefined && this.#bytes > this.#linkedBytes) await this.#makeLink();
    });
  }

  #linked(): void {
    this.#linksUnderWay -= 1;
    this.#linkDueMs = this.#linksUnderWay === 0 ? undefined : performance.now() + LINK_LATE_MS;
  }

  async #lastLink(): Promise<void> {
    // After a sync or a link that failed nothing can be said; before the first one there is nothing to say.
    if (this.#isLinkLost || this.#link === 0 || this.#bytes === this.#linkedBytes) return;
    await this.#makeLink();
  }

  async #makeLink(isFinal = false): Promise<RecordingLink> {
    // Taken before the sync: what is written meanwhile belongs to the next one.
    const link: RecordingLink = {
      file: this.#parts.name,
      link: this.#link,
      bytes: this.#bytes,
      digest: this.#digest.copy().digest('hex'),
      elapsedMs: Math.round(this.#elapsedMs),
      ...(isFinal ? { final: true } : {}),
    };
    this.#isLinkLost = true;
    await this.#parts.file.datasync();
    await this.#parts.chain(link);
    this.#isLinkLost = false;
    this.#link += 1;
    this.#linkedBytes = link.bytes;
    return link;
  }

  async #guard(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#fail(
        error instanceof RecordingError
          ? error
          : new RecordingError(`the recording \`${this.#parts.name}\` ${what}: ${why}`, { cause: error }),
      );
    }
  }

  #fail(error: RecordingError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#waiting = [];
    // Nothing waits any more: whoever made a program wait for this must let it come to its end.
    this.#pendingBytes = 0;
    clearTimeout(this.#timer);
    // What stands in the file is kept, and vouched for if that is still possible.
    this.#linking = this.#linking
      .then(() => this.#lastLink())
      .catch(() => undefined)
      .finally(() => this.#parts.file.close().catch(() => undefined));
    this.#parts.onFailed(error);
  }

  #mustBeSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
