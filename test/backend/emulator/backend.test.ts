import { describe, expect, it } from 'vitest';
import { BackendError, type BackendErrorCode, type BackendFailure } from '../../../src/backend/backend.ts';
import {
  createEmulatorBackend,
  type EmulatorBackend,
  type EmulatorBackendOptions,
  type FaultRule,
} from '../../../src/backend/emulator/index.ts';
import { encodeRoute, type Opcode, opcode, parseVia, toHex } from '../../../src/cci/index.ts';
import { Rig, topologyPath } from './rig.ts';

async function opened(options: Partial<EmulatorBackendOptions> = {}): Promise<EmulatorBackend> {
  const backend = createEmulatorBackend({ topology: topologyPath('small'), ...options });
  await backend.open();
  return backend;
}

const identify = { opcode: opcode(0x0001), payload: new Uint8Array(0) };
const soon = (): number => performance.now() + 40;

async function failure(run: Promise<unknown>): Promise<readonly [BackendErrorCode, BackendFailure]> {
  try {
    await run;
  } catch (error) {
    if (error instanceof BackendError) return [error.code, error.outcome];
    throw error;
  }
  throw new Error('did not fail');
}

describe('the emulator as a Backend', () => {
  it('answers once it is open, and says what it is', async () => {
    const backend = await opened({ bootId: 'boot-7', seed: 5 });
    expect(backend.identity).toEqual({
      kind: 'emulator',
      description: 'emulated switch of 8 ports, seed 5',
      bootId: 'boot-7',
      session: expect.any(String),
    });
    expect(backend).toMatchObject({ maxPayload: 8192, maxInFlight: 1, touchesHostHardware: false });
    expect((await backend.execute(identify, soon())).payload).toHaveLength(18);
  });

  it('has a boot of its own for each process unless it is given one', async () => {
    const [a, b] = [await opened(), await opened()];
    expect(a.identity.bootId).toBe(b.identity.bootId);
    expect(a.identity.bootId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('refuses use before open, payloads over its size, and a second command in flight', async () => {
    const closed = createEmulatorBackend({ topology: topologyPath('small') });
    expect(await failure(closed.execute(identify, soon()))).toEqual(['EINVAL', 'not-sent']);
    expect(() => closed.identity).toThrow(BackendError);
    const backend = await opened({ faults: [{ fault: { kind: 'late', ms: 20 } }] });
    const large = { opcode: opcode(1), payload: new Uint8Array(8193) };
    expect(await failure(backend.execute(large, soon()))).toEqual(['EINVAL', 'not-sent']);
    expect(await failure(backend.execute(identify, performance.now() - 1))).toEqual(['ETIMEDOUT', 'not-sent']);
    const first = backend.execute(identify, soon());
    expect(await failure(backend.execute(identify, soon()))).toEqual(['EBUSY', 'not-sent']);
    expect((await first).returnCode).toBe(0);
  });

  it('keeps its state when it is closed and opened again, as a device does', async () => {
    const backend = await opened({ timing: { bindMs: 0 } });
    await backend.execute({ opcode: opcode(0x5201), payload: Uint8Array.of(0, 2, 3, 0, 1, 0) }, soon());
    await backend.close();
    await backend.close();
    await backend.open();
    const reply = await backend.execute({ opcode: opcode(0x5200), payload: Uint8Array.of(0, 255, 1, 0) }, soon());
    expect(toHex(reply.payload.slice(16, 20))).toBe('03030100');
  });

  it('carries 4096 bytes of 5302h, and 32 bytes of tunnels more, and 255 ports', async () => {
    const backend = await opened();
    expect(backend.maxPayload).toBeGreaterThanOrEqual(4096 + 16 + 2 * 16);
    const payload = new Uint8Array(16 + 4096);
    payload.set([3, 0, 0xf0, 0x8f, 1, 0, 0, 16]);
    expect((await backend.execute({ opcode: opcode(0x5302), payload }, soon())).returnCode).toBe(0);
    const ports = Uint8Array.from({ length: 256 }, (_, i) => (i === 0 ? 255 : i - 1));
    expect((await backend.execute({ opcode: opcode(0x5101), payload: ports }, soon())).payload).toHaveLength(4084);
  });
});

describe('adversarial mode', () => {
  const cases: readonly (readonly [string, FaultRule, BackendErrorCode, BackendFailure])[] = [
    ['a missing reply is a timeout of unknown outcome', { fault: { kind: 'missing' } }, 'ETIMEDOUT', 'unknown'],
    ['a late reply behind the deadline too', { fault: { kind: 'late', ms: 500 } }, 'ETIMEDOUT', 'unknown'],
    ['a stuck doorbell too', { fault: { kind: 'stuck-doorbell' } }, 'ETIMEDOUT', 'unknown'],
    ['a reset in mid-command too', { fault: { kind: 'reset' } }, 'ETIMEDOUT', 'unknown'],
    ['a power cycle too', { fault: { kind: 'power-cycle' } }, 'ETIMEDOUT', 'unknown'],
    ['a reply with another tag breaks the protocol', { fault: { kind: 'wrong-tag' } }, 'EPROTO', 'unknown'],
    ['a reply with another opcode breaks the protocol', { fault: { kind: 'wrong-opcode' } }, 'EPROTO', 'unknown'],
    [
      'a reply over the mailbox breaks the protocol',
      { fault: { kind: 'oversized', bytes: 9000 } },
      'EPROTO',
      'unknown',
    ],
  ];

  it.each(cases)('%s', async (_why, rule, code, outcome) => {
    const backend = await opened({ faults: [rule] });
    expect(await failure(backend.execute(identify, soon()))).toEqual([code, outcome]);
  });

  it('leaves the doorbell set for later commands, until it is freed', async () => {
    const backend = await opened({ faults: [{ fault: { kind: 'stuck-doorbell' } }] });
    await failure(backend.execute(identify, soon()));
    expect(await failure(backend.execute(identify, soon()))).toEqual(['EBUSY', 'not-sent']);
    backend.emulator.control.clearFaults();
    expect((await backend.execute(identify, soon())).returnCode).toBe(0);
  });

  it('closing ends a command that waits', async () => {
    const backend = await opened({ faults: [{ fault: { kind: 'missing' } }] });
    const running = failure(backend.execute(identify, performance.now() + 60_000));
    await backend.close();
    expect(await running).toEqual(['EIO', 'unknown']);
  });

  it('late but in time, the reply is the true one', async () => {
    const backend = await opened({ faults: [{ fault: { kind: 'late', ms: 10 } }] });
    expect((await backend.execute(identify, soon())).payload).toHaveLength(18);
  });

  it('truncates, lengthens and recodes replies', async () => {
    const backend = await opened({
      faults: [
        { fault: { kind: 'truncated', bytes: 4 } },
        { fault: { kind: 'oversized', bytes: 3 }, skip: 1 },
        { fault: { kind: 'wrong-return-code', returnCode: 0x1b }, skip: 2 },
      ],
    });
    expect((await backend.execute(identify, soon())).payload).toHaveLength(14);
    expect((await backend.execute(identify, soon())).payload).toHaveLength(21);
    expect((await backend.execute(identify, soon())).returnCode).toBe(0x1b);
    expect((await backend.execute(identify, soon())).payload).toHaveLength(18);
  });

  /** What a broker sees of a tunnelled Identify under a fault. */
  async function tunnelled(rule: FaultRule): Promise<Uint8Array> {
    const backend = await opened({ faults: [rule] });
    const hops = parseVia('port:3/ld:1') ?? [];
    const route = encodeRoute({ hops, tags: [1, 2], opcode: 0x0001, payload: new Uint8Array(0) });
    return (await backend.execute({ opcode: route.opcode as Opcode, payload: route.payload }, soon())).payload;
  }

  it('mislabels replies inside tunnels, at the layer asked for', async () => {
    const truth = await tunnelled({ fault: { kind: 'missing' }, opcode: 0x7777 });
    const [l1, l2] = [4, 20];
    const wrongTag = await tunnelled({ fault: { kind: 'wrong-tag' }, layer: 2 });
    expect([wrongTag[l1 + 1], wrongTag[l2 + 1]]).toEqual([truth[l1 + 1], (truth[l2 + 1] ?? 0) + 1]);
    const wrongOpcode = await tunnelled({ fault: { kind: 'wrong-opcode' }, layer: 1 });
    expect([wrongOpcode[l1 + 3], wrongOpcode[l2 + 3]]).toEqual([(truth[l1 + 3] ?? 0) ^ 1, truth[l2 + 3]]);
    const wrongCode = await tunnelled({ fault: { kind: 'wrong-return-code', returnCode: 6 }, layer: 2 });
    expect([wrongCode[l1 + 8], wrongCode[l2 + 8]]).toEqual([0, 6]);
    const short = await tunnelled({ fault: { kind: 'truncated', bytes: 1 }, layer: 2 });
    expect(short).toHaveLength(truth.length - 1);
    const swapped = await tunnelled({ fault: { kind: 'count-byte-order' }, layer: 0 });
    expect([swapped[0], swapped[1]]).toEqual([truth[1], truth[0]]);
  });

  it('never ends a background operation that it was told to keep', () => {
    const rig = new Rig('small', { faults: [{ fault: { kind: 'endless-background' }, opcode: 0x5201 }] });
    rig.run('bind-vppb', { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 });
    rig.pass(3_600_000);
    const status = rig.run('background-operation-status', {});
    expect(status.status).toEqual({ background_operation_in_progress: true, percentage_complete: 99 });
    rig.control.endBackground();
    expect(rig.vppbs(0)[2]).toBe('bound-to-ld 3 1');
  });

  it('moves a binding behind the back, with no event to tell', () => {
    const rig = new Rig('small', {
      faults: [{ fault: { kind: 'bind-behind-back', vcs: 1, vppb: 2, port: 3, ld: 1 }, opcode: 0x5201 }],
    });
    expect(rig.tryRun('bind-vppb', { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 })).toBe(2);
    expect(rig.vppbs(1)[2]).toBe('bound-to-ld 3 1');
    expect(rig.run('get-event-records', { event_log: 'informational' }).event_records).toEqual([]);
  });

  it('lies in the CEL', () => {
    const rig = new Rig('small', { faults: [{ fault: { kind: 'cel-lies', hide: [0x5201], invent: [0xc0de] } }] });
    const cel = rig.run('get-log', {
      log_identifier: '0da9c0b5-bf41-4b78-8f79-96b1623b3f17',
      offset: 0,
      length: 96,
    }).log_data;
    const opcodes = Array.from({ length: cel.length / 4 }, (_, i) => (cel[4 * i] ?? 0) + 256 * (cel[4 * i + 1] ?? 0));
    expect(opcodes).not.toContain(0x5201);
    rig.control.clearFaults();
    expect(rig.tryRun('bind-vppb', { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 })).toBe(1);
  });

  it('after a power cycle has its bindings, and nothing that was under way', () => {
    const rig = new Rig();
    rig.run('bind-vppb', { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 1 });
    rig.control.powerCycle();
    rig.pass(1000);
    expect(rig.vppbs(0)).toEqual(['bound-to-physical-port 2 255', 'bound-to-ld 3 0', 'unbound 0 255', 'unbound 0 255']);
    expect(rig.run('background-operation-status', {}).status.background_operation_in_progress).toBe(false);
  });

  it('strikes with the chance asked for, and the same commands every time with one seed', () => {
    const struck = (seed: number): string => {
      const rig = new Rig('small', {
        seed,
        faults: [{ fault: { kind: 'wrong-return-code', returnCode: 5 }, probability: 0.3, times: 1000 }],
      });
      return Array.from({ length: 200 }, () => (rig.code(0x0002) === 5 ? 'x' : '.')).join('');
    };
    expect(struck(1)).toBe(struck(1));
    expect(struck(1)).not.toBe(struck(2));
    expect(struck(1).split('x').length - 1).toBeGreaterThan(30);
    expect(struck(1).split('x').length - 1).toBeLessThan(90);
  });
});
