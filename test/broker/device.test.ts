import { describe, expect, it } from 'vitest';
import { type Backend, BackendError, type CciReply, type CciRequest } from '../../src/backend/index.ts';
import { Device, type DeviceState } from '../../src/broker/device.ts';
import type { RoutedCommand } from '../../src/cci/index.ts';

const command = (opcode: number): RoutedCommand => ({ hops: [], tags: [], opcode, payload: new Uint8Array(0) });
const success: CciReply = { returnCode: 0, vendorStatus: 0, background: false, payload: new Uint8Array(0) };

/** A backend that answers as told and keeps what it was asked. */
class ScriptedBackend implements Backend {
  readonly identity = { kind: 'scripted', description: 'scripted', bootId: 'boot' };
  readonly maxPayload = 2048;
  maxInFlight = 1;
  readonly touchesHostHardware = false;
  readonly seen: number[] = [];
  opens = 0;
  answer: (request: CciRequest) => Promise<CciReply> = async () => success;

  async open(): Promise<void> {
    this.opens++;
    // Reopening takes a moment, so that a test can see what happens meanwhile.
    if (this.opens > 1) await new Promise((done) => setTimeout(done, 20));
  }
  async close(): Promise<void> {}
  async execute(request: CciRequest): Promise<CciReply> {
    this.seen.push(request.opcode);
    return this.answer(request);
  }
}

async function opened(options: { queueMax?: number; neverSend?: ReadonlyMap<number, string> } = {}) {
  const backend = new ScriptedBackend();
  const states: DeviceState[] = [];
  const device = new Device(backend, {
    queueMax: options.queueMax ?? 100,
    timeoutMs: 200,
    neverSend: options.neverSend ?? new Map(),
    onStateChange: (state) => states.push(state),
  });
  await device.open();
  return { backend, device, states };
}

