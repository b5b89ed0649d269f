import { BackendError } from '../../backend.ts';
import { formatAddress, type PciAddress, type PciConfig } from './pci.ts';

/** Base class 0Ch, sub-class 0Bh, interface 00h: a CXL Fabric Management Host Interface, which is the Switch CCI. */
const CLASS_SWITCH_CCI = 0x0c0b00;

const HEADER_TYPE_BRIDGE = 1;
const MULTI_FUNCTION = 0x80;
const COMMAND_MEMORY = 2;
/** Memory base and limit of a bridge that forwards nothing: the base lies above the limit. */
const WINDOW_CLOSED = 0x0000_fff0;
/** Bridge windows are placed in steps of 1 MiB. */
const WINDOW_STEP = 0x10_0000;
/** The one window we open, in the hole below 4 GiB, and how much may go there. */
const WINDOW_BASE = 0xe000_0000;
const WINDOW_LIMIT_BYTES = 0x100_0000;

/** A Switch CCI function and the bridges above it, nearest the root first. */
export interface SwitchCciFunction {
  readonly at: PciAddress;
  readonly bridges: readonly PciAddress[];
}

interface Walk {
  readonly config: PciConfig;
  /** Highest bus number given to a bridge of the root bus in work, and the highest it may have. */
  lastBus: number;
  limitBus: number;
  readonly found: SwitchCciFunction[];
}

/**
 * Gives every bridge below the root buses its bus numbers, depth first, and finds the one Switch CCI by its class.
 *
 * Every bridge gets numbers, also those away from the CCI: a switch finds the devices below its ports by them. Writing
 * the same numbers twice changes nothing, so a machine may be joined again.
 *
 * @param rootBuses each root bus may use the numbers up to the next one
 * @throws BackendError EPROTO `not-sent` when there is no Switch CCI, or more than one, or too many buses
 */
export async function findSwitchCci(config: PciConfig, rootBuses: readonly number[]): Promise<SwitchCciFunction> {
  const roots = [...new Set(rootBuses)].sort((a, b) => a - b);
  const walk: Walk = { config, lastBus: 0, limitBus: 0, found: [] };
  for (const [index, root] of roots.entries()) {
    walk.lastBus = root;
    walk.limitBus = (roots[index + 1] ?? 256) - 1;
    await walkBus(walk, root, []);
  }
  const [only, ...others] = walk.found;
  if (only === undefined) throw broken('the machine has no Switch CCI (no PCI function of class 0c0b00)');
  if (others.length > 0) {
    throw broken(`the machine has several Switch CCIs: ${walk.found.map(({ at }) => formatAddress(at)).join(', ')}`);
  }
  return only;
}

async function walkBus(walk: Walk, bus: number, bridges: readonly PciAddress[]): Promise<void> {
  const { config } = walk;
  const devices = await config.present(Array.from({ length: 32 }, (_, device) => ({ bus, device, fn: 0 })));
  for (const first of devices) {
    const isMulti = ((await headerType(config, first)) & MULTI_FUNCTION) !== 0;
    const rest = isMulti ? Array.from({ length: 7 }, (_, index) => ({ ...first, fn: index + 1 })) : [];
    for (const at of [first, ...(await config.present(rest))]) {
      if (((await headerType(config, at)) & 0x7f) === HEADER_TYPE_BRIDGE) await walkBridge(walk, at, bridges);
      else if ((await config.read32(at, 0x08)) >>> 8 === CLASS_SWITCH_CCI) walk.found.push({ at, bridges });
    }
  }
}

async function walkBridge(walk: Walk, at: PciAddress, above: readonly PciAddress[]): Promise<void> {
  if (walk.lastBus >= walk.limitBus) throw broken(`no bus number is left for the bridge at ${formatAddress(at)}`);
  walk.lastBus += 1;
  const secondary = walk.lastBus;
  const numbers = (subordinate: number) => at.bus | (secondary << 8) | (subordinate << 16);
  // While we look below, the bridge passes on everything that may turn up there.
  await walk.config.write32(at, 0x18, numbers(walk.limitBus));
  await walkBus(walk, secondary, [...above, at]);
  await walk.config.write32(at, 0x18, numbers(walk.lastBus));
}

/** A BAR in place: physical address and size in bytes. */
export interface PlacedBar {
  readonly address: number;
  readonly bytes: number;
}

/**
 * Sizes a memory BAR of the function, places it, opens the bridges above for it and switches memory decoding on. Bus
 * mastering stays off: the mailbox needs none.
 *
 * @throws BackendError EPROTO `not-sent` for a BAR that is not memory or too large for the window
 */
export async function placeBar(config: PciConfig, target: SwitchCciFunction, bar: number): Promise<PlacedBar> {
  const { at, bridges } = target;
  const register = 0x10 + 4 * bar;
  await config.write32(at, 0x04, 0);
  await config.write32(at, register, 0xffff_ffff);
  const mask = await config.read32(at, register);
  if ((mask & 1) !== 0 || mask === 0) throw broken(`BAR ${bar} of ${formatAddress(at)} is not memory`);
  const is64Bit = ((mask >>> 1) & 3) === 2;
  // The low word alone tells every size that fits the window: a larger BAR leaves no size bit set in it.
  const bytes = (~(mask & 0xffff_fff0) + 1) >>> 0;
  if (bytes === 0 || bytes > WINDOW_LIMIT_BYTES) throw broken(`BAR ${bar} of ${formatAddress(at)} is too large`);

  if (is64Bit) await config.write32(at, register + 4, 0);
  await config.write32(at, register, WINDOW_BASE);
  const last = WINDOW_BASE + Math.ceil(bytes / WINDOW_STEP) * WINDOW_STEP - 1;
  for (const bridge of bridges) {
    await config.write32(bridge, 0x20, ((last & 0xfff0_0000) | (WINDOW_BASE >>> 16)) >>> 0);
    await config.write32(bridge, 0x24, WINDOW_CLOSED);
    await config.write32(bridge, 0x04, COMMAND_MEMORY);
  }
  await config.write32(at, 0x04, COMMAND_MEMORY);
  return { address: WINDOW_BASE, bytes };
}

async function headerType(config: PciConfig, at: PciAddress): Promise<number> {
  return ((await config.read32(at, 0x0c)) >>> 16) & 0xff;
}

function broken(message: string): BackendError {
  return new BackendError('EPROTO', 'not-sent', message);
}
