import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { BrokerInGuest } from './broker-in-guest.ts';
import { Guest } from './guest.ts';
import { printLatency } from './latency-line.ts';
import { patience } from './machine.ts';
import { barBase, cciAddress, kernelLockdown } from './registers.ts';
import { checkWidths } from './widths.ts';

describe('through sysfs, with a kernel that is not locked down', () => {
  let guest: Guest;
  let broker: BrokerInGuest;
  let address: string;

  beforeAll(async () => {
    guest = await Guest.boot({ qemu: 'installed' }, inject('root'));
    address = await cciAddress(guest);
  });

  afterAll(async () => {
    // 0300h, a store of a wrong width and more make QEMU abort.
    if (guest !== undefined) expect(await guest.stop()).toBe('exit 0');
  });

  it('the polled driver reaches the mailbox; its latency beside that of bare registers', async () => {
    printLatency(await guest.sh('node test/guest/inside/latency.ts sysfs'));
  });

  it('the broker starts, says how it reaches the device and that sysfs excludes nobody', async () => {
    broker = await BrokerInGuest.begin(guest, { name: 'first', port: 8420, transport: 'sysfs' }, inject('tokens'));
    const printed = await broker.serves();
    expect(printed).toContain(`Switch CCI at ${address} through /sys/bus/pci/devices/${address}/resource0`);
    expect(printed).toContain('vfio is exclusive');
    expect(printed).toMatch(/lockdown +none \(kernel none/);
  });

  it('serves real commands, through tunnels too', async () => {
    expect(await broker.run('operator', 'identify')).toMatchObject({
      ...{ status: 200, body: { returnCode: 0, payload: 'e51928a10000000088776655443322110900' } },
    });
    expect(await broker.run('operator', 'get-physical-port-state', { port_id_list: [0, 1, 2, 3] })).toMatchObject({
      ...{ status: 200, body: { returnCode: 0, payload: expect.stringMatching(/^04000000/) } },
    });
    const tunnelled = await broker.run('hall', 'identify', {}, 'port:2');
    expect(tunnelled.body).toMatchObject({ layers: [0, 0], result: { device_serial_number: '0xc0ffee02' } });
    expect(await broker.run('hall', 'identify', {}, 'port:1')).toMatchObject({ status: 403 });
  });

  it('`cci` works in the machine', async () => {
    const line = `CCI_TOKEN=${inject('tokens').lab} node bin/cci.js show ports --json`;
    expect(JSON.parse(await guest.sh(line))).toMatchObject([{ port_id: 1 }]);
  });

  it('what its effects log offers and would kill it does not reach it', async () => {
    expect(await broker.run('operator', 'get-timestamp')).toMatchObject({ status: 200, body: { returnCode: 0 } });
    expect((await broker.raw('operator', 0x0300)).status).toBe(404);
    expect(await broker.run('operator', 'identify')).toMatchObject({ body: { returnCode: 0 } });
  });

  it('makes accesses of the right width only, a worker that is killed and its successor included', async () => {
    const base = await barBase(guest, address);
    const former = await broker.worker();
    const accesses = await guest.traced(async () => {
      await broker.run('operator', 'get-physical-port-state', { port_id_list: [0, 1, 2] });
      await broker.run('operator', 'identify', {}, 'port:1');
      await guest.sh(`kill -9 ${former}`);
      await expect
        .poll(async () => (await broker.run('operator', 'identify')).status, { timeout: 60_000 * patience })
        .toBe(200);
    });
    expect(await broker.worker()).not.toBe(former);
    const { wrong, commands, seen } = checkWidths(accesses, base);
    expect(wrong).toEqual([]);
    // Both commands, and those that the broker sends to know the device again.
    expect(commands).toBeGreaterThan(3);
    expect(Object.keys(seen)).toEqual(
      expect.arrayContaining([
        'write 8 at 0x90',
        'write 4 at 0x8c',
        'read 8 at 0x98',
        'write 4 at payload',
        'read 4 at payload',
      ]),
    );
    console.log('sysfs accesses', seen);
  });

  it('refuses a second broker', async () => {
    const second = await BrokerInGuest.begin(
      guest,
      { name: 'second', port: 8421, transport: 'sysfs' },
      inject('tokens'),
    );
    const { how, output } = await second.ended();
    expect(how).toBe('1');
    expect(output).toMatch(/one broker drives a device, and there is one already/);
    expect(await broker.run('operator', 'identify')).toMatchObject({ body: { returnCode: 0 } });
  });

  it('goes on with its mapping when lockdown comes, raw commands being denied at once', async () => {
    expect(await broker.raw('operator', 0x5100)).toMatchObject({ status: 200, body: { class: 'raw', returnCode: 0 } });
    await guest.write('/sys/kernel/security/lockdown', 'integrity');
    expect(await kernelLockdown(guest)).toBe('integrity');
    expect((await broker.raw('operator', 0x5100)).status).toBe(403);
    expect(await broker.run('operator', 'identify')).toMatchObject({ status: 200, body: { returnCode: 0 } });
  });
});
