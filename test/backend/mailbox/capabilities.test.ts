import { expect, test } from 'vitest';
import { BackendError } from '../../../src/backend/index.ts';
import { MailboxBackend } from '../../../src/backend/mailbox/index.ts';
import { FakeClock } from './fake-clock.ts';
import { type FakeDevice, type FakeEntry, FakeRegisters, MAILBOX_AT, QEMU_ENTRIES } from './fake-registers.ts';

async function open(device: FakeDevice, prepare: (io: FakeRegisters) => void = () => {}) {
  const clock = new FakeClock();
  const io = new FakeRegisters(device);
  prepare(io);
  const backend = new MailboxBackend(io, { clock });
  const startMs = clock.now();
  const outcome = await backend.open().then(
    () => 'open',
    (error: unknown) => (error instanceof BackendError ? `${error.code} ${error.outcome}` : `wrong: ${String(error)}`),
  );
  return { backend, io, outcome, tookMs: clock.now() - startMs };
}

const mailbox = (change: Partial<FakeEntry> = {}): FakeEntry => ({
  id: 2,
  offset: MAILBOX_AT,
  length: 0x820,
  ...change,
});

const status = (change: Partial<FakeEntry> = {}): FakeEntry => ({ id: 0x4000, offset: 0x8a8, length: 8, ...change });

const layouts: [name: string, device: FakeDevice, outcome: string][] = [
  ['the layout of the emulated device', {}, 'open'],
  ['a mailbox alone', { entries: [mailbox()] }, 'open'],
  [
    'unknown, vendor and all-zero entries around the mailbox',
    {
      entries: [
        { id: 0x8123, offset: 0xffff_ffff, length: 7 },
        { id: 0, offset: 0, length: 0 },
        mailbox(),
        { id: 0x0003, offset: 1, length: 1 },
      ],
    },
    'open',
  ],
  ['an array header with another id', { headerId: 1 }, 'EPROTO not-sent'],
  ['no entries', { claimedEntries: 0 }, 'EPROTO not-sent'],
  ['an array cut off before the mailbox', { claimedEntries: 1 }, 'EPROTO not-sent'],
  ['an array larger than the block', { claimedEntries: 0x1000 }, 'EPROTO not-sent'],
  ['a block without room for one entry', { size: 0x10 }, 'EPROTO not-sent'],
  ['a block that ends inside the mailbox', { size: 0x400 }, 'EPROTO not-sent'],
  ['two device status registers', { entries: [mailbox(), status(), status()] }, 'EPROTO not-sent'],
  ['a device status past the block', { entries: [mailbox(), status({ offset: 0x1000 })] }, 'EPROTO not-sent'],
  ['a device status too short', { entries: [mailbox(), status({ length: 4 })] }, 'EPROTO not-sent'],
  ['a device status at an odd place', { entries: [mailbox(), status({ offset: 0x8ac })] }, 'EPROTO not-sent'],
  ['two primary mailboxes', { entries: [mailbox(), mailbox()] }, 'EPROTO not-sent'],
  ['no primary mailbox', { entries: QEMU_ENTRIES.filter(({ id }) => id !== 2) }, 'EPROTO not-sent'],
  [
    'a mailbox over the capability array',
    { entries: [mailbox({ offset: 0x20 }), { id: 0x000b, offset: 0, length: 0 }] },
    'EPROTO not-sent',
  ],
  ['a mailbox at an odd place', { entries: [mailbox({ offset: MAILBOX_AT + 4 })] }, 'EPROTO not-sent'],
  ['a mailbox past the block', { entries: [mailbox({ offset: 0x1000 })] }, 'EPROTO not-sent'],
  ['a mailbox at the end of the 32-bit range', { entries: [mailbox({ offset: 0xffff_fff8 })] }, 'EPROTO not-sent'],
  ['a mailbox too short for its registers', { entries: [mailbox({ length: 0x1f })] }, 'EPROTO not-sent'],
  ['a mailbox too short for its payload', { entries: [mailbox({ length: 0x81f })] }, 'EPROTO not-sent'],
  ['payload exponent 7', { payloadExponent: 7 }, 'EPROTO not-sent'],
  ['payload exponent 8', { payloadExponent: 8 }, 'open'],
  ['payload exponent 20', { payloadExponent: 20, size: 0x200000, entries: [mailbox({ length: 0x100020 })] }, 'open'],
  [
    'payload exponent 21',
    { payloadExponent: 21, size: 0x400000, entries: [mailbox({ length: 0x200020 })] },
    'EPROTO not-sent',
  ],
  ['payload exponent 31', { payloadExponent: 31 }, 'EPROTO not-sent'],
  ['a doorbell that never clears', { stuckBefore: true }, 'EBUSY not-sent'],
];

test.each(layouts)('opening a device with %s', async (_, device, expected) => {
  const { backend, io, outcome } = await open(device);
  expect(outcome).toBe(expected);
  // A device that is refused is let go, and looking at it never writes to it.
  expect(io.isOpen).toBe(expected === 'open');
  expect(io.accesses.filter(({ op }) => op === 'write')).toEqual([]);
  expect(backend.maxPayload).toBe(expected === 'open' ? 2 ** (device.payloadExponent ?? 11) : 0);
});

test('registers are read in aligned units of 4 or 8 bytes only', async () => {
  const { io } = await open({});
  expect(io.accesses.filter(({ width, offset }) => offset % width !== 0)).toEqual([]);
});

test('a doorbell left by a predecessor is waited for, up to 2 s', async () => {
  const stuck = await open({ stuckBefore: true });
  expect(stuck.tookMs).toBeGreaterThanOrEqual(2000);
  expect(stuck.tookMs).toBeLessThan(2010);
  let reads = 0;
  const late = await open({ stuckBefore: true }, (io) => {
    io.fault = (_, { offset }) => {
      if (offset === MAILBOX_AT + 4 && ++reads === 100) io.device.stuckBefore = false;
      return 'none';
    };
  });
  expect(late.outcome).toBe('open');
});

test('a device that is gone, at whichever access of opening, is EIO', async () => {
  const { io } = await open({});
  const steps = io.accesses.length;
  for (let step = 0; step < steps; step++) {
    const { outcome } = await open({}, (fake) => {
      fake.fault = (index) => (index === step ? 'gone' : 'none');
    });
    expect(outcome, `gone at access ${step}`).toBe('EIO not-sent');
  }
});

test('a carrier that fails or falls silent, at whichever access of opening, is EIO or ETIMEDOUT', async () => {
  const { io } = await open({});
  const steps = io.accesses.length;
  for (let step = 0; step < steps; step++) {
    for (const [fault, expected] of [
      ['reject', 'EIO not-sent'],
      ['throw', 'EIO not-sent'],
      ['hang', 'ETIMEDOUT not-sent'],
    ] as const) {
      const { outcome } = await open({}, (fake) => {
        fake.fault = (index) => (index === step ? fault : 'none');
      });
      expect(outcome, `${fault} at access ${step}`).toBe(expected);
    }
  }
});
