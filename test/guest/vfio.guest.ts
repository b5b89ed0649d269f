import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { BrokerInGuest } from './broker-in-guest.ts';
import { Guest } from './guest.ts';
import { printLatency } from './latency-line.ts';
import { patience } from './machine.ts';
import { barBase, cciAddress, handOverToVfio, kernelLockdown } from './registers.ts';
import { checkWidths } from './widths.ts';

describe('through VFIO with an IOMMU, the kernel being locked down while it serves', () => {
  let guest: Guest;
  let broker: BrokerInGuest;
  let address: string;

  beforeAll(async () => {
    guest = await Guest.boot({ qemu: 'installed', iommu: true }, inject('root'));
    address = await cciAddress(guest);
  });

  afterAll(async () => {
    if (guest !== undefined) expect(await guest.stop()).toBe('exit 0');
  });

  it('`cci devices` finds the function, and what it says has to be run hands it over', async () => {
    const said = await handOverToVfio(guest);
    expect(said).toContain(`Switch CCI at ${address} (19e5:a123): no driver has it`);
    expect(await guest.sh(`readlink /sys/bus/pci/devices/${address}/driver`)).toMatch(/\/vfio-pci$/);
  });

  it('the polled driver reaches the mailbox; its latency beside that of bare registers', async () => {
    printLatency(await guest.sh('node test/guest/inside/latency.ts vfio'));
  });

  it('the broker starts and serves', async () => {
    broker = await BrokerInGuest.begin(guest, { name: 'first', port: 8420, transport: 'vfio' }, inject('tokens'));
    expect(await broker.serves()).toMatch(new RegExp(`Switch CCI at ${address} through VFIO, IOMMU group \\d+`));
    expect(await broker.run('operator', 'identify')).toMatchObject({
      ...{ status: 200, body: { returnCode: 0, payload: 'e51928a10000000088776655443322110900' } },
    });
    expect(await broker.run('operator', 'identify', {}, 'port:1/ld:0')).toMatchObject({ body: { layers: [0, 0, 0] } });
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
    console.log('vfio accesses', seen);
  });

  it('denies raw commands from the next one on when the kernel is locked down, and goes on with the others', async () => {
    expect(await broker.raw('operator', 0x5100)).toMatchObject({ status: 200, body: { class: 'raw', returnCode: 0 } });
    await guest.write('/sys/kernel/security/lockdown', 'integrity');
    expect(await kernelLockdown(guest)).toBe('integrity');
    expect((await broker.raw('operator', 0x5100)).status).toBe(403);
    expect(await broker.run('operator', 'identify')).toMatchObject({ status: 200, body: { returnCode: 0 } });
    expect(await broker.run('hall', 'identify', {}, 'port:2')).toMatchObject({ status: 200, body: { returnCode: 0 } });
    const denied = (await broker.journal()).filter((record) => JSON.stringify(record).includes('"L1"'));
    expect(denied.length).toBeGreaterThan(0);
  });

  it('refuses a second broker', async () => {
    const second = await BrokerInGuest.begin(
      guest,
      { name: 'second', port: 8421, transport: 'vfio' },
      inject('tokens'),
    );
    const { how, output } = await second.ended();
    expect(how).toBe('1');
    expect(output).toMatch(/another process has \/dev\/vfio\/\d+/);
    expect(await broker.run('operator', 'identify')).toMatchObject({ body: { returnCode: 0 } });
  });

  it('takes the device again under lockdown after its worker was lost', async () => {
    await guest.sh(`kill -9 ${await broker.worker()}`);
    await expect
      .poll(async () => (await broker.run('operator', 'identify')).status, { timeout: 60_000 * patience })
      .toBe(200);
  });
});
