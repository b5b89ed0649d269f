import { BackendError } from '../backend.ts';
import type { Eventually } from './register-io.ts';

/** Configuration space of one PCI function: one 4-byte load at a 4-byte aligned offset below 4096. */
export interface FunctionConfig {
  read32(offset: number): Eventually<number>;
}

/** Where the device register block lies: BAR number 0..5 and byte offset into it. */
export interface DeviceRegisters {
  readonly bar: number;
  readonly offset: number;
}

const EXTENDED_START = 0x100;
const CONFIG_BYTES = 0x1000;
const EXTENDED_ID_DVSEC = 0x0023;
const CXL_VENDOR = 0x1e98;
const DVSEC_REGISTER_LOCATOR = 8;
/** The locator's first entry, in bytes from its capability header. */
const FIRST_ENTRY = 0x0c;
const BLOCK_DEVICE_REGISTERS = 3;

/**
 * Finds the device register block of a CXL function through its Register Locator (a DVSEC of vendor 1E98h, id 8):
 * CXL 3.1 section 8.1.9.
 *
 * @throws BackendError EPROTO `not-sent` when there is none, when it names two, or when the capability list loops
 */
export async function locateDeviceRegisters(config: FunctionConfig): Promise<DeviceRegisters> {
  const { start, length } = await findLocator(config);
  let found: DeviceRegisters | undefined;
  for (let entry = start + FIRST_ENTRY; entry + 8 <= start + length; entry += 8) {
    const low = await config.read32(entry);
    if (((low >>> 8) & 0xff) !== BLOCK_DEVICE_REGISTERS) continue;
    if (found !== undefined) throw broken('names two device register blocks');
    const high = await config.read32(entry + 4);
    // Offsets are 64 bits; beyond 2^53 no BAR can be that large anyway.
    const offset = high * 2 ** 32 + ((low & 0xffff_0000) >>> 0);
    const bar = low & 7;
    if (bar > 5 || !Number.isSafeInteger(offset)) throw broken('names a place that cannot exist');
    found = { bar, offset };
  }
  if (found === undefined) throw broken('names no device register block');
  return found;
}

async function findLocator(config: FunctionConfig): Promise<{ start: number; length: number }> {
  const seen = new Set<number>();
  for (let at = EXTENDED_START; at !== 0; ) {
    if (at < EXTENDED_START || at % 4 !== 0 || seen.has(at)) throw broken('is in a broken capability list');
    seen.add(at);
    const header = await config.read32(at);
    if (header === 0 || header === 0xffff_ffff) break;
    if ((header & 0xffff) === EXTENDED_ID_DVSEC && at + FIRST_ENTRY <= CONFIG_BYTES) {
      const vendor = await config.read32(at + 4);
      const id = (await config.read32(at + 8)) & 0xffff;
      if ((vendor & 0xffff) === CXL_VENDOR && id === DVSEC_REGISTER_LOCATOR) {
        const length = vendor >>> 20;
        if (at + length > CONFIG_BYTES) throw broken('is longer than the configuration space');
        return { start: at, length };
      }
    }
    at = header >>> 20;
  }
  throw broken('is missing');
}

function broken(what: string): BackendError {
  return new BackendError('EPROTO', 'not-sent', `the CXL register locator of the function ${what}`);
}
