import type { FakeRegisters } from './fake-registers.ts';

const ABSENT = 0xffff_ffff;

/** A PCI function with a configuration space of 4 KiB; a bridge has functions below it. */
export class FakeFunction {
  readonly config = new Uint32Array(1024);
  /** By `device.fn`; only a bridge has any. */
  readonly below = new Map<string, FakeFunction>();
  /** Size bits of BAR 0, or 0 when there is none. */
  barMask = 0;
  registers: FakeRegisters | undefined;

  constructor(id: number, classCode: number, options: { bridge?: boolean; multi?: boolean } = {}) {
    this.config[0] = id;
    this.config[2] = (classCode << 8) >>> 0;
    this.config[3] = ((options.bridge ? 1 : 0) | (options.multi ? 0x80 : 0)) << 16;
  }

  get isBridge(): boolean {
    return (((this.config[3] ?? 0) >>> 16) & 0x7f) === 1;
  }

  get secondaryBus(): number {
    return ((this.config[6] ?? 0) >>> 8) & 0xff;
  }

  write(offset: number, value: number): void {
    const isBar0 = offset === 0x10 && this.barMask !== 0;
    // Size bits read as written, the others are fixed: that is how a BAR tells its size.
    this.config[offset / 4] = isBar0 ? ((value & this.barMask) | 4) >>> 0 : value;
  }

  /** Whether this bridge passes on a memory access at `address`. */
  forwards(address: number): boolean {
    const window = this.config[8] ?? 0;
    const base = (window & 0xfff0) * 0x10000;
    const limit = ((window >>> 16) & 0xfff0) * 0x10000 + 0xf_ffff;
    return this.decodesMemory && base <= address && address <= limit;
  }

  get decodesMemory(): boolean {
    return ((this.config[1] ?? 0) & 2) !== 0;
  }
}

/** A q35 machine that no firmware has touched, as its qtest socket shows it. Answers one request line at a time. */
export class FakeMachine {
  readonly roots = new Map<number, Map<string, FakeFunction>>([[0, new Map()]]);
  readonly lines: string[] = [];
  #select = 0;

  constructor() {
    this.add(0, '0.0', new FakeFunction(0x29c0_8086, 0x060000));
  }

  add(rootBus: number, place: string, fn: FakeFunction): FakeFunction {
    const bus = this.roots.get(rootBus) ?? new Map<string, FakeFunction>();
    this.roots.set(rootBus, bus);
    bus.set(place, fn);
    return fn;
  }

  /** The machine of docs/devices.md: root port, upstream port, the CCI beside it, and downstream ports. */
  static withSwitch(registers: FakeRegisters, downstreamPorts = 3): { machine: FakeMachine; cci: FakeFunction } {
    const machine = new FakeMachine();
    const rootPort = machine.add(12, '0.0', bridge());
    const upstream = bridge(true);
    rootPort.below.set('0.0', upstream);
    const cci = switchCci(registers);
    rootPort.below.set('0.1', cci);
    for (let port = 0; port < downstreamPorts; port++) {
      const downstream = bridge();
      downstream.below.set('0.0', new FakeFunction(0x0d93_8086, 0x050210));
      upstream.below.set(`${port}.0`, downstream);
    }
    return { machine, cci };
  }

  answer(line: string): string {
    this.lines.push(line);
    const [verb, address = '', value = ''] = line.split(' ');
    const at = Number(address);
    switch (verb) {
      case 'outl':
        if (at === 0xcf8) this.#select = Number(value);
        else this.#selected()?.write(this.#select & 0xfc, Number(value));
        return 'OK';
      case 'inl':
        return ok(BigInt(this.#selected()?.config[(this.#select & 0xfc) / 4] ?? ABSENT));
      case 'readl':
        return ok(this.#memory('read', 4, at));
      case 'readq':
        return ok(this.#memory('read', 8, at));
      case 'writel':
        this.#memory('write', 4, at, BigInt(value));
        return 'OK';
      case 'writeq':
        this.#memory('write', 8, at, BigInt(value));
        return 'OK';
      default:
        return `FAIL Unknown command '${verb}'`;
    }
  }

  #selected(): FakeFunction | undefined {
    return this.#find((this.#select >>> 16) & 0xff, (this.#select >>> 11) & 0x1f, (this.#select >>> 8) & 7);
  }

  #find(bus: number, device: number, fn: number): FakeFunction | undefined {
    return this.#bus(bus)?.get(`${device}.${fn}`);
  }

  #bus(wanted: number): Map<string, FakeFunction> | undefined {
    const look = (below: Map<string, FakeFunction>): Map<string, FakeFunction> | undefined => {
      for (const fn of below.values()) {
        if (!fn.isBridge || fn.secondaryBus === 0) continue;
        const found = fn.secondaryBus === wanted ? fn.below : look(fn.below);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    const root = this.roots.get(wanted);
    if (root !== undefined) return root;
    for (const below of this.roots.values()) {
      const found = look(below);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #memory(op: 'read' | 'write', width: 4 | 8, address: number, value = 0n): bigint {
    const ones = (1n << BigInt(8 * width)) - 1n;
    const ecam = this.#find(0, 0, 0)?.config[0x60 / 4] ?? 0;
    const base = (ecam & 0xf000_0000) >>> 0;
    if ((ecam & 1) === 1 && address >= base && address < base + 0x1000_0000) {
      const place = address - base;
      const fn = this.#find(place >>> 20, (place >>> 15) & 0x1f, (place >>> 12) & 7);
      return BigInt(fn?.config[(place & 0xfff) / 4] ?? ABSENT);
    }
    for (const below of this.roots.values()) {
      const hit = this.#decode(below, address);
      if (hit !== undefined) return hit.registers.bus(op, width, hit.offset, value);
    }
    return ones;
  }

  #decode(below: Map<string, FakeFunction>, address: number): { registers: FakeRegisters; offset: number } | undefined {
    for (const fn of below.values()) {
      const start = ((fn.config[4] ?? 0) & 0xffff_fff0) >>> 0;
      const { registers } = fn;
      const isHit = fn.decodesMemory && address >= start && address < start + (~fn.barMask >>> 0) + 1;
      if (registers !== undefined && isHit) return { registers, offset: address - start };
      const deeper = fn.isBridge && fn.forwards(address) ? this.#decode(fn.below, address) : undefined;
      if (deeper !== undefined) return deeper;
    }
    return undefined;
  }
}

export function bridge(multi = false): FakeFunction {
  return new FakeFunction(0xa128_19e5, 0x060400, { bridge: true, multi });
}

/** A Switch CCI function: class 0c0b00, a 4 KiB BAR 0, and a register locator that names it. */
export function switchCci(registers: FakeRegisters): FakeFunction {
  const fn = new FakeFunction(0xa123_19e5, 0x0c0b00);
  fn.barMask = 0xffff_f000;
  fn.write(0x10, 0);
  fn.registers = registers;
  // Two capabilities, so that the list has to be followed: an unknown one, then the locator with two entries.
  fn.config.set([0x1401_0001, 0, 0, 0], 0x100 / 4);
  fn.config.set([0x0001_0023, 0x0240_1e98, 0x0000_0008, 0x0000_0100, 0, 0x0000_0300, 0, 0], 0x140 / 4);
  return fn;
}

function ok(value: bigint): string {
  return `OK 0x${value.toString(16).padStart(16, '0')}`;
}
