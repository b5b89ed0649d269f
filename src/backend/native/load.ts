import type { NativeCalls } from './calls.ts';
import { NativeUnavailableError } from './errors.ts';
import { type Koffi, koffiCalls } from './koffi-calls.ts';

let loading: Promise<NativeCalls> | undefined;

/**
 * The native calls of this process, loaded when they are first needed.
 *
 * @throws NativeUnavailableError
 */
export function loadNative(): Promise<NativeCalls> {
  loading ??= loadWith(async () => (await import('koffi')).default as unknown as Koffi);
  return loading;
}

/** As `loadNative`, with the library from elsewhere. @throws NativeUnavailableError */
export async function loadWith(
  library: () => Promise<Koffi>,
  platform: string = process.platform,
): Promise<NativeCalls> {
  if (platform !== 'linux') throw new NativeUnavailableError(new Error('devices are reached on Linux only'));
  try {
    return koffiCalls(await library());
  } catch (cause) {
    throw new NativeUnavailableError(cause);
  }
}
