import { BackendError } from '../../src/backend/backend.ts';
import { MailboxBackend } from '../../src/backend/mailbox/mailbox-backend.ts';
import { opcode } from '../../src/cci/index.ts';
import { FakeClock } from '../../test/backend/mailbox/fake-clock.ts';
import {
  type FakeDevice,
  FakeRegisters,
  type Fault,
  MAILBOX_AT,
  QEMU_ENTRIES,
} from '../../test/backend/mailbox/fake-registers.ts';
import { demand, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';

const FAULTS: readonly Fault[] = ['none', 'gone', 'reject', 'throw', 'hang', 'done-reject', 'done-hang'];
const COMMAND = MAILBOX_AT + 8;
const CONTROL = MAILBOX_AT + 4;
const STATUS = MAILBOX_AT + 16;
const PAYLOAD = MAILBOX_AT + 32;
const ALLOWED = new Set([CONTROL, COMMAND]);

/** Some accesses read as something else. */
class LyingRegisters extends FakeRegisters {
  lies: readonly (readonly [index: number, offset: number, mask: bigint])[] = [];
  #reads = 0;

  override async read32(offset: number): Promise<number> {
    return Number(BigInt(await super.read32(offset)) ^ (this.#lie(offset) & 0xffff_ffffn));
  }

  override async read64(offset: number): Promise<bigint> {
    return (await super.read64(offset)) ^ this.#lie(offset);
  }

  #lie(offset: number): bigint {
    const index = this.#reads++ & 0x3f;
    const lie = this.lies.find(([at, where]) => (where < 0 ? at === index : where === offset));
    return lie?.[2] ?? 0n;
  }
}

function deviceOf(input: Input): FakeDevice {
  const shape = input.byte();
  const entries = QEMU_ENTRIES.map((entry) =>
    shape & 1
      ? { id: entry.id ^ (input.byte() & 3), offset: entry.offset ^ input.byte(), length: entry.length ^ input.byte() }
      : entry,
  );
  return {
    entries,
    ...(shape & 2 ? { claimedEntries: input.word() } : {}),
    ...(shape & 4 ? { payloadExponent: input.byte() & 0x1f } : {}),
    ...(shape & 8 ? { size: 0x100 + (input.word() & 0x1fff) } : {}),
    ...(shape & 16 ? { pollsUntilClear: input.byte() } : {}),
    ...(shape & 32 ? { stuckBefore: true } : {}),
    run: () => ({
      returnCode: input.word(),
      background: (input.byte() & 1) === 1,
      payload: input.take(input.byte()),
      ...(shape & 64 ? { claimedLength: input.word() * (1 + (input.byte() & 31)) } : {}),
      ...(shape & 128 ? { opcodeLeft: input.word() } : {}),
    }),
  };
}

function checkError(error: unknown): asserts error is BackendError {
  demand(error instanceof BackendError, () => `not a backend error: ${String(error)}`);
}

export const target: Target = {
  name: 'register-driver',
  oracle:
    'whatever registers say, only command, doorbell and payload are written, and a command that may have run is `unknown`',
  covers: ['src/backend/mailbox'],
  kind: 'bytes',
  maxLength: 120,
  seeds: () => [
    Uint8Array.of(0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4),
    ...[1, 2, 4, 8, 16, 32, 64, 128, 255].map((shape) => Uint8Array.of(shape, 2, 3, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8)),
    ...FAULTS.map((_, fault) => Uint8Array.of(0, 1, 6, fault, 0, 0, 0, 0)),
    Uint8Array.of(0, 0, 2, 255, 16, 0xff, 0xff, 20, 4, 1, 0, 0, 0, 0),
  ],
  open: () => ({
    async run(bytes) {
      const input = new Input(bytes);
      const io = new LyingRegisters(deviceOf(input));
      const faultAt = input.byte();
      const fault = FAULTS[input.byte() % FAULTS.length] ?? 'none';
      io.fault = (index) => (index === faultAt ? fault : 'none');
      io.lies = Array.from({ length: input.byte() & 3 }, () => {
        const where = [STATUS, COMMAND, CONTROL, MAILBOX_AT, 0][input.byte() % 8] ?? -1;
        return [input.byte(), where, BigInt(input.word()) << BigInt(input.byte() & 48)] as const;
      });
      // Where a device says that its mailbox is elsewhere, nothing of this one is there.
      const isMoved =
        (bytes[0] ?? 0) % 2 === 1 || io.lies.some(([, where]) => where < 0 || where === MAILBOX_AT || where === 0);
      const clock = new FakeClock();
      const backend = new MailboxBackend(io, { clock });
      const opened = await backend.open().then(
        () => true,
        (error: unknown) => {
          checkError(error);
          demand(error.outcome === 'not-sent', 'a mailbox that does not open says a command may have run');
          return false;
        },
      );
      if (opened) await command(backend, io, clock, 16, isMoved);
      if (opened) await command(backend, io, clock, 0, isMoved);
      await backend.close();
      demand(!io.isOpen || fault !== 'none', 'the carrier stays open');
      for (const { op, width, offset } of io.accesses) {
        demand(offset >= 0 && offset + width <= io.size, `${op} of ${width} bytes at ${offset} of ${io.size}`);
        demand(offset % width === 0, `${op} of ${width} bytes at ${offset}`);
        if (op === 'write' && !isMoved)
          demand(ALLOWED.has(offset) || (offset >= PAYLOAD && width === 4), `a store at ${offset}`);
      }
    },
  }),
};

async function command(
  backend: MailboxBackend,
  io: LyingRegisters,
  clock: FakeClock,
  length: number,
  isMoved: boolean,
): Promise<void> {
  const before = io.rung;
  const most = backend.maxPayload;
  const payload = new Uint8Array(Math.min(length, most)).fill(5);
  try {
    const reply = await backend.execute({ opcode: opcode(0x0001), payload }, clock.now() + 1000);
    demand(reply.payload.length <= most, `${reply.payload.length} bytes of a mailbox of ${most}`);
    demand(Number.isInteger(reply.returnCode) && reply.returnCode >= 0 && reply.returnCode <= 0xffff, 'a return code');
    demand(isMoved || io.rung === before + 1, `the doorbell was rung ${io.rung - before} times`);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    demand(error.outcome === 'unknown' || io.rung === before, 'a command that was sent is called not sent');
    demand(io.rung <= before + 1, 'a command was sent twice');
  }
}
