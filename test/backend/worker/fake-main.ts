import { readdirSync, readlinkSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { type Backend, BackendError, type CciReply, type CciRequest } from '../../../src/backend/index.ts';
import { endWithParent, loadNative } from '../../../src/backend/native/index.ts';
import { encodeFrame } from '../../../src/backend/worker/frames.ts';
import { hostBackend } from '../../../src/backend/worker/host.ts';

/** What the fake does at an opcode. Everything else is answered with the payload that was sent. */
export const deeds = {
  blockForEver: 0xc001,
  neverAnswer: 0xc002,
  segmentationFault: 0xc003,
  busError: 0xc004,
  exit: 0xc005,
  replyTooLong: 0xc006,
  garbage: 0xc007,
  floodOfFrames: 0xc008,
  floodOfText: 0xc009,
  refuseBusy: 0xc00a,
  plainError: 0xc00b,
  describeSelf: 0xc00c,
  answerToNothing: 0xc00d,
  wrongKind: 0xc00e,
  hugeHeader: 0xc00f,
  deviceError: 0xc010,
} as const;

export interface FakeOptions {
  readonly maxPayload?: number;
  readonly atOpen?: 'throw' | 'die' | 'block' | 'lie';
  readonly atClose?: 'die' | 'block';
  /** Held while open. */
  readonly lockFile?: string;
}

const CHANNEL_FD = 3;
const text = (value: unknown) => Buffer.from(JSON.stringify(value));
const done = (payload: Uint8Array = new Uint8Array(0)): CciReply => ({
  returnCode: 0,
  vendorStatus: 0,
  background: false,
  payload,
});

function block(): never {
  for (;;);
}

/** Reads a page of a mapping whose file was cut off: what a revoked device mapping does to its reader. */
async function busError(): Promise<never> {
  const { mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const folder = mkdtempSync(join(tmpdir(), 'switch-cci-bus-'));
  const file = join(folder, 'page');
  writeFileSync(file, new Uint8Array(4096));
  const memory = (await loadNative()).map(openSync(file, 'r+'), 0, 4096);
  truncateSync(file, 0);
  rmSync(folder, { recursive: true });
  memory.read32(0);
  throw new Error('no bus error');
}

class FakeBackend implements Backend {
  readonly maxInFlight = 1;
  readonly touchesHostHardware = true;
  readonly maxPayload: number;
  readonly #options: FakeOptions;
  #lock: number | undefined;

  constructor(options: FakeOptions) {
    this.#options = options;
    this.maxPayload = options.maxPayload ?? 512;
  }

  get identity() {
    const description = this.#options.atOpen === 'lie' ? { toString: () => 'x' } : `fake of process ${process.pid}`;
    return { kind: 'fake', description: description as string, bootId: 'fake', notes: ['a note'] };
  }

  async open(): Promise<void> {
    const { atOpen, lockFile } = this.#options;
    if (atOpen === 'throw') throw new BackendError('EBUSY', 'unknown', 'somebody\u001b[31m has\nit');
    if (atOpen === 'die') process.exit(3);
    if (atOpen === 'block') block();
    if (lockFile !== undefined) {
      const native = await loadNative();
      this.#lock = native.open(lockFile, 'read');
      if (!native.lock(this.#lock)) throw new BackendError('EBUSY', 'not-sent', 'two workers on one device');
    }
  }

  async close(): Promise<void> {
    if (this.#options.atClose === 'die') process.exit(4);
    if (this.#options.atClose === 'block') block();
    if (this.#lock !== undefined) (await loadNative()).close(this.#lock);
  }

  async execute({ opcode, payload }: CciRequest): Promise<CciReply> {
    switch (opcode as number) {
      case deeds.blockForEver:
        return block();
      case deeds.neverAnswer:
        return new Promise(() => undefined);
      case deeds.segmentationFault:
        koffi.decode(8n as never, 'uint32_t');
        return done();
      case deeds.busError:
        return busError();
      case deeds.exit:
        return process.exit(5);
      case deeds.replyTooLong:
        return done(new Uint8Array(this.maxPayload + 1));
      case deeds.garbage:
        writeSync(CHANNEL_FD, Buffer.from('HTTP/1.1 200 OK\r\nnothing that was agreed on\r\n'));
        return new Promise(() => undefined);
      case deeds.floodOfFrames:
        for (;;) writeAll(encodeFrame({ kind: 'closed', sequence: 77, body: new Uint8Array(0) }));
      case deeds.floodOfText:
        for (let line = 0; line < 20_000; line++)
          process.stderr.write('error: all work and no play makes a long log\n');
        return done();
      case deeds.refuseBusy:
        throw new BackendError('EBUSY', 'not-sent', 'the doorbell is set');
      case deeds.plainError:
        throw new TypeError('a defect');
      case deeds.describeSelf:
        return done(
          text({
            environment: process.env,
            folder: process.cwd(),
            arguments: process.argv.slice(2),
            descriptors: readdirSync('/proc/self/fd').flatMap((fd) => {
              try {
                return [[Number(fd), readlinkSync(`/proc/self/fd/${fd}`)]];
              } catch {
                return [];
              }
            }),
          }),
        );
      case deeds.answerToNothing:
        writeAll(encodeFrame({ kind: 'reply', sequence: 4711, body: new Uint8Array(8) }));
        return new Promise(() => undefined);
      case deeds.wrongKind:
        // The second request of this channel: the first was `open`.
        writeAll(encodeFrame({ kind: 'closed', sequence: 2, body: new Uint8Array(0) }));
        return new Promise(() => undefined);
      case deeds.hugeHeader: {
        const header = encodeFrame({ kind: 'reply', sequence: 2, body: new Uint8Array(8) }).subarray(0, 12);
        header.writeUInt32LE(0xffff_ffff, 8);
        writeAll(header);
        return new Promise(() => undefined);
      }
      case deeds.deviceError:
        return { returnCode: 0x0003, vendorStatus: 0xabcd, background: true, payload: new Uint8Array(0) };
      default:
        return done(payload);
    }
  }
}

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(CHANNEL_FD, bytes, at);
    } catch {
      // The broker does not read at the moment.
    }
  }
}

// Imported for its table by the tests; a program only where a worker runs it.
if (process.argv[1] === import.meta.filename) {
  await endWithParent();
  hostBackend({ fake: async (options) => new FakeBackend(options as FakeOptions) });
}
