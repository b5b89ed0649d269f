import type { Native } from './native.ts';
import { type LaunchPlan, PRIVILEGED_PORTS } from './plan.ts';

const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_KEEPCAPS = 8;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const SIGKILL = 9;
const CAP_NET_BIND_SERVICE = 10;

const CAPSET: { readonly [M in Native['machine']]: number } = { x64: 126, arm64: 91 };
const PRLIMIT: { readonly [M in Native['machine']]: number } = { x64: 302, arm64: 261 };
const FCNTL: { readonly [M in Native['machine']]: number } = { x64: 72, arm64: 25 };
const F_SETFD = 2;
const CLOSE_RANGE = 436;
const CLOSE_RANGE_CLOEXEC = 4;
/** Where the channel to the core is, behind the standard streams. */
export const CHANNEL_DESCRIPTOR = 3;

/** RLIMIT_* and what is allowed. */
const bounds = (descriptors: number): readonly (readonly [resource: number, most: number])[] => [
  // A file that grows ends the process: it has none to write.
  [1, 0],
  // No image of its memory is left behind: tokens pass through it.
  [4, 0],
  [7, descriptors],
];

/** Something that has to be there and cannot be done: the edge must not start without it. */
export class PrivilegeError extends Error {
  readonly code = 'EPRIVILEGE';
}

/** Sets bounds, as long as it may still raise them. Bounds that are tighter already stay. */
export function setBounds(native: Native, descriptors: number): void {
  for (const [resource, most] of bounds(descriptors)) {
    const now = new BigUint64Array(2);
    const bytes = new Uint8Array(now.buffer);
    if (native.call(PRLIMIT[native.machine], 0, resource, null, bytes) !== 0) fail(native, 'reading a limit');
    const [, hard = 0n] = now;
    const bound = process.getuid?.() === 0 || BigInt(most) <= hard ? BigInt(most) : hard;
    now.fill(bound);
    if (native.call(PRLIMIT[native.machine], 0, resource, bytes, null) !== 0) fail(native, 'setting a limit');
  }
}

/**
 * Becomes the other user where one is named, with no groups beside his own, and gives up every capability but the one to
 * listen below port 1024 where such a port is to be opened. After that nothing can be gained any more, by executing
 * whatever it may be.
 */
export function dropPrivileges(native: Native, plan: LaunchPlan): void {
  const mayBind = plan.bindPorts.some((port) => port > 0 && port < PRIVILEGED_PORTS);
  const { account } = plan;
  if (account !== undefined) {
    if (mayBind) native.prctl(PR_SET_KEEPCAPS, 1);
    process.setgroups?.([]);
    process.setgid?.(account.gid);
    process.setuid?.(account.uid);
    if (process.getuid?.() !== account.uid || process.getgid?.() !== account.gid) {
      throw new PrivilegeError(`it could not become ${account.name}`);
    }
  }
  native.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
  if (!mayBind || !setCapabilities(native, 1 << CAP_NET_BIND_SERVICE)) {
    if (!setCapabilities(native, 0)) fail(native, 'giving up capabilities');
  } else native.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE);
  if (native.prctl(PR_SET_NO_NEW_PRIVS, 1) !== 0) fail(native, 'no_new_privs');
}

/** The edge is ended with the process that started it. Forgotten whenever the user changes, so it comes after that. */
export function endWith(native: Native, parent: number): void {
  if (native.prctl(PR_SET_PDEATHSIG, SIGKILL) !== 0) fail(native, 'the signal of the end of the core');
  if (process.ppid !== parent) throw new PrivilegeError('the core has gone');
}

/** Others of the same user can neither look into the memory of this process nor steer it. */
export function hideMemory(native: Native): void {
  if (native.prctl(PR_SET_DUMPABLE, 0) !== 0) fail(native, 'hiding its memory');
}

/** The channel is handed on when the launcher becomes the edge; whatever else was inherited is closed then. */
export function keepChannelAlone(native: Native): void {
  // Node marks everything that it was started with as not to be handed on.
  native.call(FCNTL[native.machine], CHANNEL_DESCRIPTOR, F_SETFD, 0);
  native.call(CLOSE_RANGE, CHANNEL_DESCRIPTOR + 1, 0xffff_ffff, CLOSE_RANGE_CLOEXEC);
}

/** Effective, permitted and inheritable alike; false where some of them are not there to keep. */
function setCapabilities(native: Native, set: number): boolean {
  // _LINUX_CAPABILITY_VERSION_3; 0: the calling thread.
  const header = new Uint32Array([0x2008_0522, 0]);
  const data = new Uint32Array([set, set, set, 0, 0, 0]);
  const bytes = (words: Uint32Array) => new Uint8Array(words.buffer);
  return native.call(CAPSET[native.machine], bytes(header), bytes(data)) === 0;
}

function fail(native: Native, what: string): never {
  throw new PrivilegeError(`${what} failed with errno ${native.errno()}`);
}
