import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BackendError } from '../../../src/backend/index.ts';
import { MailboxBackend } from '../../../src/backend/mailbox/index.ts';
import { opcode } from '../../../src/cci/index.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeRegisters, type Fault, MAILBOX_AT } from './fake-registers.ts';

const RUNS = 500;

const fault = fc.constantFrom<Fault>('gone', 'reset', 'reject', 'throw', 'hang', 'done-reject', 'done-hang');
const faults = fc.dictionary(fc.integer({ min: 0, max: 60 }).map(String), fault, { maxKeys: 2 });
const entry = fc.record({
  id: fc.oneof(fc.constant(2), fc.constant(0x4000), fc.integer({ min: 0, max: 0xffff })),
  offset: fc.oneof(fc.constant(MAILBOX_AT), fc.integer({ min: 0, max: 0xffff_ffff })),
  length: fc.oneof(fc.constant(0x820), fc.integer({ min: 0, max: 0xffff_ffff })),
});
const reply = fc.record(
  {
    returnCode: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })),
    vendorStatus: fc.integer({ min: 0, max: 0xffff }),
    background: fc.boolean(),
    payload: fc.uint8Array({ maxLength: 64 }),
    claimedLength: fc.integer({ min: 0, max: 0x1f_ffff }),
    opcodeLeft: fc.integer({ min: 0, max: 0xffff }),
  },
  { requiredKeys: [] },
);
const command = fc.record({
  // 0 is what a device that was reset has there, and no command: what is decoded never asks for it.
  opcode: fc.integer({ min: 1, max: 0xffff }),
  payload: fc.uint8Array({ maxLength: 300 }),
  timeoutMs: fc.oneof(
    fc.integer({ min: -1, max: 5000 }),
    fc.constant(Number.NaN),
    fc.constant(Number.POSITIVE_INFINITY),
  ),
});

/** What a promise of the backend came to; anything but a BackendError fails the test. */
async function settle<T>(work: Promise<T>): Promise<T | BackendError> {
  return work.catch((error: unknown) => {
    if (error instanceof BackendError) return error;
    return expect.fail(`not a BackendError: ${String(error)}`);
  });
}

test('a device of any layout is opened or refused with BackendError, in bounded time, and never written to', async () => {
  const device = fc.record(
    {
      headerId: fc.integer({ min: 0, max: 3 }),
      claimedEntries: fc.integer({ min: 0, max: 0xffff }),
      entries: fc.array(entry, { maxLength: 6 }),
      payloadExponent: fc.integer({ min: 0, max: 31 }),
      size: fc.constantFrom(0, 8, 0x20, 0x40, 0x100, 0x1000, 0x1_0000),
      stuckBefore: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(device, faults, async (layout, script) => {
      const clock = new FakeClock();
      const io = new FakeRegisters(layout);
      io.fault = (index) => script[String(index)] ?? 'none';
      const backend = new MailboxBackend(io, { clock });
      const outcome = await settle(backend.open());
      if (outcome instanceof BackendError) expect(outcome.outcome).toBe('not-sent');
      expect(io.isOpen).toBe(!(outcome instanceof BackendError));
      expect(clock.now()).toBeLessThan(100_000);
      expect(io.accesses.filter(({ op }) => op === 'write')).toEqual([]);
      for (const { offset, width } of io.accesses) {
        expect(offset % width).toBe(0);
        expect(offset + width).toBeLessThanOrEqual(io.size);
      }
    }),
    { numRuns: RUNS },
  );
});

test('commands on a device with any faults never hang, and are not-sent only when the doorbell was never rung', async () => {
  await fc.assert(
    fc.asyncProperty(
      faults,
      fc.array(fc.tuple(command, reply, fc.constantFrom(0, 1, 20, 1000, Number.POSITIVE_INFINITY)), { maxLength: 5 }),
      async (script, commands) => {
        const clock = new FakeClock();
        const io = new FakeRegisters();
        const backend = new MailboxBackend(io, { clock });
        await backend.open();
        let index = 0;
        io.fault = () => script[String(index++)] ?? 'none';
        let isLost = false;
        for (const [sent, answer, polls] of commands) {
          io.device.pollsUntilClear = polls;
          io.device.run = () => answer;
          const rungBefore = io.rung;
          const startMs = clock.now();
          const request = { opcode: opcode(sent.opcode), payload: sent.payload };
          const outcome = await settle(backend.execute(request, startMs + sent.timeoutMs));
          expect(clock.now() - startMs).toBeLessThan(10_000);
          if (outcome instanceof BackendError) {
            if (outcome.outcome === 'not-sent') expect(io.rung).toBe(rungBefore);
            else isLost = true;
          } else {
            expect(isLost).toBe(false);
            expect(io.rung).toBe(rungBefore + 1);
            expect(outcome.returnCode).toBe(answer.returnCode ?? 0);
            expect(outcome.payload.length).toBeLessThanOrEqual(backend.maxPayload);
          }
        }
        const stores = io.accesses.filter(({ op, offset }) => op === 'write' && offset === MAILBOX_AT + 8);
        expect(stores.every(({ width }) => width === 8)).toBe(true);

        await backend.close();
        io.heal();
        io.device.run = (_, payload) => ({ payload });
        await backend.open();
        const payload = Uint8Array.of(1, 2, 3);
        const last = await backend.execute({ opcode: opcode(1), payload }, clock.now() + 1000);
        expect(last.payload).toEqual(payload);
      },
    ),
    { numRuns: RUNS },
  );
});
