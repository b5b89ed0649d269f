import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findSwitchCci, hostPaths } from '../../../src/backend/devices/index.ts';
import { type ClaimedFunction, FunctionRegisterIo } from '../../../src/backend/mailbox/function-register-io.ts';
import { MailboxBackend } from '../../../src/backend/mailbox/mailbox-backend.ts';
import { claimThroughSysfs } from '../../../src/backend/mailbox/sysfs/claim.ts';
import { claimThroughVfio } from '../../../src/backend/mailbox/vfio/claim.ts';
import { loadNative } from '../../../src/backend/native/index.ts';
import { opcode } from '../../../src/cci/index.ts';

/**
 * Drives the Switch CCI of this machine through the real transport and prints what the driver meant to do on the bus, as
 * one line of JSON: `{transport, base, bytes, accesses, latencies}`. The host holds it against what the machine's own trace of its
 * memory regions saw.
 *
 * Usage: node mmio-probe.ts sysfs|vfio [COMMANDS]
 */

const [transport = 'sysfs', count = '200'] = process.argv.slice(2);
const native = await loadNative();
const accesses: string[] = [];

/** Passes every access on and notes it: `r4@88` is a 4-byte load at offset 88h of the BAR. */
function noted(claimed: ClaimedFunction): ClaimedFunction {
  const { memory } = claimed;
  const note = (op: string, offset: number) => accesses.push(`${op}@${offset.toString(16)}`);
  return {
    ...claimed,
    memory: {
      bytes: memory.bytes,
      read32(offset) {
        note('r4', offset);
        return memory.read32(offset);
      },
      read64(offset) {
        note('r8', offset);
        return memory.read64(offset);
      },
      write32(offset, value) {
        note('w4', offset);
        memory.write32(offset, value);
      },
      write64(offset, value) {
        note('w8', offset);
        memory.write64(offset, value);
      },
      release: () => memory.release(),
    },
  };
}

const found = await findSwitchCci(hostPaths, undefined);
const claim = async () =>
  transport === 'vfio' ? claimThroughVfio(native, hostPaths, {}) : claimThroughSysfs(native, hostPaths, found.address);
const backend = new MailboxBackend(new FunctionRegisterIo(async () => noted(await claim())));
await backend.open();

// Identify, Identify Switch Device, the state of four ports, and an Identify in a tunnel to the device of port 1.
const tunnel = Uint8Array.of(1, 0, 12, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
const requests = [
  { opcode: opcode(0x0001), payload: new Uint8Array(0) },
  { opcode: opcode(0x5100), payload: new Uint8Array(0) },
  { opcode: opcode(0x5101), payload: Uint8Array.of(4, 0, 1, 2, 3) },
  { opcode: opcode(0x5300), payload: tunnel },
] as const;
const latencies: number[] = [];
const returnCodes = new Set<number>();
for (let index = 0; index < Number(count); index++) {
  const request = requests[index % requests.length] ?? requests[0];
  const beforeMs = performance.now();
  const { returnCode } = await backend.execute(request, beforeMs + 2000);
  latencies.push(performance.now() - beforeMs);
  returnCodes.add(returnCode);
}
await backend.close();

const line = readFileSync(join(found.directory, 'resource'), 'latin1').split('\n')[0] ?? '';
const [base = '', end = ''] = line.split(' ');
const sorted = latencies.sort((a, b) => a - b);
const at = (part: number) => Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 1000);
console.log(
  `mmio-probe: ${JSON.stringify({
    transport,
    base,
    bytes: Number(end) - Number(base) + 1,
    returnCodes: [...returnCodes],
    commandUs: { p50: at(0.5), p99: at(0.99) },
    accesses,
  })}`,
);
