import { closeSync, writeSync } from 'node:fs';
import { loadNative, type Native } from '../sandbox/index.ts';

/** A service manager that waits to hear how the service is: `sd_notify(3)` of systemd. */
export interface ServiceManager {
  /** It serves. `status` is one line for `systemctl status`. */
  ready(status: string): void;
  /** What it runs with is loaded again; `ready` says when that is over. */
  reloading(): void;
  stopping(): void;
  /** Half of the time after which the manager takes a silent service for dead; undefined where it does not watch. */
  readonly watchdogMs: number | undefined;
  /** It is alive. */
  alive(): void;
  close(): void;
}

export type FoundManager =
  /** Nobody waits: started by hand, or by something else. */
  | { readonly kind: 'none' }
  | { readonly kind: 'manager'; readonly manager: ServiceManager }
  /** Somebody waits and cannot be told, in words. He would end the service after a while. */
  | { readonly kind: 'unreachable'; readonly why: string };

interface SocketCalls {
  readonly socket: number;
  readonly connect: number;
}

/** Numbers of system calls; Node has datagram sockets for UDP only. */
const CALLS: { readonly [M in Native['machine']]: SocketCalls } = {
  x64: { socket: 41, connect: 42 },
  arm64: { socket: 198, connect: 203 },
};
const AF_UNIX = 1;
/** SOCK_DGRAM, closed in children, and never waited for. */
const SOCK_KIND = 2 | 0o2000000 | 0o4000;
/** `sun_path` of `struct sockaddr_un`, bytes. */
const PATH_BYTES = 108;

/**
 * Looks for a service manager in the environment (`NOTIFY_SOCKET`, `WATCHDOG_USEC`) and takes the variables out of it, so
 * that no child speaks for the service.
 */
export async function findServiceManager(env: NodeJS.ProcessEnv): Promise<FoundManager> {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (path === undefined || path === '') return { kind: 'none' };
  const address = addressOf(path);
  if (address === undefined) return { kind: 'unreachable', why: `\`${path}\` is no address of a UNIX socket` };
  const loaded = await loadNative();
  if (!loaded.ok) return { kind: 'unreachable', why: loaded.why };
  const descriptor = connected(loaded.native, address);
  if (typeof descriptor === 'string') return { kind: 'unreachable', why: descriptor };
  const isForUs = pid === undefined || pid === '' || Number(pid) === process.pid;
  return { kind: 'manager', manager: managerOf(descriptor, isForUs ? watchdogOf(microseconds) : undefined) };
}

function managerOf(descriptor: number, watchdogMs: number | undefined): ServiceManager {
  let open = true;
  const tell = (...lines: readonly string[]): void => {
    if (!open) return;
    try {
      writeSync(descriptor, lines.join('\n'));
    } catch {
      // A manager that went away, or whose queue is full, must not end the broker; a watchdog of its own acts on silence.
    }
  };
  return {
    ready: (status) => tell('READY=1', `STATUS=${status.replaceAll(/[\r\n]+/g, ' ')}`),
    // What `Type=notify-reload` asks for; others ignore it.
    reloading: () => tell('RELOADING=1', `MONOTONIC_USEC=${monotonicMicroseconds()}`),
    stopping: () => tell('STOPPING=1', 'STATUS=stopping: what is in flight is finished first'),
    watchdogMs,
    alive: () => tell('WATCHDOG=1'),
    close: () => {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

/** CLOCK_MONOTONIC, which hrtime is on Linux. */
function monotonicMicroseconds(): string {
  return String(process.hrtime.bigint() / 1000n);
}

function watchdogOf(microseconds: string | undefined): number | undefined {
  if (microseconds === undefined || !/^[1-9]\d{0,14}$/.test(microseconds)) return undefined;
  return Math.max(1, Math.floor(Number(microseconds) / 2000));
}

/** `struct sockaddr_un`; a leading `@` names an abstract socket. Undefined where it does not fit. */
function addressOf(path: string): Uint8Array | undefined {
  const isAbstract = path.startsWith('@');
  if (!isAbstract && !path.startsWith('/')) return undefined;
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`, 'utf8');
  if (name.length > PATH_BYTES || name.subarray(isAbstract ? 1 : 0, -1).includes(0)) return undefined;
  const address = new Uint8Array(2 + name.length);
  // Of the machine's own byte order, which is little-endian on both that we know.
  address[0] = AF_UNIX;
  address.set(name, 2);
  return address;
}

/** A descriptor, or why there is none. */
function connected(native: Native, address: Uint8Array): number | string {
  const { socket, connect } = CALLS[native.machine];
  const descriptor = native.call(socket, AF_UNIX, SOCK_KIND, 0);
  if (descriptor < 0) return `no socket could be made (errno ${native.errno()})`;
  if (native.call(connect, descriptor, address, address.length) < 0) {
    const errno = native.errno();
    closeSync(descriptor);
    return `its socket cannot be reached (errno ${errno})`;
  }
  return descriptor;
}
