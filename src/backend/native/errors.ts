/**
 * The native library cannot be used here: it was not installed (`npm ci --omit=optional`), or there is no build of it for
 * this platform. Everything that needs no device of this host works without it.
 */
export class NativeUnavailableError extends Error {
  readonly code = 'ENATIVE';

  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    super(
      `hardware of this host can't be reached: the optional package \`koffi\` can't be loaded on ${process.platform} ` +
        `${process.arch} (${why}); install the broker with its optional packages`,
      { cause },
    );
    this.name = 'NativeUnavailableError';
  }
}

/** A system call that failed. */
export class SystemCallError extends Error {
  /** Name of the errno, such as `EBUSY`. */
  readonly code: string;
  /** Name of the call, such as `mmap`. */
  readonly call: string;

  constructor(call: string, code: string) {
    super(`${call} failed: ${code}`);
    this.name = 'SystemCallError';
    this.call = call;
    this.code = code;
  }
}

/** The errno of a failed call, of ours or of Node's own; empty for anything else. */
export function errnoOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
