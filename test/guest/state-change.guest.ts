import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { BrokerInGuest } from './broker-in-guest.ts';
import { Guest } from './guest.ts';
import { patience } from './machine.ts';
import { bindToVfio, cciAddress } from './registers.ts';

const ASSERT = { ppb_id: 1, port_opcode: 'assert-perst' };
const DEASSERT = { ppb_id: 1, port_opcode: 'deassert-perst' };

describe('a device whose state changes (QEMU 11.1), through VFIO', () => {
  let guest: Guest;
  let broker: BrokerInGuest;
  const recordsOf = async (kind: string) => (await broker.journal()).filter((record) => record.kind === kind);
  const begin = () => BrokerInGuest.begin(guest, { name: 'first', port: 8420, transport: 'vfio' }, inject('tokens'));

  beforeAll(async () => {
    guest = await Guest.boot({ qemu: 'fetched', iommu: true }, inject('root'));
    await bindToVfio(guest, await cciAddress(guest));
    broker = await begin();
    await broker.serves();
  });

  afterAll(async () => {
    if (guest !== undefined) expect(await guest.stop()).toBe('exit 0');
  });

  it('runs a granted Physical Port Control, and the device tells that its state changed', async () => {
    expect(await broker.run('operator', 'physical-port-control', ASSERT)).toMatchObject({
      status: 200,
      body: { returnCode: 0 },
    });
    // Asserted already: QEMU calls that an internal error.
    expect(await broker.run('operator', 'physical-port-control', ASSERT)).toMatchObject({
      status: 200,
      body: { returnCode: 4 },
    });
    expect(await broker.run('operator', 'physical-port-control', DEASSERT)).toMatchObject({ body: { returnCode: 0 } });
    expect(await broker.run('operator', 'physical-port-control', ASSERT)).toMatchObject({ body: { returnCode: 0 } });
  });

  it('denies it where it is not granted, be the port foreign or his own', async () => {
    const foreign = await broker.run('hall', 'physical-port-control', DEASSERT);
    const own = await broker.run('hall', 'physical-port-control', { ...DEASSERT, ppb_id: 2 });
    expect([foreign.status, own.status]).toEqual([403, 403]);
    // The port is as it was.
    const again = await broker.run('operator', 'physical-port-control', ASSERT);
    expect(again).toMatchObject({ body: { returnCode: 4 } });
  });

  it('denies it to who has a grant, but would disturb others by it', async () => {
    expect((await broker.run('lab', 'physical-port-control', DEASSERT)).status).toBe(403);
  });

  it('a broker killed half-way has the intent on the disk and reports it unknown when it starts again', async () => {
    const worker = await broker.worker();
    // Held where the command was given to the worker and its answer is still to come.
    await guest.sh(`kill -STOP ${worker}`);
    const before = (await recordsOf('intent')).length;
    const command = broker.run('operator', 'physical-port-control', DEASSERT).catch((error: unknown) => String(error));
    const intents = async () => (await recordsOf('intent')).length;
    await expect.poll(intents, { timeout: 30_000 * patience, interval: 200 }).toBe(before + 1);
    const intent = (await recordsOf('intent')).at(-1);
    expect(await broker.kill('SIGKILL')).toBe('SIGKILL');
    await command;
    // A stopped worker does not outlive its broker, so that the device is free.
    expect(await guest.sh(`grep State: /proc/${worker}/status 2>/dev/null | grep -v Z; true`)).toBe('');
    broker = await begin();
    expect(await broker.serves()).toMatch(/unknown outcome/);
    const outcome = (await recordsOf('outcome')).at(-1);
    expect(outcome).toMatchObject({ requestId: intent?.requestId, outcome: 'unknown', flags: ['unknown-outcome'] });
    expect(await broker.run('operator', 'identify')).toMatchObject({ status: 200, body: { returnCode: 0 } });
  });
});
