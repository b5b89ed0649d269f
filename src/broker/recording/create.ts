import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hostJournalFileSystem, type JournalFileSystem } from '../journal/index.ts';
import { ByteStream, endLine, headerLine, markerLine, resizeLine } from './cast.ts';
import type { Recording, RecordingLink, RecordingOptions } from './contract.ts';
import { RecordingError } from './contract.ts';
import { RecordingFile } from './recording-file.ts';
import { encryptingSeal, noSeal, type Seal } from './seal.ts';

export interface RecordingParts {
  readonly fileSystem?: JournalFileSystem;
  /** Milliseconds from the first byte that no link covers to the next link. Default 700. */
  readonly linkAfterMs?: number;
}

/** Names of recordings: by the session, and whether they are encrypted. */
export const RECORDING_NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.cast(\.jwe)?$/;

/** Begins a recording; see `CreateRecording`. @throws RecordingError */
export async function createRecording(
  options: RecordingOptions,
  { fileSystem = hostJournalFileSystem, linkAfterMs }: RecordingParts = {},
): Promise<Recording> {
  const { directory, session, publicKey } = options;
  const name = `${session}.cast${publicKey === undefined ? '' : '.jwe'}`;
  if (!RECORDING_NAME.test(name)) throw new RecordingError(`\`${session}\` is not the id of a session`);
  const seal = publicKey === undefined ? noSeal : encryptingSeal(publicKey, session);
  const path = join(directory, name);
  const file = await opened(fileSystem, path, directory);
  const recording = new CastRecording(options, {
    name,
    file,
    seal,
    ...(linkAfterMs === undefined ? {} : { linkAfterMs }),
  });
  try {
    await recording.begin();
    return recording;
  } catch (error) {
    await file.close().catch(() => undefined);
    // Nothing was shown yet: a file that the journal does not know would look like somebody else's.
    if (fileSystem === hostJournalFileSystem) await unlink(path).catch(() => undefined);
    throw error;
  }
}

async function opened(fileSystem: JournalFileSystem, path: string, directory: string) {
  try {
    const file = await fileSystem.open(path, 'create');
    await fileSystem.syncDirectory(directory).catch(async (error: unknown) => {
      await file.close().catch(() => undefined);
      throw error;
    });
    return file;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RecordingError(`the recording \`${path}\` can not be made: ${why}`, { cause: error });
  }
}

class CastRecording implements Recording {
  readonly file: string;
  readonly #options: RecordingOptions;
  readonly #output = new ByteStream('o');
  readonly #input = new ByteStream('i');
  readonly #lines: RecordingFile;
  /** Milliseconds from the beginning to the last event: time does not go back in a recording. */
  #elapsedMs = 0;
  #isBegun = false;

  constructor(
    options: RecordingOptions,
    parts: {
      readonly name: string;
      readonly file: ConstructorParameters<typeof RecordingFile>[0]['file'];
      readonly seal: Seal;
      readonly linkAfterMs?: number;
    },
  ) {
    this.file = parts.name;
    this.#options = options;
    this.#lines = new RecordingFile({
      ...parts,
      chain: options.chain,
      onFailed: (error) => {
        // Before it has begun, whoever wants to begin it is told by the exception.
        if (this.#isBegun) options.onFailed(error);
      },
      beforeLink: () => this.#cutCharacters(),
    });
  }

  async begin(): Promise<void> {
    const { width, height, startedAtMs, program, session, principal, switch: name } = this.#options;
    await this.#lines.begin(
      headerLine({
        version: 2,
        width,
        height,
        timestamp: Math.floor(startedAtMs / 1000),
        title: `${program} on ${name}`,
        env: { TERM: 'xterm-256color' },
        cci: { session, switch: name, program, principal },
      }),
    );
    this.#isBegun = true;
  }

  get pendingBytes(): number {
    return this.#lines.pendingBytes;
  }

  output(bytes: Uint8Array, atMs: number): void {
    const elapsedMs = this.#at(atMs);
    this.#lines.add(this.#output.take(bytes, elapsedMs), elapsedMs);
  }

  input(bytes: Uint8Array, atMs: number): void {
    const elapsedMs = this.#at(atMs);
    this.#lines.add(this.#input.take(bytes, elapsedMs), elapsedMs);
  }

  resize(columns: number, rows: number, atMs: number): void {
    const elapsedMs = this.#at(atMs);
    this.#lines.add(resizeLine(elapsedMs, columns, rows), elapsedMs);
  }

  marker(text: string, atMs: number): void {
    const elapsedMs = this.#at(atMs);
    this.#lines.add(markerLine(elapsedMs, text), elapsedMs);
  }

  flush(): Promise<void> {
    this.#lines.add(this.#cutCharacters(), this.#elapsedMs);
    return this.#lines.flush();
  }

  close(): Promise<RecordingLink> {
    return this.#lines.close(this.#cutCharacters() + endLine(this.#elapsedMs), this.#elapsedMs);
  }

  #at(atMs: number): number {
    this.#elapsedMs = Math.max(this.#elapsedMs, Math.round(atMs - this.#options.startedAtMs));
    return this.#elapsedMs;
  }

  #cutCharacters(): string {
    return this.#output.begun(this.#elapsedMs) + this.#input.begun(this.#elapsedMs);
  }
}
