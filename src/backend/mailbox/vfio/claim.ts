import { statSync } from 'node:fs';
import { findSwitchCci, HardwareError, type HostPaths, type PciFunction, readBootId } from '../../devices/index.ts';
import { errnoOf, type NativeCalls } from '../../native/index.ts';
import type { ClaimedFunction } from '../function-register-io.ts';
import { locateDeviceRegisters } from '../register-locator.ts';
import { DEVICE_INFO_BYTES, decodeDeviceInfo, encodeSized, VFIO } from './abi.ts';
import { openThroughGroup, type VfioDevice } from './group.ts';
import { VfioInterrupts } from './interrupts.ts';
import type { VfioOptions } from './options.ts';
import { configSpace, regionOf, registersIn, type VfioConfig } from './region.ts';

const COMMAND = 0x04;
const COMMAND_MEMORY = 2;
const COMMAND_BUS_MASTER = 4;

/**
 * Takes a Switch CCI through VFIO: nobody else can have it, or its registers, until it is released, under any lockdown
 * level of the kernel.
 *
 * Changes the function's command register: memory decoding on, and bus mastering on when interrupts are used (a message
 * is a write to memory). The kernel resets both when the device is closed.
 *
 * @throws BackendError EPROTO for a function without usable registers; HardwareError
 */
export async function claimThroughVfio(
  native: NativeCalls,
  paths: HostPaths,
  options: VfioOptions,
): Promise<ClaimedFunction> {
  const found = await findSwitchCci(paths, options.address);
  const device = await openThroughGroup(native, paths, found);
  try {
    return await setUp(native, paths, found, device, options.interrupts ?? true);
  } catch (error) {
    device.close();
    throw error;
  }
}

async function setUp(
  native: NativeCalls,
  paths: HostPaths,
  found: PciFunction,
  device: VfioDevice,
  wantsInterrupts: boolean,
): Promise<ClaimedFunction> {
  const { fd } = device;
  const { regions, irqs } = infoOf(native, fd);
  const config = configSpace(native, fd);
  const registers = await locateDeviceRegisters(config);
  if (registers.bar >= regions) throw new HardwareError('unsupported', 'VFIO does not show the BAR of the registers');
  switchOn(config, COMMAND_MEMORY);
  const block = registersIn(native, fd, regionOf(native, fd, registers.bar), registers.offset);
  const interrupts = new VfioInterrupts(native, fd, irqs);
  const messages = wantsInterrupts ? interrupts.messages : 0;
  let isRequested = false;
  interrupts.onRequest(irqs, () => {
    isRequested = true;
  });
  // Read before the claim is made: it must not be able to fail after the mapping stands.
  const bootId = await readBootId(paths);
  let isClaimed = true;
  return {
    identity: {
      transport: 'vfio',
      description: `Switch CCI at ${found.address} through VFIO, IOMMU group ${found.group}`,
      bootId,
      notes: block.isMapped ? [] : ['the BAR can not be mapped: each register access is a system call'],
    },
    memory: block.memory,
    offset: block.offset,
    messages,
    listen(message, onInterrupt) {
      switchOn(config, COMMAND_BUS_MASTER);
      interrupts.listen(message, onInterrupt);
    },
    gone() {
      if (isRequested) return `the kernel wants ${found.address} back`;
      return isThere(found.directory) ? undefined : `${found.address} was removed from this machine`;
    },
    release() {
      if (!isClaimed) return;
      isClaimed = false;
      interrupts.stop();
      block.memory.release();
      device.close();
    },
  };
}

function infoOf(native: NativeCalls, fd: number): { readonly regions: number; readonly irqs: number } {
  const answer = encodeSized(DEVICE_INFO_BYTES);
  try {
    native.ioctl(fd, VFIO.deviceGetInfo, answer);
  } catch (cause) {
    throw new HardwareError('system-call', `VFIO does not tell what the device has: ${errnoOf(cause)}`, { cause });
  }
  return decodeDeviceInfo(answer);
}

/** Sets bits of the command register that are not set. */
function switchOn(config: VfioConfig, bits: number): void {
  const command = config.read32(COMMAND) & 0xffff;
  if ((command & bits) !== bits) config.write16(COMMAND, command | bits);
}

function isThere(directory: string): boolean {
  return statSync(directory, { throwIfNoEntry: false }) !== undefined;
}
