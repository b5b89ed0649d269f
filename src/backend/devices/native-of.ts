import { loadNative, type NativeCalls } from '../native/index.ts';
import { HardwareError } from './hardware-error.ts';

/** The native calls, or the sentence that says why there are none. @throws HardwareError `no-native-library` */
export async function nativeOf(load: (() => Promise<NativeCalls>) | undefined): Promise<NativeCalls> {
  try {
    return await (load ?? loadNative)();
  } catch (cause) {
    throw new HardwareError('no-native-library', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
