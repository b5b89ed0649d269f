import { expect, test } from 'vitest';
import { BackendError } from '../../../src/backend/index.ts';
import { MailboxBackend } from '../../../src/backend/mailbox/index.ts';
import { opcode } from '../../../src/cci/index.ts';
import { FakeClock } from './fake-clock.ts';
import { type FakeDevice, FakeRegisters, MAILBOX_AT } from './fake-registers.ts';

const IDENTIFY = opcode(0x0001);
const echo = (_: number, payload: Uint8Array) => ({ payload });

async function opened(device: FakeDevice = {}) {
  const clock = new FakeClock();
  const io = new FakeRegisters(device);
  const backend = new MailboxBackend(io, { clock });
  await backend.open();
  io.accesses.length = 0;
  const execute = (payload = new Uint8Array(0), timeoutMs = 10_000, command = IDENTIFY) =>
    backend.execute({ opcode: command, payload }, clock.now() + timeoutMs);
  return { backend, clock, execute, io };
}

/** The error of a promise that has to reject with a BackendError, as `CODE outcome`. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.fail('it succeeded'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof BackendError)) expect.fail(`not a BackendError: ${String(error)}`);
  return `${error.code} ${error.outcome}`;
}

test('a command makes exactly the accesses of the doorbell protocol, each of the right width', async () => {
  const { execute, io } = await opened({ run: echo });
  const reply = await execute(Uint8Array.of(1, 2, 3, 4, 5, 6));
  expect(reply).toEqual({
    returnCode: 0,
    vendorStatus: 0,
    background: false,
    payload: Uint8Array.of(1, 2, 3, 4, 5, 6),
  });
  const list = io.accesses.map(
    ({ op, width, offset, value }) => `${op}${width * 8} +${(offset - MAILBOX_AT).toString(16)} ${value.toString(16)}`,
  );
  expect(list).toEqual([
    'read32 +4 0',
    'write32 +20 4030201',
    'write32 +24 605',
    'write64 +8 60001',
    'write32 +4 1',
    'read32 +4 0',
    'read64 +10 0',
    'read64 +8 60001',
    'read32 +20 4030201',
    'read32 +24 605',
    'read64 +8 60001',
  ]);
});

test('return code, vendor status and the background flag come from the status register', async () => {
  const { execute } = await opened({ run: () => ({ returnCode: 0x0001, vendorStatus: 0xabcd, background: true }) });
  expect(await execute()).toEqual({
    returnCode: 1,
    vendorStatus: 0xabcd,
    background: true,
    payload: new Uint8Array(0),
  });
});

test('an error reply carries no payload, whatever length the device left behind', async () => {
  const { execute } = await opened({
    run: () => ({ returnCode: 0x0016, payload: Uint8Array.of(9), claimedLength: 0x1fffff }),
  });
  expect((await execute()).payload.length).toBe(0);
});

test('the largest payload goes through and one byte more never reaches the device', async () => {
  const { backend, execute, io } = await opened({ run: echo });
  expect(backend.maxPayload).toBe(2048);
  expect((await execute(new Uint8Array(2048).fill(7))).payload).toEqual(new Uint8Array(2048).fill(7));
  expect(await refusal(execute(new Uint8Array(2049)))).toBe('EINVAL not-sent');
  expect(io.rung).toBe(1);
});

test('bytes changed by the caller after the call are not sent', async () => {
  let seen = new Uint8Array(0);
  const { execute } = await opened({
    run: (_, payload) => {
      seen = new Uint8Array(payload);
      return {};
    },
  });
  const payload = Uint8Array.of(1, 2, 3, 4);
  const running = execute(payload);
  payload.fill(0xee);
  await running;
  expect(seen).toEqual(Uint8Array.of(1, 2, 3, 4));
});

test('a second command is refused while one is in the mailbox, and the first is not disturbed', async () => {
  const { execute, io } = await opened({ run: echo, pollsUntilClear: 30 });
  const first = execute(Uint8Array.of(1));
  expect(await refusal(execute(Uint8Array.of(2)))).toBe('EBUSY not-sent');
  expect((await first).payload).toEqual(Uint8Array.of(1));
  expect(io.rung).toBe(1);
  expect((await execute(Uint8Array.of(3))).payload).toEqual(Uint8Array.of(3));
});

test('a doorbell that was set before we began is EBUSY, and the mailbox is usable once it clears', async () => {
  const { execute, io } = await opened({ run: echo });
  io.device.stuckBefore = true;
  expect(await refusal(execute(Uint8Array.of(1)))).toBe('EBUSY not-sent');
  expect(io.accesses.every(({ op }) => op === 'read')).toBe(true);
  io.device.stuckBefore = false;
  expect((await execute(Uint8Array.of(1))).returnCode).toBe(0);
});

test('a command that outlasts 2 s is unknown, and the mailbox stays shut until it is reopened', async () => {
  const { backend, clock, execute, io } = await opened({ pollsUntilClear: Number.POSITIVE_INFINITY });
  const startMs = clock.now();
  expect(await refusal(execute())).toBe('ETIMEDOUT unknown');
  expect(clock.now() - startMs).toBeGreaterThanOrEqual(2000);
  expect(clock.now() - startMs).toBeLessThan(2010);
  expect(await refusal(execute())).toBe('EIO not-sent');
  expect(await refusal(backend.readBackgroundStatus(clock.now() + 100))).toBe('EIO not-sent');
  expect(io.rung).toBe(1);
  await backend.close();
  expect(await refusal(backend.open())).toBe('EBUSY not-sent');
  io.heal();
  await backend.open();
  expect((await execute()).returnCode).toBe(0);
});

test('a deadline sooner than 2 s ends the wait', async () => {
  const { clock, execute } = await opened({ pollsUntilClear: Number.POSITIVE_INFINITY });
  const startMs = clock.now();
  expect(await refusal(execute(new Uint8Array(0), 300))).toBe('ETIMEDOUT unknown');
  expect(clock.now() - startMs).toBeLessThan(310);
});

test('a command that was done while this process was held up is not called late', async () => {
  const { clock, execute, io } = await opened({ run: echo });
  io.fault = (_, { op, offset }) => {
    if (op === 'write' && offset === MAILBOX_AT + 4) clock.skip(60_000);
    return 'none';
  };
  expect((await execute(Uint8Array.of(1))).payload).toEqual(Uint8Array.of(1));
});

test('a deadline that has passed, or is no number, sends nothing', async () => {
  const { backend, execute, io } = await opened();
  expect(await refusal(execute(new Uint8Array(0), 0))).toBe('ETIMEDOUT not-sent');
  expect(await refusal(execute(new Uint8Array(0), -1))).toBe('ETIMEDOUT not-sent');
  expect(await refusal(backend.execute({ opcode: IDENTIFY, payload: new Uint8Array(0) }, Number.NaN))).toBe(
    'ETIMEDOUT not-sent',
  );
  expect(io.accesses).toEqual([]);
});

test('a deadline that passes while the payload is written leaves the doorbell alone and the mailbox usable', async () => {
  const { clock, execute, io } = await opened({ run: echo });
  io.fault = (_, { op, width }) => {
    if (op === 'write' && width === 8) clock.skip(500);
    return 'none';
  };
  expect(await refusal(execute(Uint8Array.of(1), 400))).toBe('ETIMEDOUT not-sent');
  expect(io.rung).toBe(0);
  io.fault = () => 'none';
  expect((await execute(Uint8Array.of(1))).returnCode).toBe(0);
});

test('a late clear within the limits is a success', async () => {
  const { execute } = await opened({ run: echo, pollsUntilClear: 200 });
  expect((await execute(Uint8Array.of(5))).payload).toEqual(Uint8Array.of(5));
});

test('a device that claims more than its mailbox holds is not believed', async () => {
  const { execute, io } = await opened({ run: () => ({ claimedLength: 2049 }) });
  expect(await refusal(execute())).toBe('EPROTO unknown');
  expect(io.accesses.filter(({ offset }) => offset >= MAILBOX_AT + 0x20)).toEqual([]);
  expect(await refusal(execute())).toBe('EIO not-sent');
});

test('a command register with another opcode betrays a second owner of the mailbox', async () => {
  const { execute } = await opened({ run: () => ({ opcodeLeft: 0x5300 }) });
  expect(await refusal(execute())).toBe('EPROTO unknown');
});

test('a reply that ends in all ones is data as long as the device is still there', async () => {
  const { execute } = await opened({ run: () => ({ payload: new Uint8Array(64).fill(0xff) }) });
  expect((await execute()).payload).toEqual(new Uint8Array(64).fill(0xff));
});

test('a device that is reset at any single access never gives a reply that is not its own', async () => {
  const healthy = await opened({ run: echo });
  await healthy.execute(new Uint8Array(12).fill(1));
  const steps = healthy.io.accesses.length;
  const outcomes = new Set<string>();
  for (let step = 0; step < steps; step++) {
    const { execute, io } = await opened({ run: echo });
    let index = 0;
    io.fault = () => (index++ === step ? 'reset' : 'none');
    const seen = await execute(new Uint8Array(12).fill(1)).then(
      ({ payload }) => Buffer.from(payload).toString('hex'),
      (error: unknown) => (error instanceof BackendError ? `${error.code} ${error.outcome}` : String(error)),
    );
    outcomes.add(seen);
  }
  // Payload that was lost before the doorbell is lost for good: the device ran what the echo shows.
  expect([...outcomes].sort()).toEqual([
    '000000000000000000000000',
    '000000000000000001010101',
    '000000000101010101010101',
    '010101010101010101010101',
    'EPROTO unknown',
  ]);
});

test('closing while a command runs reports it as unknown, and its poll never touches the reopened device', async () => {
  const { backend, execute, io } = await opened({ pollsUntilClear: Number.POSITIVE_INFINITY });
  const running = refusal(execute());
  while (io.rung === 0) await new Promise((resolve) => setImmediate(resolve));
  await backend.close();
  io.heal();
  await backend.open();
  io.accesses.length = 0;
  expect(await running).toBe('EIO unknown');
  expect(io.accesses).toEqual([]);
  expect((await execute()).returnCode).toBe(0);
});

test('closing while it opens makes open fail, and a later open works', async () => {
  const clock = new FakeClock();
  const io = new FakeRegisters();
  io.fault = (index) => (index === 3 ? 'hang' : 'none');
  const backend = new MailboxBackend(io, { clock });
  const opening = refusal(backend.open());
  for (let turn = 0; turn < 1000 && io.hanging === 0; turn++) await Promise.resolve();
  await backend.close();
  expect(await opening).toBe('EIO not-sent');
  await backend.open();
  expect(backend.identity).toEqual({ kind: 'mailbox/fake', description: 'registers in software', bootId: 'fake-2' });
});

test('nothing is known or done before open and after close', async () => {
  const clock = new FakeClock();
  const io = new FakeRegisters();
  const backend = new MailboxBackend(io, { clock });
  const command = { opcode: IDENTIFY, payload: new Uint8Array(0) };
  for (const round of ['before open', 'after close']) {
    expect(() => backend.identity, round).toThrow(BackendError);
    expect(backend.maxPayload, round).toBe(0);
    expect(await refusal(backend.execute(command, clock.now() + 1000)), round).toBe('EINVAL not-sent');
    expect(await refusal(backend.readBackgroundStatus(clock.now() + 1000)), round).toBe('EINVAL not-sent');
    await backend.close();
    if (round === 'before open') {
      await backend.open();
      expect(await refusal(backend.open())).toBe('EINVAL not-sent');
      await backend.close();
    }
  }
  expect(backend.maxInFlight).toBe(1);
  expect(backend.touchesHostHardware).toBe(false);
});

test('opening and reading the background status send no command', async () => {
  const { backend, clock, io } = await opened();
  expect(await backend.readBackgroundStatus(clock.now() + 1000)).toEqual({
    opcode: 0x5201,
    percent: 37,
    returnCode: 4,
    vendorStatus: 0x0102,
  });
  expect(io.rung).toBe(0);
});

test('a device that vanishes at any single access is EIO, and not-sent only when the doorbell was never rung', async () => {
  const healthy = await opened({ run: echo });
  await healthy.execute(new Uint8Array(12).fill(1));
  const steps = healthy.io.accesses.length;
  const outcomes = new Set<string>();
  for (let step = 0; step < steps; step++) {
    for (const fault of ['gone', 'reject', 'throw', 'hang', 'done-reject', 'done-hang'] as const) {
      const { backend, clock, execute, io } = await opened({ run: echo });
      let index = 0;
      io.fault = () => (index++ === step ? fault : 'none');
      const what = `${fault} at access ${step}`;
      const seen = await execute(new Uint8Array(12).fill(1)).then(
        () => 'done',
        (error: unknown) => (error instanceof BackendError ? `${error.code} ${error.outcome}` : String(error)),
      );
      expect(seen, what).toMatch(/^(EIO|ETIMEDOUT) (not-sent|unknown)$/);
      if (io.rung > 0) expect(seen, what).toMatch(/unknown$/);
      const again = backend.execute({ opcode: IDENTIFY, payload: new Uint8Array(0) }, clock.now() + 1000);
      expect(await refusal(again), what).toBe('EIO not-sent');
      outcomes.add(seen);
    }
  }
  expect([...outcomes].sort()).toEqual(['EIO not-sent', 'EIO unknown', 'ETIMEDOUT not-sent', 'ETIMEDOUT unknown']);
});

test('a mailbox that becomes ready late is waited for as the kernel does, and one that never does is refused', async () => {
  const late = await opened({ looksUntilReady: 590 });
  expect((await late.execute()).returnCode).toBe(0);
  const clock = new FakeClock();
  const startMs = clock.now();
  const io = new FakeRegisters({ looksUntilReady: Number.POSITIVE_INFINITY, deviceStatus: 1n });
  const backend = new MailboxBackend(io, { clock });
  const message = await backend.open().catch((error: unknown) => String(error));
  expect(message).toBe('BackendError: the mailbox did not become ready: the device reports a fatal error');
  expect(clock.now() - startMs).toBeGreaterThanOrEqual(60_000);
  expect(clock.now() - startMs).toBeLessThan(61_000);
  expect(io.isOpen).toBe(false);
  io.device.looksUntilReady = 0;
});

test('halted firmware is named when the mailbox does not become ready', async () => {
  const io = new FakeRegisters({ looksUntilReady: Number.POSITIVE_INFINITY, deviceStatus: 2n });
  await expect(new MailboxBackend(io, { clock: new FakeClock() }).open()).rejects.toThrow(
    "the device's firmware has halted",
  );
});

test('interrupts spare the device nearly all polls, and a lost one costs little time', async () => {
  const device = { run: echo, pollsUntilClear: Number.POSITIVE_INFINITY, doorbellMessage: 2, messages: 3 };
  for (const losesInterrupts of [false, true]) {
    const { clock, execute, io } = await opened({ ...device, losesInterrupts });
    const startMs = clock.now();
    clock.after(900, () => io.finish());
    expect((await execute(Uint8Array.of(1))).payload).toEqual(Uint8Array.of(1));
    const ring = io.accesses.find(({ op, offset }) => op === 'write' && offset === MAILBOX_AT + 4);
    expect(ring?.value).toBe(3n);
    const polls = io.accesses.filter(({ op, offset }) => op === 'read' && offset === MAILBOX_AT + 4).length;
    expect(polls).toBeLessThan(40);
    expect(clock.now() - startMs).toBeGreaterThanOrEqual(900);
    expect(clock.now() - startMs).toBeLessThanOrEqual(losesInterrupts ? 950 : 900);
  }
});

test('interrupts that come too early, twice or between commands do no harm', async () => {
  const { clock, execute, io } = await opened({ run: echo, pollsUntilClear: 30, doorbellMessage: 0, messages: 1 });
  for (let round = 0; round < 3; round++) {
    io.finish();
    io.finish();
    clock.after(60, () => io.finish());
    expect((await execute(Uint8Array.of(round))).payload).toEqual(Uint8Array.of(round));
  }
});

const pollingOnly: [name: string, device: FakeDevice][] = [
  ['a device that has no doorbell interrupt', { messages: 4 }],
  ['a carrier without messages', { doorbellMessage: 3, messages: 0 }],
  ['a message past those that the carrier has', { doorbellMessage: 3, messages: 3 }],
];
test.each(pollingOnly)('%s is polled and never asked for an interrupt', async (_, device) => {
  const { execute, io } = await opened({ ...device, run: echo, pollsUntilClear: 20 });
  expect((await execute(Uint8Array.of(1))).returnCode).toBe(0);
  expect(io.accesses.filter(({ op, value }) => op === 'write' && value === 3n)).toEqual([]);
});

test('a carrier that refuses to deliver interrupts is polled', async () => {
  const io = new FakeRegisters({ run: echo, doorbellMessage: 1, messages: 2 });
  io.listen = () => {
    throw new Error('refused');
  };
  const clock = new FakeClock();
  const backend = new MailboxBackend(io, { clock });
  await backend.open();
  await backend.execute({ opcode: IDENTIFY, payload: new Uint8Array(0) }, clock.now() + 1000);
  expect(io.accesses.filter(({ op, offset }) => op === 'write' && offset === MAILBOX_AT + 4)[0]?.value).toBe(1n);
});
