import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { hex16 } from '../../cci/index.ts';
import { type Backend, BackendError, type BackendIdentity, type CciReply, type CciRequest } from '../backend.ts';
import { HardwareError, type HostPaths, readBootId } from '../devices/index.ts';
import { errnoOf, type NativeBuffer, type NativeCalls } from '../native/index.ts';
import {
  type CommandInfo,
  CXL_MEM_QUERY_COMMANDS,
  CXL_MEM_SEND_COMMAND,
  decodeQuery,
  decodeQueryCount,
  decodeSend,
  encodeQuery,
  encodeSend,
  RAW_ID,
  SEND_BYTES,
  VARIABLE_SIZE,
} from './abi.ts';
import { commandIds } from './command-ids.ts';
import { explainSend } from './failures.ts';
import type { ChardevOptions } from './options.ts';

/** Smallest mailbox that the specification allows, in bytes. */
const MAX_PAYLOAD_FALLBACK = 256;
const MAX_PAYLOAD_LIMIT = 1_048_576;
/** More commands than any kernel will list. */
const COMMANDS_MAX = 4096;

const DRIVER_DECIDES =
  'a kernel driver owns this mailbox: its own rules apply below the policy, and commands it does not list go as raw ones';

interface OpenDevice {
  readonly native: NativeCalls;
  readonly fd: number;
  readonly identity: BackendIdentity;
  readonly maxPayload: number;
  /** Input first, output behind it. */
  readonly buffer: NativeBuffer;
  readonly commands: ReadonlyMap<number, CommandInfo>;
}

/**
 * A Switch CCI behind a kernel driver and its ioctl. The call blocks its thread for as long as the kernel works on the
 * command (2 s and what waits before it): run it where nothing else has to go on.
 */
export class ChardevBackend implements Backend {
  readonly maxInFlight = 1;
  readonly touchesHostHardware = true;
  readonly #options: ChardevOptions;
  readonly #load: () => Promise<NativeCalls>;
  readonly #paths: HostPaths;
  readonly #ids: ReadonlyMap<number, number>;
  #open: OpenDevice | undefined;

  constructor(options: ChardevOptions, load: () => Promise<NativeCalls>, paths: HostPaths) {
    this.#options = options;
    this.#load = load;
    this.#paths = paths;
    this.#ids = commandIds(options);
  }

  get identity(): BackendIdentity {
    return this.#ready().identity;
  }

  get maxPayload(): number {
    return this.#open?.maxPayload ?? 0;
  }

