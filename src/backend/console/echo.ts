import { createRequire } from 'node:module';
import type { EchoState } from './session-backend.ts';

/** Tells from a terminal's master side how the program has set it up. */
export type EchoReader = (master: number) => EchoState;

/** termios(3) on Linux: `c_lflag` is the fourth of its 32-bit words, on every architecture that we run on. */
const LFLAG_AT = 12;
const TERMIOS_BYTES = 64;
const ICANON = 0o2;
const ECHO = 0o10;

type GetAttributes = (fd: number, termios: Uint8Array) => number;

/** A reader through the C library; one that always says `unknown` where that can't be called. */
export function createEchoReader(load: () => GetAttributes = loadGetAttributes): EchoReader {
  let getAttributes: GetAttributes;
  try {
    getAttributes = load();
  } catch {
    return () => 'unknown';
  }
  const termios = new Uint8Array(TERMIOS_BYTES);
  return (master) => {
    try {
      if (getAttributes(master, termios) !== 0) return 'unknown';
    } catch {
      return 'unknown';
    }
    const flags = new Uint32Array(termios.buffer)[LFLAG_AT / 4] ?? 0;
    if ((flags & ECHO) !== 0) return 'on';
    return (flags & ICANON) === 0 ? 'raw' : 'off';
  };
}

function loadGetAttributes(): GetAttributes {
  const koffi = createRequire(import.meta.url)('koffi') as {
    load(library: null): { func(prototype: string): GetAttributes };
  };
  return koffi.load(null).func('int tcgetattr(int fd, _Out_ uint8_t *termios)');
}
