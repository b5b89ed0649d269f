import { readSync } from 'node:fs';
import { loadNative } from '../../src/sandbox/index.ts';

const loaded = await loadNative();
const native = loaded.ok ? loaded.native : undefined;
/** False where koffi can't load: Node itself has no datagram sockets of this kind. */
export const canNotify = native !== undefined;
const BIND = { x64: 49, arm64: 200 };
const SOCKET = { x64: 41, arm64: 198 };
const DGRAM_NONBLOCK = 2 | 0o4000;

/** The socket of a service manager; gives what was told to it, oldest first. */
export function listenForNotes(path: string): () => string[] {
  if (native === undefined) throw new Error('no native calls');
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.concat([Buffer.from([1, 0]), name]);
  const descriptor = native.call(SOCKET[native.machine], 1, DGRAM_NONBLOCK, 0);
  if (native.call(BIND[native.machine], descriptor, address, address.length) !== 0)
    throw new Error(`no socket at ${path}`);
  return () => {
    const told: string[] = [];
    const buffer = Buffer.alloc(4096);
    for (;;) {
      try {
        told.push(buffer.toString('utf8', 0, readSync(descriptor, buffer)));
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return told;
        throw error;
      }
    }
  };
}
