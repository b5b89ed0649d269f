import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { BrokerInGuest } from './broker-in-guest.ts';
import { Guest } from './guest.ts';
import { kernelLockdown } from './registers.ts';

describe('with a kernel that is locked down from boot', () => {
  let guest: Guest;

  beforeAll(async () => {
    guest = await Guest.boot({ qemu: 'installed', kernel: ['lockdown=integrity'] }, inject('root'));
  });

  afterAll(async () => {
    if (guest !== undefined) expect(await guest.stop()).toBe('exit 0');
  });

  it('a broker on sysfs does not start, and says why and what works instead', async () => {
    expect(await kernelLockdown(guest)).toBe('integrity');
    const broker = await BrokerInGuest.begin(
      guest,
      { name: 'first', port: 8420, transport: 'sysfs' },
      inject('tokens'),
    );
    const { how, output } = await broker.ended();
    expect(how).toBe('1');
    expect(output).toContain('locked down (integrity)');
    expect(output).toMatch(/VFIO works under lockdown/);
    expect(output).toContain('vfio-pci');
  });
});
