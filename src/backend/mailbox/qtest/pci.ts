import { BackendError } from '../../backend.ts';
import type { FunctionConfig } from '../register-locator.ts';
import type { QtestConnection } from './connection.ts';

/** Bus 8 bits, device 5 bits, function 3 bits. */
export interface PciAddress {
  readonly bus: number;
  readonly device: number;
  readonly fn: number;
}

/** `0d:00.1` */
export function formatAddress({ bus, device, fn }: PciAddress): string {
  const two = (value: number) => value.toString(16).padStart(2, '0');
  return `${two(bus)}:${two(device)}.${fn}`;
}

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
/** Reads as absent: no function there. */
const NO_FUNCTION = 0xffff_ffff;

/** The q35 host bridge and its register that places the memory-mapped configuration space (a 64-bit BAR-like value). */
const HOST_BRIDGE: PciAddress = { bus: 0, device: 0, fn: 0 };
const Q35_HOST_BRIDGE_ID = 0x29c0_8086;
const PCIEXBAR = 0x60;
const PCIEXBAR_ENABLE = 1;
/** Where we put it when nobody has: 256 MiB in the hole below 4 GiB, clear of RAM and of `enumerate`'s window. */
const ECAM_BASE = 0xb000_0000;

/**
 * PCI configuration space of a q35 machine that no firmware has touched: the first 256 bytes of a function through
 * ports CF8h and CFCh, the rest, where extended capabilities live, through the memory-mapped window.
 */
export class PciConfig {
  readonly #qtest: QtestConnection;
  #ecamBase = 0;

  constructor(qtest: QtestConnection) {
    this.#qtest = qtest;
  }

  /** Finds or opens the memory-mapped window. @throws BackendError EPROTO when this is not a q35 machine */
  async openExtended(): Promise<void> {
    if ((await this.read32(HOST_BRIDGE, 0)) !== Q35_HOST_BRIDGE_ID) {
      throw new BackendError('EPROTO', 'not-sent', 'the machine is not a q35: its host bridge is another one');
    }
    const low = await this.read32(HOST_BRIDGE, PCIEXBAR);
    if ((low & PCIEXBAR_ENABLE) !== 0) {
      const high = await this.read32(HOST_BRIDGE, PCIEXBAR + 4);
      this.#ecamBase = high * 2 ** 32 + ((low & 0xf000_0000) >>> 0);
      return;
    }
    await this.write32(HOST_BRIDGE, PCIEXBAR + 4, 0);
    await this.write32(HOST_BRIDGE, PCIEXBAR, (ECAM_BASE | PCIEXBAR_ENABLE) >>> 0);
    this.#ecamBase = ECAM_BASE;
  }

  async read32(at: PciAddress, offset: number): Promise<number> {
    if (offset >= 0x100) return this.#qtest.readl(this.#ecamBase + ecamOffset(at) + offset);
    const [value] = await this.#qtest.readIndexed(CONFIG_ADDRESS, CONFIG_DATA, [selector(at, offset)]);
    return value ?? NO_FUNCTION;
  }

  async write32(at: PciAddress, offset: number, value: number): Promise<void> {
    await this.#qtest.writeIndexed(CONFIG_ADDRESS, CONFIG_DATA, selector(at, offset), value);
  }

  /** Those of the addresses at which a function answers. */
  async present(addresses: readonly PciAddress[]): Promise<PciAddress[]> {
    const selects = addresses.map((at) => selector(at, 0));
    const ids = await this.#qtest.readIndexed(CONFIG_ADDRESS, CONFIG_DATA, selects);
    return addresses.filter((_, index) => (ids[index] ?? NO_FUNCTION) !== NO_FUNCTION);
  }

  /** One function's configuration space. */
  of(at: PciAddress): FunctionConfig {
    return { read32: (offset) => this.read32(at, offset) };
  }
}

function selector({ bus, device, fn }: PciAddress, offset: number): number {
  return (0x8000_0000 | (bus << 16) | (device << 11) | (fn << 8) | (offset & 0xfc)) >>> 0;
}

function ecamOffset({ bus, device, fn }: PciAddress): number {
  return (bus << 20) | (device << 15) | (fn << 12);
}