  /**
   * Opens the node and asks the kernel which commands it offers.
   *
   * @throws BackendError EINVAL when already open; HardwareError `not-found`, `permission`, `no-native-library`,
   * `unsupported` for a node that is no CXL mailbox, `system-call`
   */
  async open(): Promise<void> {
    if (this.#open !== undefined) throw new BackendError('EINVAL', 'not-sent', 'the device is already open');
    const native = await this.#load();
    const { path } = this.#options;
    const maxPayload = await this.#payloadSize();
    const bootId = await readBootId(this.#paths);
    const fd = openNode(native, path);
    try {
      const commands = new Map(queryCommands(native, fd, path).map((row) => [row.id, row]));
      const identity = { kind: 'chardev', description: `Switch CCI at ${path}`, bootId, notes: [DRIVER_DECIDES] };
      this.#open = { native, fd, identity, maxPayload, commands, buffer: native.allocate(2 * maxPayload) };
    } catch (error) {
      native.close(fd);
      throw error;
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    // Calls are synchronous: none is under way, so that nobody uses the buffer.
    open.buffer.free();
    open.native.close(open.fd);
  }

  async execute(request: CciRequest, deadlineMs: number): Promise<CciReply> {
    const open = this.#ready();
    const { opcode, payload } = request;
    if (!Number.isInteger(opcode) || opcode < 0 || opcode > 0xffff) refuse('EINVAL', 'the opcode is not 16 bits');
    if (payload.length > open.maxPayload) {
      refuse('EINVAL', `a payload of ${payload.length} bytes is over the ${open.maxPayload} of the mailbox`);
    }
    if (!(performance.now() < deadlineMs)) refuse('ETIMEDOUT', 'the deadline has already passed');
    const id = this.#ids.get(opcode) ?? RAW_ID;
    const wanted = outputBytes(open, id);
    const { address, bytes } = open.buffer;
    bytes.set(payload, 0);
    const call = encodeSend({
      id,
      ...(id === RAW_ID ? { rawOpcode: opcode } : {}),
      input: { bytes: payload.length, address: payload.length === 0 ? 0n : address },
      output: { bytes: wanted, address: wanted === 0 ? 0n : address + BigInt(open.maxPayload) },
    });
    try {
      open.native.ioctl(open.fd, CXL_MEM_SEND_COMMAND, call);
    } catch (cause) {
      throw explainSend(cause);
    }
    return reply(open, call, wanted, `command ${hex16(opcode)}`);
  }

  /** What the configuration says, or the driver in sysfs, or the least. */
  async #payloadSize(): Promise<number> {
    const { max_payload: configured, path } = this.#options;
    if (configured !== undefined) return configured;
    const file = join(this.#paths.sys, 'bus/cxl/devices', basename(path), 'payload_max');
    const said = Number(await readFile(file, 'latin1').catch(() => ''));
    const isSize = Number.isInteger(said) && said >= MAX_PAYLOAD_FALLBACK && said <= MAX_PAYLOAD_LIMIT;
    return isSize ? said : MAX_PAYLOAD_FALLBACK;
  }

  #ready(): OpenDevice {
    return this.#open ?? refuse('EINVAL', 'the device is not open');
  }
}

/** What the kernel says about each command. @throws HardwareError `unsupported` for a node that is no CXL mailbox */
function queryCommands(native: NativeCalls, fd: number, path: string): readonly CommandInfo[] {
  try {
    const count = encodeQuery(0);
    native.ioctl(fd, CXL_MEM_QUERY_COMMANDS, count);
    const listed = decodeQueryCount(count);
    const rows = encodeQuery(Math.min(listed, COMMANDS_MAX));
    if (listed > 0) native.ioctl(fd, CXL_MEM_QUERY_COMMANDS, rows);
    return decodeQuery(rows);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOTTY' || errno === 'EINVAL') {
      throw new HardwareError('unsupported', `${path} is no CXL mailbox: it does not know the query (${errno})`, {
        cause,
      });
    }
    if (errno === 'ENXIO' || errno === 'ENODEV') {
      throw new HardwareError('removed', `the device behind ${path} is gone (${errno})`, { cause });
    }
    throw new HardwareError('system-call', `${path} can't be asked for its commands: ${errno || String(cause)}`, {
      cause,
    });
  }
}

function openNode(native: NativeCalls, path: string): number {
  try {
    return native.open(path, 'read-write');
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT') {
      const text = `there is no ${path}: mainline Linux has no driver for a Switch CCI; \`cci devices\` lists other ways`;
      throw new HardwareError('not-found', text, { cause });
    }
    if (errno === 'EACCES' || errno === 'EPERM') {
      throw new HardwareError(
        'permission',
        `${path} may not be opened: run the broker as root, or give its user the node`,
        {
          cause,
        },
      );
    }
    throw new HardwareError('system-call', `${path} can't be opened: ${errno || String(cause)}`, { cause });
  }
}

/** Room for the output: as much as the mailbox holds, or as much as the kernel wants for a command of fixed size. */
function outputBytes({ commands, maxPayload }: OpenDevice, id: number): number {
  const listed = commands.get(id)?.outputBytes ?? VARIABLE_SIZE;
  return id === RAW_ID || listed === VARIABLE_SIZE ? maxPayload : Math.min(listed, maxPayload);
}

function reply({ buffer, maxPayload }: OpenDevice, call: Uint8Array, wanted: number, what: string): CciReply {
  if (call.length !== SEND_BYTES) throw new BackendError('EPROTO', 'unknown', 'the call structure changed its size');
  const { returnCode, outputBytes: length } = decodeSend(call);
  if (returnCode > 0xffff) throw new BackendError('EPROTO', 'unknown', `${what} has a return code of over 16 bits`);
  // The interface carries neither the vendor's status nor the background flag.
  const rest = { returnCode, vendorStatus: 0, background: false };
  // After an error the size is the one that was asked for and the bytes mean nothing.
  if (returnCode !== 0) return { ...rest, payload: new Uint8Array(0) };
  if (length > wanted)
    throw new BackendError('EPROTO', 'unknown', `${what} has ${length} bytes of output, not ${wanted}`);
  return { ...rest, payload: buffer.bytes.slice(maxPayload, maxPayload + length) };
}

function refuse(code: 'EINVAL' | 'ETIMEDOUT', message: string): never {
  throw new BackendError(code, 'not-sent', message);
}