describe('Device', () => {
  it('sends commands one after the other in the order of arrival', async () => {
    const { backend, device } = await opened();
    let running = 0;
    backend.answer = async () => {
      expect(++running).toBe(1);
      await new Promise((done) => setTimeout(done, 1));
      running--;
      return success;
    };
    await Promise.all([1, 2, 3, 4, 5].map((opcode) => device.own(command(opcode))));
    expect(backend.seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('refuses what does not fit in the queue, and sends nothing of it', async () => {
    const { backend, device } = await opened({ queueMax: 2 });
    const send = (opcode: number) =>
      device.execute({ tenant: 'acme' }, async () => ({ go: true, command: command(opcode) }));
    const results = await Promise.all([1, 2, 3, 4, 5].map(send));
    expect(results.map((result) => (result.kind === 'failed' ? result.failure.errno : 'sent'))).toEqual([
      'sent',
      'sent',
      'sent',
      'EAGAIN',
      'EAGAIN',
    ]);
    expect(backend.seen).toEqual([1, 2, 3]);
  });

  it("takes the broker's own commands when callers have filled the queue", async () => {
    const { backend, device } = await opened({ queueMax: 2 });
    const send = (opcode: number) =>
      device.execute({ tenant: 'acme' }, async () => ({ go: true, command: command(opcode) }));
    const callers = [1, 2, 3, 4].map(send);
    expect(await device.own(command(0x5100))).toMatchObject({ kind: 'reply' });
    await Promise.all(callers);
    // Its lane goes first.
    expect(backend.seen).toEqual([1, 0x5100, 2, 3]);
  });

  it("keeps never-send opcodes from the device in the broker's own traffic too", async () => {
    const { backend, device } = await opened({ neverSend: new Map([[0x0300, 'it aborts']]) });
    const result = await device.own(command(0x0300));
    expect(result).toMatchObject({ kind: 'failed', failure: { outcome: 'not-sent', errno: 'ENOTTY' } });
    expect(backend.seen).toEqual([]);
  });

  it('lets a never-send opcode of the switch through to a device behind a tunnel', async () => {
    const { backend, device } = await opened({ neverSend: new Map([[0x0300, 'it aborts']]) });
    await device.own({
      hops: [{ kind: 'port', port: 1 as never }],
      tags: [7],
      opcode: 0x0300,
      payload: new Uint8Array(0),
    });
    expect(backend.seen).toEqual([0x5300]);
  });

  it('lets tenants take turns, however many commands one of them has waiting', async () => {
    const { backend, device } = await opened();
    const send = (tenant: string, opcode: number) =>
      device.execute({ tenant }, async () => ({ go: true, command: command(opcode) }));
    const flood = Array.from({ length: 50 }, (_, i) => send('acme', 0x1000 + i));
    await Promise.all([...flood, send('globex', 0x2000), send('globex', 0x2001), send('initech', 0x3000)]);
    const place = (opcode: number) => backend.seen.indexOf(opcode);
    // The first of the flood is with the device already; then acme, globex and initech in turn.
    expect(place(0x2000)).toBeLessThanOrEqual(3);
    expect(place(0x3000)).toBeLessThanOrEqual(4);
    expect(place(0x2001)).toBeLessThanOrEqual(6);
    const own = backend.seen.filter((opcode) => opcode < 0x2000);
    expect(own).toEqual(own.toSorted((a, b) => a - b));
    expect(backend.seen).toHaveLength(53);
  });

  it('sends nothing when the refusal comes at the moment of dispatch', async () => {
    const { backend, device } = await opened();
    const result = await device.execute({ tenant: 'acme' }, async () => ({ go: false, refusal: 'changed' }));
    expect(result).toEqual({ kind: 'refused', refusal: 'changed' });
    expect(backend.seen).toEqual([]);
  });

  it('runs what settles a command before the next one is dispatched', async () => {
    const { backend, device } = await opened();
    const order: string[] = [];
    const first = device.execute(
      { tenant: 'acme' },
      async () => ({ go: true, command: command(1) }),
      async (_reply, send) => {
        await send(command(0x5100));
        order.push('settled');
      },
    );
    const second = device.execute({ tenant: 'acme' }, async () => {
      order.push('dispatch of the second');
      return { go: true, command: command(2) };
    });
    await Promise.all([first, second]);
    expect(order).toEqual(['settled', 'dispatch of the second']);
    expect(backend.seen).toEqual([1, 0x5100, 2]);
  });

  it('reports a command cut off by a timeout as unknown, and serves again only after an Identify', async () => {
    const { backend, device, states } = await opened();
    backend.answer = async (request) => {
      if (request.opcode === 0x5102) throw new BackendError('ETIMEDOUT', 'unknown', 'no reply');
      return success;
    };
    const result = await device.own(command(0x5102));
    expect(result).toMatchObject({ kind: 'failed', failure: { outcome: 'unknown', errno: 'ETIMEDOUT' } });
    expect(await device.own(command(2))).toMatchObject({ kind: 'failed', failure: { outcome: 'not-sent' } });
    await expect.poll(() => device.state).toBe('serving');
    expect(backend.seen).toEqual([0x5102, 0x0001]);
    expect(backend.opens).toBe(2);
    expect(states).toEqual(['serving', 'quarantined', 'serving']);
    expect(await device.own(command(2))).toMatchObject({ kind: 'reply' });
  });

  it('does not serve again while Identify answers with an error', async () => {
    const { backend, device } = await opened();
    let refusals = 2;
    backend.answer = async (request) => {
      if (request.opcode === 0x5102) throw new BackendError('ETIMEDOUT', 'unknown', 'no reply');
      return refusals-- > 0 ? { ...success, returnCode: 0x0004 } : success;
    };
    await device.own(command(0x5102));
    await expect.poll(() => device.state).toBe('serving');
    expect(backend.seen).toEqual([0x5102, 0x0001, 0x0001, 0x0001]);
  });

  it('goes into quarantine again when the first command after a recovery is lost as well', async () => {
    const { backend, device, states } = await opened();
    let losses = 2;
    backend.answer = async (request) => {
      if (request.opcode === 0x5102 && losses-- > 0) throw new BackendError('EIO', 'unknown', 'gone');
      return success;
    };
    await device.own(command(0x5102));
    await expect.poll(() => device.state, { interval: 1 }).toBe('serving');
    await device.own(command(0x5102));
    expect(states).toEqual(['serving', 'quarantined', 'serving', 'quarantined']);
    await expect.poll(() => device.state).toBe('serving');
  });

  it('leaves alone what does not answer behind a port, and nothing else', async () => {
    const { backend, device } = await opened();
    const behind = (port: number): RoutedCommand => ({
      hops: [{ kind: 'port', port: port as never }],
      tags: [1],
      opcode: 1,
      payload: new Uint8Array(0),
    });
    backend.answer = async (request) => {
      if (request.opcode === 0x5300) throw new BackendError('ETIMEDOUT', 'unknown', 'no reply');
      return success;
    };
    expect(await device.own(behind(2))).toMatchObject({ kind: 'failed', failure: { outcome: 'unknown' } });
    await expect.poll(() => device.state).toBe('serving');
    backend.seen.length = 0;
    expect(await device.own(behind(2))).toMatchObject({ kind: 'failed', failure: { outcome: 'not-sent' } });
    expect(device.state).toBe('serving');
    expect(await device.own(command(2))).toMatchObject({ kind: 'reply' });
    expect(backend.seen).toEqual([2]);
    await device.own(behind(3));
    expect(backend.seen).toEqual([2, 0x5300, ...backend.seen.slice(2)]);
    await device.close();
  });

  it('closes at once in the pause between two attempts to recover', async () => {
    const { backend, device } = await opened();
    backend.answer = async () => {
      throw new BackendError('EIO', 'unknown', 'gone');
    };
    await device.own(command(0x5102));
    // By now it pauses for 800 ms or longer.
    await expect.poll(() => backend.seen.length, { interval: 5 }).toBeGreaterThan(5);
    const began = performance.now();
    await device.close();
    expect(performance.now() - began).toBeLessThan(700);
    expect(device.state).toBe('closed');
  });

  it('treats an error that is none of the contract as an unknown outcome', async () => {
    const { backend, device } = await opened();
    backend.answer = async () => {
      backend.answer = async () => success;
      throw new TypeError('a defect below');
    };
    expect(await device.own(command(1))).toMatchObject({ kind: 'failed', failure: { outcome: 'unknown' } });
  });

  it('calls a tunnel reply that answers another command malformed', async () => {
    const { backend, device } = await opened();
    backend.answer = async () => ({ ...success, payload: new Uint8Array(16) });
    const tunnelled = {
      hops: [{ kind: 'port' as const, port: 1 as never }],
      tags: [9],
      opcode: 1,
      payload: new Uint8Array(0),
    };
    expect(await device.own(tunnelled)).toMatchObject({ kind: 'malformed' });
  });

  it('lets what is in flight finish when it closes, and refuses what waits', async () => {
    const { backend, device } = await opened();
    backend.answer = () => new Promise((done) => setTimeout(() => done(success), 30));
    const first = device.own(command(1));
    const second = device.own(command(2));
    await expect.poll(() => backend.seen).toEqual([1]);
    await device.close();
    expect(await first).toMatchObject({ kind: 'reply' });
    expect(await second).toMatchObject({ kind: 'failed', failure: { outcome: 'not-sent' } });
    expect(backend.seen).toEqual([1]);
  });
});

describe('Device over a backend that takes several commands at once', () => {
  const at = (port: number, changes = false) => ({
    tenant: 'acme',
    footprint: () => ({ kind: 'resources' as const, changes, paths: [`/switches/sw0/ports/${port}`] }),
  });

  async function wide() {
    const setup = await opened();
    setup.backend.maxInFlight = 4;
    const state = { running: 0, most: 0 };
    setup.backend.answer = async () => {
      state.most = Math.max(state.most, ++state.running);
      await new Promise((done) => setTimeout(done, 5));
      state.running--;
      return success;
    };
    const send = (asker: Parameters<Device['execute']>[0], opcode: number) =>
      setup.device.execute(asker, async () => ({ go: true, command: command(opcode) }));
    return { ...setup, state, send };
  }

  it('keeps it filled, but never over what it takes', async () => {
    const { state, send } = await wide();
    await Promise.all(Array.from({ length: 12 }, (_, i) => send(at(i), i + 1)));
    expect(state.most).toBe(4);
  });

  it('keeps the order of commands on one resource', async () => {
    const { backend, state, send } = await wide();
    await Promise.all([1, 2, 3].map((opcode) => send(at(7, true), opcode)));
    expect(state.most).toBe(1);
    expect(backend.seen).toEqual([1, 2, 3]);
  });

  it('has whoever says nothing of what he touches alone with the device', async () => {
    const { backend, state, send } = await wide();
    await Promise.all([send(at(1), 1), send({ tenant: 'acme' }, 2), send(at(2), 3), send(at(3), 4)]);
    expect(backend.seen).toEqual([1, 2, 3, 4]);
    expect(state.most).toBe(2);
  });

  it('recovers once when several are lost together, and each of them has an unknown outcome', async () => {
    const { backend, device, states, send } = await wide();
    backend.answer = async (request) => {
      await new Promise((done) => setTimeout(done, 5));
      if (request.opcode !== 0x0001) throw new BackendError('EIO', 'unknown', 'gone');
      return success;
    };
    const results = await Promise.all([send(at(1), 0x5101), send(at(2), 0x5101), send(at(3), 0x5101)]);
    for (const result of results) expect(result).toMatchObject({ kind: 'failed', failure: { outcome: 'unknown' } });
    await expect.poll(() => device.state).toBe('serving');
    expect(states).toEqual(['serving', 'quarantined', 'serving']);
    expect(backend.opens).toBe(2);
  });
});
