import { MailboxBackend } from '../mailbox-backend.ts';
import type { QtestOptions } from './options.ts';
import { QtestRegisterIo } from './qtest-register-io.ts';

export { QtestOptions } from './options.ts';
export { QtestRegisterIo };

/**
 * A Switch CCI that QEMU emulates, over QEMU's qtest socket. With `spawn`, QEMU starts at `open` and ends at `close`.
 *
 * @throws BackendError EINVAL `not-sent` for a machine that can't be built
 * @example
 * const backend = createQtestBackend({ spawn: { ports: 3, devices: [1, 2] } });
 * await backend.open();
 * const reply = await backend.execute({ opcode: opcode(0x0001), payload: new Uint8Array() }, performance.now() + 1000);
 */
export function createQtestBackend(options: QtestOptions): MailboxBackend {
  return new MailboxBackend(new QtestRegisterIo(options));
}
