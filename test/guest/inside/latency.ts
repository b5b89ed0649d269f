import { hostPaths } from '../../../src/backend/devices/index.ts';
import type { Backend } from '../../../src/backend/index.ts';
import { createSysfsBackend, createVfioBackend } from '../../../src/backend/mailbox/index.ts';
import { claimThroughSysfs } from '../../../src/backend/mailbox/sysfs/claim.ts';
import { claimThroughVfio } from '../../../src/backend/mailbox/vfio/claim.ts';
import { loadNative } from '../../../src/backend/native/index.ts';
import { createWorkerBackend } from '../../../src/backend/worker/index.ts';
import { opcode } from '../../../src/cci/index.ts';

/**
 * Times Identify on the device of this machine three ways: the bare register accesses of its doorbell protocol, the
 * polled driver over them, and the driver in its worker process. One line of JSON. Usage: latency.ts sysfs|vfio
 */
const WARM_UP = 50;
const ROUNDS = 200;
/** A process away, a round takes much longer in an emulated machine. */
const ROUNDS_AWAY = 60;
const COMMAND = 0x08;
const CONTROL = 0x04;
const STATUS = 0x10;
const PAYLOAD = 0x20;
/** Of the mailbox in QEMU's register block. */
const MAILBOX = 0x88;
const IDENTIFY = opcode(0x0001);

const transport = process.argv[2] === 'vfio' ? 'vfio' : 'sysfs';

function quantile(sorted: readonly number[], part: number): number {
  return Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 10_000) / 10;
}

async function timed(
  once: () => unknown,
  rounds = ROUNDS,
): Promise<{ readonly p50Us: number; readonly p99Us: number }> {
  const times: number[] = [];
  for (let round = 0; round < WARM_UP + rounds; round++) {
    const start = performance.now();
    const work = once();
    if (work instanceof Promise) await work;
    if (round >= WARM_UP) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { p50Us: quantile(times, 0.5), p99Us: quantile(times, 0.99) };
}

async function bare() {
  const native = await loadNative();
  const claim = await (transport === 'vfio'
    ? claimThroughVfio(native, hostPaths, {})
    : claimThroughSysfs(native, hostPaths, undefined));
  const { memory } = claim;
  const at = (register: number) => claim.offset + MAILBOX + register;
  try {
    const access = await timed(() => memory.read32(at(CONTROL)));
    const command = await timed(() => {
      if ((memory.read32(at(CONTROL)) & 1) !== 0) throw new Error('the doorbell is set');
      memory.write64(at(COMMAND), BigInt(IDENTIFY));
      memory.write32(at(CONTROL), 1);
      while ((memory.read32(at(CONTROL)) & 1) !== 0);
      if (((memory.read64(at(STATUS)) >> 32n) & 0xffffn) !== 0n) throw new Error('Identify failed');
      const length = Number((memory.read64(at(COMMAND)) >> 16n) & 0xfffffn);
      for (let byte = 0; byte < length; byte += 4) memory.read32(at(PAYLOAD + byte));
    });
    return { access, command };
  } finally {
    claim.release();
  }
}

async function through(backend: Backend, rounds?: number) {
  await backend.open();
  try {
    const identify = { opcode: IDENTIFY, payload: new Uint8Array(0) };
    return await timed(() => backend.execute(identify, performance.now() + 5000), rounds);
  } finally {
    await backend.close();
  }
}

const { access, command } = await bare();
const driver = await through(transport === 'vfio' ? createVfioBackend({}) : createSysfsBackend({}));
const worker = await through(createWorkerBackend({ kind: transport }), ROUNDS_AWAY);
process.stdout.write(`${JSON.stringify({ transport, access, command, driver, worker })}\n`);
