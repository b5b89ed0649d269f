import { SystemCallError } from '../../../src/backend/native/index.ts';
import type { FakeFile, FakeNative } from '../mailbox/fake-native.ts';

/** A row of the kernel's command table. */
interface Row {
  readonly opcode: number;
  readonly input: number;
  readonly output: number;
}

const VARIABLE = 0xffff_ffff;
const MAX_ID = 25;

/** The mainline table where this needs it; ids are positions. */
const table = new Map<number, Row>([
  [1, { opcode: 0x4000, input: 0, output: 0x43 }],
  [3, { opcode: 0x0400, input: 0, output: VARIABLE }],
  [7, { opcode: 0x4200, input: 0, output: 0x12 }],
  [8, { opcode: 0x0401, input: 0x18, output: VARIABLE }],
  [10, { opcode: 0x4103, input: VARIABLE, output: 0 }],
  [21, { opcode: 0x0300, input: 0, output: 8 }],
  [23, { opcode: 0x0403, input: 0x10, output: 0 }],
]);

const VENDOR_DEBUG_LOG = '5e1819d911a9400c811fd60719403d86';
const NEVER_RAW = [0x0202, 0x4101, 0x4103, 0x4204, 0x4304, 0x4305, 0x4300, 0x4301, 0x4302];

export interface FakeMailbox {
  payloadSize?: number;
  /** The kernel was built with raw commands. */
  raw?: boolean;
  lockedDown?: boolean;
  /** Ids that the device's CEL has; IDENTIFY and the two log commands are there anyway. */
  enabled?: readonly number[];
  exclusive?: readonly number[];
  /** What the mailbox does before it runs anything. */
  trouble?: 'busy' | 'timeout' | 'gone' | undefined;
  run?: (opcode: number, payload: Uint8Array) => { returnCode?: number; payload?: Uint8Array; background?: boolean };
  /** Bytes that the device claims, when these are not its payload's. */
  claims?: number;
}

/** The kernel's CXL mailbox ioctl: its checks in their order, on the bytes of the structures. */
export class FakeKernel implements FakeFile {
  readonly mailbox: FakeMailbox;
  /** Opcodes that reached the device, in order. */
  readonly ran: number[] = [];
  /** The once-only warning for raw commands was given. */
  warned = false;
  readonly #native: FakeNative;

  constructor(native: FakeNative, mailbox: FakeMailbox = {}) {
    this.#native = native;
    this.mailbox = mailbox;
  }

  ioctl(request: number, argument: number | Uint8Array): number {
    if (this.mailbox.trouble === 'gone') throw errno('ENXIO');
    if (typeof argument === 'number') throw errno('EFAULT');
    const view = new DataView(argument.buffer, argument.byteOffset, argument.byteLength);
    if (request === 0x8008_ce01) return this.#query(view);
    if (request === 0xc030_ce02) return this.#send(view);
    throw errno('ENOTTY');
  }

  #query(view: DataView): number {
    const room = view.getUint32(0, true);
    if (room === 0) {
      view.setUint32(0, MAX_ID, true);
      return 0;
    }
    for (let id = 0; id < Math.min(room, MAX_ID); id++) {
      const row = table.get(id);
      const at = 8 + 16 * id;
      // RAW is never shown as enabled; empty slots are all zeros.
      const isRaw = id === 2 && this.mailbox.raw === true;
      if (row === undefined && !isRaw) continue;
      const flags = (this.#isEnabled(id) ? 1 : 0) | ((this.mailbox.exclusive ?? []).includes(id) ? 2 : 0);
      view.setUint32(at, id, true);
      view.setUint32(at + 4, isRaw ? 0 : flags, true);
      view.setUint32(at + 8, row?.input ?? VARIABLE, true);
      view.setUint32(at + 12, row?.output ?? VARIABLE, true);
    }
    return 0;
  }

  #send(view: DataView): number {
    if (view.byteLength !== 48) throw errno('EFAULT');
    const id = view.getUint32(0, true);
    const size = this.mailbox.payloadSize ?? 512;
    const input = {
      size: view.getUint32(16, true),
      reserved: view.getUint32(20, true),
      at: view.getBigUint64(24, true),
    };
    const output = {
      size: view.getUint32(32, true),
      reserved: view.getUint32(36, true),
      at: view.getBigUint64(40, true),
    };
    if (id === 0 || id >= MAX_ID) throw errno('ENOTTY');
    if (input.size > size) throw errno('EINVAL');
    const opcode = id === 2 ? this.#raw(view, output.size, size) : this.#listed(view, id, input, output);
    const payload = this.#native.memoryAt(input.at, input.size).slice();
    if (input.size > 0) this.#inspect(opcode, payload);
    if (this.mailbox.trouble === 'busy') throw errno('EBUSY');
    this.ran.push(opcode);
    if (this.mailbox.trouble === 'timeout') throw errno('ETIMEDOUT');
    const reply = this.mailbox.run?.(opcode, payload) ?? {};
    // A background command of a user's has no time to poll in: it fails while it goes on.
    if (reply.background === true) throw errno('ETIMEDOUT');
    const target = this.#native.memoryAt(output.at, output.size);
    if ((reply.returnCode ?? 0) !== 0) {
      target.fill(0);
      view.setUint32(12, reply.returnCode ?? 0, true);
      return 0;
    }
    const bytes = reply.payload ?? new Uint8Array(0);
    const length = Math.min(output.size, size, bytes.length);
    target.set(bytes.subarray(0, length));
    view.setUint32(12, 0, true);
    view.setUint32(32, this.mailbox.claims ?? length, true);
    return 0;
  }

  #listed(
    view: DataView,
    id: number,
    input: { readonly size: number; readonly reserved: number },
    output: { readonly size: number; readonly reserved: number },
  ): number {
    if ((view.getUint32(4, true) & ~3) !== 0) throw errno('EINVAL');
    if (view.getUint32(8, true) !== 0) throw errno('EINVAL');
    if (input.reserved !== 0 || output.reserved !== 0) throw errno('EINVAL');
    const row = table.get(id);
    if (row === undefined || !this.#isEnabled(id)) throw errno('ENOTTY');
    if ((this.mailbox.exclusive ?? []).includes(id)) throw errno('EBUSY');
    if (row.input !== VARIABLE && input.size !== row.input) throw errno('ENOMEM');
    if (row.output !== VARIABLE && output.size < row.output) throw errno('ENOMEM');
    return row.opcode;
  }

  #raw(view: DataView, outputSize: number, size: number): number {
    const opcode = view.getUint16(8, true);
    if (view.getUint16(10, true) !== 0 || outputSize > size) throw errno('EINVAL');
    const isSecurity = [0x44, 0x45, 0x46].includes(opcode >>> 8);
    if (this.mailbox.raw !== true || this.mailbox.lockedDown === true || isSecurity || NEVER_RAW.includes(opcode)) {
      throw errno('EPERM');
    }
    this.warned = true;
    return opcode;
  }

  #inspect(opcode: number, payload: Uint8Array): void {
    if (opcode === 0x4101 && (payload.length < 9 || ((payload[8] ?? 0) & 1) !== 0)) throw errno('EBUSY');
    if (opcode === 0x0403 && Buffer.from(payload.subarray(0, 16)).toString('hex') !== VENDOR_DEBUG_LOG)
      throw errno('EBUSY');
  }

  #isEnabled(id: number): boolean {
    return [1, 3, 8].includes(id) || (this.mailbox.enabled ?? []).includes(id);
  }
}

function errno(code: string): SystemCallError {
  return new SystemCallError('ioctl', code);
}
