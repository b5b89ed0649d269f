import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Guest, type RegisterAccess } from './guest.ts';
import { bindToVfio, cciAddress } from './registers.ts';

/** What mmio-probe.ts prints: what the driver meant to do. */
interface Probe {
  readonly base: string;
  readonly bytes: number;
  readonly returnCodes: readonly number[];
  readonly accesses: readonly string[];
}

const COMMANDS = 100;

/**
 * Each load and store of the driver is one access on the bus, of the same width, at the same place, in the same order:
 * nothing is split, widened, repeated, left out or moved, cold or compiled.
 */
describe.each(['sysfs', 'vfio'])('the accesses that the driver makes through %s', (transport) => {
  let guest: Guest;

  beforeAll(async () => {
    guest = await Guest.boot({ qemu: 'installed', iommu: transport === 'vfio' }, inject('root'));
    if (transport === 'vfio') await bindToVfio(guest, await cciAddress(guest));
  });

  afterAll(async () => {
    if (guest !== undefined) expect(await guest.stop()).toBe('exit 0');
  });

  it('are those that the device sees, one for one', async () => {
    let printed = '';
    const accesses = await guest.traced(async () => {
      const { code, stdout, stderr } = await guest.exec(
        ['node', 'test/guest/inside/mmio-probe.ts', transport, String(COMMANDS)],
        90_000,
      );
      expect({ code, stderr }).toMatchObject({ code: 0 });
      printed = stdout;
    });
    const probe = JSON.parse(printed.slice(printed.indexOf('{'))) as Probe;
    expect(probe.returnCodes).toEqual([0]);
    expect(probe.accesses.length).toBeGreaterThan(10 * COMMANDS);
    const seen = inWindow(accesses, BigInt(probe.base), BigInt(probe.bytes));
    expect(seen.length).toBe(probe.accesses.length);
    const first = seen.findIndex((access, index) => access !== probe.accesses[index]);
    expect({ first, seen: seen[first], meant: probe.accesses[first] }).toEqual({
      first: -1,
      seen: undefined,
      meant: undefined,
    });
  });

  // sysfs hands over registers alone.
  if (transport === 'vfio') {
    it('and its interrupts arrive, from a function that has any', async () => {
      // The disk controller of the machine's own chipset: it has one message, and nobody drives it.
      const address = '0000:00:1f.2';
      await bindToVfio(guest, address);
      const { stdout, stderr } = await guest.exec(['node', 'test/guest/inside/mmio-interrupts.ts', address]);
      expect({ stdout: stdout.trim(), stderr }).toEqual({ stdout: '{"messages":1,"heard":3,"asked":1}', stderr: '' });
    });
  }
});

/** `r4@8c`: a 4-byte load at offset 8Ch of the BAR. */
function inWindow(accesses: readonly RegisterAccess[], base: bigint, bytes: bigint): readonly string[] {
  return accesses
    .filter(({ address }) => address >= base && address < base + bytes)
    .map(({ kind, size, address }) => `${kind === 'read' ? 'r' : 'w'}${size}@${(address - base).toString(16)}`);
}
