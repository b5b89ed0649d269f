import type { Backend } from '../backend.ts';
import { MctpTcpBackend } from './mctp-tcp-backend.ts';
import type { MctpTcpOptions as Options } from './options.ts';

export { MctpTcpBackend } from './mctp-tcp-backend.ts';
export { MctpTcpOptions } from './options.ts';

/** A backend for a switch or emulator over MCTP/TCP. Connects when it is opened. */
export function createMctpTcpBackend(options: Options): MctpTcpBackend & Backend {
  return new MctpTcpBackend(options);
}
