import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { BackendError } from '../../backend.ts';
import type { RegisterIo, RegisterIoIdentity } from '../register-io.ts';
import { locateDeviceRegisters } from '../register-locator.ts';
import { QtestConnection } from './connection.ts';
import { findSwitchCci, placeBar } from './enumerate.ts';
import { planMachine, type QtestOptions } from './options.ts';
import { formatAddress, PciConfig } from './pci.ts';
import { aborted, type QemuProcess, startQemu } from './qemu-process.ts';

/** 4-byte payload accesses sent ahead of their answers: enough for 2 KiB at once, and a bound on what is queued. */
const BATCH = 512;

interface Carrier {
  readonly socket: Socket;
  readonly process?: QemuProcess;
  readonly description: string;
  readonly bootId: string;
}

/** The registers of a Switch CCI that QEMU emulates, with nobody but us driving the machine. */
export class QtestRegisterIo implements RegisterIo {
  readonly touchesHostHardware = false;
  readonly #options: QtestOptions;
  #abort = new AbortController();
  #connection: QtestConnection | undefined;
  #process: QemuProcess | undefined;
  #base = 0;
  #size = 0;

  /** @throws BackendError EINVAL `not-sent` for a machine that can't be built */
  constructor(options: QtestOptions) {
    if ('spawn' in options) planMachine(options.spawn, options.root_bus ?? 12);
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Starts or joins QEMU, enumerates PCI and places the BAR of the Switch CCI.
   *
   * @throws BackendError `not-sent`: EIO, ETIMEDOUT after `open_timeout_ms`, EPROTO for a machine without a usable CCI
   */
  async open(): Promise<RegisterIoIdentity> {
    const abort = new AbortController();
    this.#abort = abort;
    const limitMs = this.#options.open_timeout_ms ?? 10_000;
    const late = new BackendError('ETIMEDOUT', 'not-sent', `${this.#target()} did not answer within ${limitMs} ms`);
    const timer = setTimeout(() => abort.abort(late), limitMs);
    try {
      return await this.#open(abort.signal);
    } catch (cause) {
      if (cause instanceof BackendError) throw cause;
      if (abort.signal.aborted && abort.signal.reason instanceof BackendError) throw abort.signal.reason;
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new BackendError('EIO', 'not-sent', `${this.#target()} can't be used: ${text}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new BackendError('EIO', 'not-sent', 'the qtest transport was closed'));
    this.#connection?.close();
    this.#connection = undefined;
    this.#size = 0;
    const process = this.#process;
    this.#process = undefined;
    await process?.kill();
  }

  async read32(offset: number): Promise<number> {
    return this.#live().readl(this.#base + offset);
  }

  async read64(offset: number): Promise<bigint> {
    return this.#live().readq(this.#base + offset);
  }

  async write32(offset: number, value: number): Promise<void> {
    return this.#live().writel(this.#base + offset, value);
  }

  async write64(offset: number, value: bigint): Promise<void> {
    return this.#live().writeq(this.#base + offset, value);
  }

  async readPayload(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    const start = this.#base + offset;
    for (let at = 0; at < length; at += BATCH * 4) {
      const count = Math.min(BATCH, Math.ceil((length - at) / 4));
      const words = await this.#live().readlAll(Array.from({ length: count }, (_, word) => start + at + 4 * word));
      for (const [word, value] of words.entries()) {
        // Stores past the end of a typed array are dropped, which cuts the last word to length.
        for (let byte = 0; byte < 4; byte++) bytes[at + 4 * word + byte] = (value >>> (8 * byte)) & 0xff;
      }
    }
    return bytes;
  }

  async writePayload(offset: number, bytes: Uint8Array): Promise<void> {
    const start = this.#base + offset;
    const byteAt = (at: number): number => bytes[at] ?? 0;
    for (let at = 0; at < bytes.length; at += BATCH * 4) {
      const count = Math.min(BATCH, Math.ceil((bytes.length - at) / 4));
      const stores = Array.from({ length: count }, (_, word) => {
        const from = at + 4 * word;
        const high = (byteAt(from + 3) << 24) | (byteAt(from + 2) << 16);
        return [start + from, (high | (byteAt(from + 1) << 8) | byteAt(from)) >>> 0] as const;
      });
      await this.#live().writelAll(stores);
    }
  }

  async #open(signal: AbortSignal): Promise<RegisterIoIdentity> {
    const carrier = await this.#reach(signal);
    const qemu = carrier.process;
    const connection = new QtestConnection(carrier.socket, qemu === undefined ? undefined : () => qemu.explain());
    if (signal.aborted) {
      connection.close();
      await qemu?.kill();
      throw signal.reason;
    }
    this.#connection = connection;
    this.#process = qemu;
    const onAbort = () => connection.close('the qtest connection was given up');
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const config = new PciConfig(connection);
      await config.openExtended();
      // Bus 0 too: the CCI may sit on a root port of its own.
      const found = await findSwitchCci(config, [0, this.#options.root_bus ?? 12]);
      const registers = await locateDeviceRegisters(config.of(found.at));
      const bar = await placeBar(config, found, registers.bar);
      if (registers.offset >= bar.bytes) throw new Error('the device registers lie outside their BAR');
      this.#base = bar.address + registers.offset;
      this.#size = bar.bytes - registers.offset;
      const description = `${carrier.description}, Switch CCI at ${formatAddress(found.at)}`;
      return { transport: 'qtest', description, bootId: carrier.bootId };
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #reach(signal: AbortSignal): Promise<Carrier> {
    const options = this.#options;
    if ('socket' in options) return join(options.socket, signal);
    const plan = planMachine(options.spawn, options.root_bus ?? 12);
    const started = await startQemu(plan, signal);
    const description = `QEMU of our own over qtest, ${plan.ports} ports, ${plan.devices.length} memory devices`;
    return { ...started, description, bootId: `qemu-${randomUUID()}` };
  }

  #target(): string {
    return 'socket' in this.#options ? `QEMU at ${this.#options.socket}` : 'QEMU';
  }

  #live(): QtestConnection {
    if (this.#connection === undefined) throw new Error('the qtest transport is not open');
    return this.#connection;
  }
}

/**
 * Joins a running QEMU. Its boot id comes from the socket file: QEMU makes a new one at each start, so inode and
 * modification time differ from one QEMU to the next and stay the same for as long as one runs.
 */
async function join(path: string, signal: AbortSignal): Promise<Carrier> {
  const before = await socketBootId(path);
  const socket = await connected(path, signal);
  const bootId = await socketBootId(path).catch(() => '');
  if (bootId !== before) {
    socket.destroy();
    throw new Error('QEMU was started anew meanwhile');
  }
  return { socket, description: `QEMU over qtest at ${path}`, bootId };
}

async function socketBootId(path: string): Promise<string> {
  const { dev, ino, mtimeNs } = await stat(path, { bigint: true });
  return `qemu-${dev.toString(16)}-${ino.toString(16)}-${mtimeNs.toString(16)}`;
}

async function connected(path: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect(path);
  try {
    const up = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    await Promise.race([up, aborted(signal)]);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
