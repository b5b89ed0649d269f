import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backend/index.ts';
import { Device } from '../../src/broker/device.ts';
import { Cancellation } from '../../src/broker/schedule/index.ts';

const identify = { hops: [], tags: [], opcode: 0x0001, payload: new Uint8Array(0) };

/** A device that answers each command when it is told to. */
async function slowDevice() {
  const answers: (() => void)[] = [];
  const backend: Backend = {
    open: async () => undefined,
    close: async () => undefined,
    identity: { kind: 'test', description: 'test', bootId: 'boot' },
    maxPayload: 1024,
    maxInFlight: 1,
    touchesHostHardware: false,
    execute: () =>
      new Promise((resolve) =>
        answers.push(() => resolve({ returnCode: 0, vendorStatus: 0, background: false, payload: new Uint8Array(0) })),
      ),
  } as unknown as Backend;
  const device = new Device(backend, { queueMax: 10, timeoutMs: 200, neverSend: new Map(), waitMs: 2000 });
  await device.open();
  return { device, answers };
}

const turn = () => new Promise((done) => setTimeout(done, 20));
const command = (device: Device) =>
  device.execute<never>({ tenant: 'acme' }, async () => ({ go: true, command: identify as never }));

describe('a device that is left to somebody beside the broker', () => {
  it('first ends what was sent and what waited before, then gives no turn until it is given back', async () => {
    const { device, answers } = await slowDevice();
    const sent = (count: number) => expect.poll(() => answers.length, { interval: 5 }).toBe(count);
    const [first, second] = [command(device), command(device)];
    await sent(1);
    const holding = device.hold('wait');
    expect(device.isHeld).toBe(true);
    await turn();
    answers[0]?.();
    await sent(2);
    answers[1]?.();
    const hold = await holding;
    expect(await first).toMatchObject({ kind: 'reply' });
    expect(await second).toMatchObject({ kind: 'reply' });

    const later = command(device);
    await turn();
    expect(answers).toHaveLength(2);
    // Whoever has it may have the broker read something.
    const own = hold.send(identify as never);
    await sent(3);
    answers[2]?.();
    expect(await own).toMatchObject({ kind: 'reply' });
    hold.release();
    hold.release();
    await sent(4);
    answers[3]?.();
    expect(await later).toMatchObject({ kind: 'reply' });
    expect(device.isHeld).toBe(false);
    await device.close();
  });

  it('is left to one at a time', async () => {
    const { device } = await slowDevice();
    const hold = await device.hold('wait');
    await expect(device.hold('wait')).rejects.toThrow('already');
    hold.release();
    (await device.hold('refuse')).release();
    await device.close();
  });

  it('tells those who come that it is free again, that their time is over, or that they went', async () => {
    const { device } = await slowDevice();
    expect(await device.untilFree({})).toBeUndefined();
    const hold = await device.hold('wait');
    const cancellation = new Cancellation();
    const waits = [
      device.untilFree({}),
      device.untilFree({ deadlineMs: performance.now() + 30 }),
      device.untilFree({ cancellation }),
    ];
    cancellation.cancel();
    expect(await waits[1]).toMatchObject({ errno: 'EAGAIN', noTurn: 'deadline' });
    expect(await waits[2]).toMatchObject({ errno: 'EAGAIN', noTurn: 'cancelled' });
    hold.release();
    expect(await waits[0]).toBeUndefined();
    await device.close();
  });

  it('refuses at once where that is wanted', async () => {
    const { device } = await slowDevice();
    const hold = await device.hold('refuse');
    expect(await device.untilFree({})).toMatchObject({ errno: 'EBUSY' });
    expect(await command(device)).toMatchObject({ kind: 'failed', failure: { errno: 'EBUSY', outcome: 'not-sent' } });
    hold.release();
    await device.close();
  });
});
