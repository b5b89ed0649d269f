import { createRequire } from 'node:module';

/** What is used of node-pty: its native part. */
export interface Pty {
  /** Opens a pair. Both file descriptors are non-blocking and closed on exec. */
  open(columns: number, rows: number): { readonly master: number; readonly slave: number; readonly pty: string };
  resize(fd: number, columns: number, rows: number): void;
}

export type LoadedPty =
  | { readonly ok: true; readonly pty: Pty }
  /** One sentence without paths. */
  | { readonly ok: false; readonly why: string };

/**
 * Loads node-pty's prebuilt native part, where there is one for this machine. Its own terminals are not used: they close
 * 200 ms after the program has ended, whatever has not been read by then is lost, and they keep the groups of whoever
 * starts them.
 *
 * @param load how the module is loaded; tests put something else here
 */
export function loadPty(load: () => unknown = loadNative): LoadedPty {
  try {
    const found = load();
    if (isPty(found)) return { ok: true, pty: found };
    return { ok: false, why: 'the terminal module (node-pty) is not of the version that this broker knows' };
  } catch (error) {
    const code = (error as { readonly code?: unknown } | null)?.code;
    const missing = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
    return {
      ok: false,
      why: missing
        ? 'the optional package node-pty is not installed'
        : `the optional package node-pty has no native part that works on ${process.platform} ${process.arch}`,
    };
  }
}

function loadNative(): unknown {
  const { requireBinary } = createRequire(import.meta.url)('node-pty/requireBinary.js') as {
    readonly requireBinary: (file: string) => unknown;
  };
  return requireBinary('pty.node');
}

function isPty(found: unknown): found is Pty {
  if (typeof found !== 'object' || found === null) return false;
  return 'open' in found && typeof found.open === 'function' && 'resize' in found && typeof found.resize === 'function';
}
