import { hostPaths, readPciFunction } from '../../../src/backend/devices/index.ts';
import { VFIO } from '../../../src/backend/mailbox/vfio/abi.ts';
import { openThroughGroup } from '../../../src/backend/mailbox/vfio/group.ts';
import { VfioInterrupts } from '../../../src/backend/mailbox/vfio/interrupts.ts';
import { loadNative } from '../../../src/backend/native/index.ts';

/**
 * Listens to the message (MSI) of a function that is bound to vfio-pci and has the kernel raise it. The emulated Switch CCI
 * has none, so this is any other function that has: the kernel's side and ours are the same.
 *
 * Usage: node mmio-interrupts.ts ADDRESS. Prints `{messages, heard, asked}` as JSON.
 */

const MSI = 1;
const REQUEST = 4;
const IRQS = 5;

const native = await loadNative();
const found = await readPciFunction(hostPaths, process.argv[2] ?? '');
const device = await openThroughGroup(native, hostPaths, found);
const interrupts = new VfioInterrupts(native, device.fd, IRQS);
let heard = 0;
let asked = 0;
interrupts.listen(interrupts.messages - 1, () => heard++);
interrupts.onRequest(IRQS, () => asked++);

/** The kernel's own way to try an interrupt: no data, trigger. */
function raise(index: number, vector: number): void {
  const call = Buffer.alloc(20);
  for (const [at, value] of [20, 1 | 32, index, vector, 1].entries()) call.writeUInt32LE(value, 4 * at);
  native.ioctl(device.fd, VFIO.deviceSetIrqs, call);
}

async function until(done: () => boolean): Promise<void> {
  const limit = performance.now() + 20_000;
  while (!done() && performance.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
}

for (let round = 1; round <= 3; round++) {
  raise(MSI, interrupts.messages - 1);
  await until(() => heard === round);
}
raise(REQUEST, 0);
await until(() => asked === 1);
interrupts.stop();
device.close();
console.log(JSON.stringify({ messages: interrupts.messages, heard, asked }));
