import { existsSync, statSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSwitchCci, HardwareError, type HostPaths, type PciFunction, readBootId } from '../../devices/index.ts';
import { errnoOf, type NativeCalls } from '../../native/index.ts';
import type { ClaimedFunction } from '../function-register-io.ts';
import { type FunctionConfig, locateDeviceRegisters } from '../register-locator.ts';
import { explainConfig, explainMap, explainOpen } from './explain.ts';

const COMMAND = 0x04;
const COMMAND_MEMORY = 2;
/** Third column of a line of `resource`: memory, not ports. */
const IORESOURCE_MEM = 0x200;
const PAGE_BYTES = 4096;

const ADVISORY_LOCK =
  'the lock on the BAR file keeps out other brokers only: any program that may open the file can still drive the ' +
  'mailbox at the same time; vfio is exclusive';

/**
 * Takes a Switch CCI through its BAR file in sysfs: locks the file, switches the function on, maps the register block.
 *
 * Changes nothing but `enable` (0 to 1, which wakes the function and switches memory decoding on) where it is 0, and
 * leaves that so. Bus mastering is not touched: the mailbox needs none.
 *
 * @throws BackendError EPROTO for a function without usable registers; HardwareError
 */
export async function claimThroughSysfs(
  native: NativeCalls,
  paths: HostPaths,
  address: string | undefined,
): Promise<ClaimedFunction> {
  const found = await findSwitchCci(paths, address);
  if (found.driver !== undefined) throw driverBound(found, found.driver);
  const config = openConfig(native, found);
  try {
    const registers = await locateDeviceRegisters(config);
    return await mapBar(native, paths, found, config, registers);
  } finally {
    config.close();
  }
}

async function mapBar(
  native: NativeCalls,
  paths: HostPaths,
  found: PciFunction,
  config: Config,
  { bar, offset }: { readonly bar: number; readonly offset: number },
): Promise<ClaimedFunction> {
  const file = join(found.directory, `resource${bar}`);
  const bytes = await barBytes(found, bar, file);
  if (offset >= bytes) throw new HardwareError('unsupported', 'the device registers lie outside their BAR');
  const fd = open(native, file);
  try {
    if (!native.lock(fd)) {
      const text = `another process holds the lock on ${file}: one broker drives a device, and there is one already`;
      throw new HardwareError('locked', text);
    }
    const enabled = await enable(found, config);
    const start = offset - (offset % PAGE_BYTES);
    const memory = await map(native, paths, fd, file, start, bytes - start);
    let isClaimed = true;
    return {
      identity: {
        transport: 'sysfs',
        description: `Switch CCI at ${found.address} through ${file}`,
        bootId: await readBootId(paths),
        notes: [ADVISORY_LOCK, ...enabled],
      },
      memory,
      offset: offset - start,
      messages: 0,
      gone: watchFile(found, file),
      release() {
        if (!isClaimed) return;
        isClaimed = false;
        memory.release();
        native.close(fd);
      },
    };
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

interface Config extends FunctionConfig {
  close(): void;
}

function openConfig(native: NativeCalls, { directory, address }: PciFunction): Config {
  const file = join(directory, 'config');
  let fd: number;
  try {
    fd = native.open(file, 'read');
  } catch (cause) {
    throw explainOpen(file, cause);
  }
  return {
    async read32(offset) {
      const bytes = native.read(fd, offset, 4);
      if (bytes.length !== 4) throw explainConfig(address);
      return Buffer.from(bytes).readUInt32LE();
    },
    close: () => native.close(fd),
  };
}

function driverBound({ address, directory }: PciFunction, driver: string): HardwareError {
  const free = `echo ${address} > ${join(directory, 'driver/unbind')}`;
  const instead =
    driver === 'vfio-pci' ? 'use the backend `vfio`, or free it' : 'it would drive the same mailbox; free it';
  return new HardwareError('driver-bound', `the driver \`${driver}\` has ${address}: ${instead} with \`${free}\``);
}

/** Size of the BAR in bytes, which is the size of its file. */
async function barBytes({ address, directory }: PciFunction, bar: number, file: string): Promise<number> {
  const lines = (await readFile(join(directory, 'resource'), 'latin1').catch(() => '')).split('\n');
  const flags = Number(lines[bar]?.split(' ')[2]);
  if (Number.isInteger(flags) && flags !== 0 && (flags & IORESOURCE_MEM) === 0) {
    throw new HardwareError('unsupported', `BAR ${bar} of ${address} is not memory`);
  }
  const facts = await stat(file).catch((cause: unknown) => {
    const text = `BAR ${bar} of ${address}, which holds the device registers, has no place in this machine's memory map`;
    throw new HardwareError('unsupported', text, { cause });
  });
  return facts.size;
}

function open(native: NativeCalls, file: string): number {
  try {
    return native.open(file, 'read-write');
  } catch (cause) {
    throw explainOpen(file, cause);
  }
}

/** Wakes the function and switches memory decoding on, unless both are so. @returns what was changed, in sentences */
async function enable({ directory, address }: PciFunction, config: FunctionConfig): Promise<readonly string[]> {
  const file = join(directory, 'enable');
  const before = await readFile(file, 'latin1').catch(() => '');
  const said: string[] = [];
  if (before.trim() === '0') {
    await writeFile(file, '1').catch((cause: unknown) => {
      const text = `${address} is switched off and ${file} can't be written: ${errnoOf(cause)}; run the broker as root`;
      throw new HardwareError('permission', text, { cause });
    });
    said.push(`${address} was switched off; 1 was written to ${file}, which stays so`);
  }
  if (((await config.read32(COMMAND)) & COMMAND_MEMORY) !== 0) return said;
  const text = `${address} does not decode memory accesses: write 1 to ${file}, or let the firmware place its BAR`;
  throw new HardwareError('unsupported', text);
}

async function map(
  native: NativeCalls,
  paths: HostPaths,
  fd: number,
  file: string,
  start: number,
  bytes: number,
): Promise<ClaimedFunction['memory']> {
  try {
    return native.map(fd, start, bytes);
  } catch (cause) {
    throw await explainMap(paths, file, cause);
  }
}

/** The file and its directory leave with the function; a function that comes back is another one, with a new file. */
function watchFile({ address, directory }: PciFunction, file: string): () => string | undefined {
  const before = statSync(file, { throwIfNoEntry: false })?.ino;
  return () => {
    const now = statSync(file, { throwIfNoEntry: false })?.ino;
    if (now === undefined || now !== before) return `${address} was removed from this machine`;
    return existsSync(join(directory, 'driver')) ? `a driver was bound to ${address} while we had it` : undefined;
  };
}
