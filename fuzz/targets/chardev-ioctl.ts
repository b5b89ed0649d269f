import { BackendError } from '../../src/backend/backend.ts';
import { SEND_BYTES } from '../../src/backend/chardev/abi.ts';
import { ChardevBackend } from '../../src/backend/chardev/chardev-backend.ts';
import type { NativeCalls } from '../../src/backend/native/index.ts';
import { opcode } from '../../src/cci/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';

const MAX_PAYLOAD = 512;
const ADDRESS = 0x7000_0000n;
const ERRNOS = ['ENOTTY', 'EPERM', 'EINVAL', 'ENOMEM', 'EBUSY', 'ENXIO', 'ETIMEDOUT', 'EFAULT', 'EIO', 'constructor'];
const OPCODES = [0x0001, 0x4000, 0x0401, 0xc000] as const;

/** The structure that the driver gives to the kernel: everything that is not named is zero, and all addresses are its own. */
function checkSend(call: Uint8Array): void {
  demand(call.length === SEND_BYTES, `a structure of ${call.length} bytes`);
  const view = new DataView(call.buffer, call.byteOffset, call.byteLength);
  for (const [at, width] of [
    [4, 4],
    [10, 6],
    [20, 4],
    [36, 4],
  ] as const) {
    for (let i = at; i < at + width; i++) demand(call[i] === 0, `byte ${i} is not zero`);
  }
  for (const at of [16, 32]) {
    const size = view.getUint32(at, true);
    const address = view.getBigUint64(at + 8, true);
    if (size === 0) demand(address === 0n, 'an address of nothing');
    else
      demand(
        address >= ADDRESS && address + BigInt(size) <= ADDRESS + BigInt(2 * MAX_PAYLOAD),
        `${size} bytes elsewhere`,
      );
  }
}

/** A kernel that writes what the input says into what it is given. */
function kernelOf(input: Input, closed: number[]): NativeCalls {
  const memory = new Uint8Array(2 * MAX_PAYLOAD);
  const unused = (): never => {
    throw new Error('not of this device');
  };
  return {
    open: () => 7,
    close: (fd) => void closed.push(fd),
    ioctl(_fd, request, argument) {
      const how = input.byte();
      if (how >= 0xf0) throw Object.assign(new Error('made up'), { code: ERRNOS[how & 0x0f] ?? 'ENOSYS' });
      if (typeof argument === 'number') return 0;
      if ((request & 0xff) === 2) checkSend(argument);
      for (let left = how & 0x0f; left > 0; left--) argument[input.byte() % argument.length] = input.byte();
      memory.set(input.take(how >> 4), MAX_PAYLOAD);
      return 0;
    },
    allocate: () => ({ address: ADDRESS, bytes: memory, free() {} }),
    ...{ lock: unused, map: unused, read: unused, write: unused, eventCounter: unused, watchCounter: unused },
  };
}

export const target: Target = {
  name: 'chardev-ioctl',
  oracle:
    'the kernel is given structures of the right form alone; whatever it writes there, replies are bounded or errors typed',
  covers: ['src/backend/chardev'],
  kind: 'bytes',
  maxLength: 200,
  seeds: () => [
    Uint8Array.of(2, 0, 2, 1, 0, 0, 0),
    Uint8Array.of(0xf0, 1, 2),
    Uint8Array.of(0, 0, 0xf6),
    Uint8Array.of(0, 0x22, 12, 1, 32, 8, 1, 2, 3, 4, 0x13, 32, 0xff, 33, 0xff),
    Uint8Array.of(1, 0, 5, 4, 8, 1, 12, 0, 16, 0xff, 20, 0xff, 0x10, 9),
  ],
  open: () => ({
    async run(bytes) {
      const closed: number[] = [];
      const kernel = kernelOf(new Input(bytes), closed);
      const paths = { sys: '/nowhere', dev: '/nowhere', proc: '/nowhere' };
      const backend = new ChardevBackend(
        { path: '/dev/cxl/switch0', max_payload: MAX_PAYLOAD },
        async () => kernel,
        paths,
      );
      const isOpen = await backend.open().then(
        () => true,
        (error: unknown) => {
          demand(error instanceof BackendError && error.outcome === 'not-sent', () => String(error));
          return false;
        },
      );
      for (const code of isOpen ? OPCODES : []) {
        try {
          const request = { opcode: opcode(code), payload: new Uint8Array(code & 0x10) };
          const reply = await backend.execute(request, performance.now() + 10_000);
          demand(reply.payload.length <= MAX_PAYLOAD && reply.returnCode <= 0xffff, 'a reply out of bounds');
          demand(reply.returnCode === 0 || reply.payload.length === 0, 'an error with bytes that mean nothing');
        } catch (error) {
          demand(error instanceof BackendError, () => `not a backend error: ${String(error)}`);
        }
      }
      await backend.close();
      demand(closed.length === 1, `closed ${closed.length} times`);
    },
  }),
};
