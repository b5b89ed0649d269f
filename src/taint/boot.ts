import { readFileSync } from 'node:fs';

/** Where Linux shows a random id that lasts from boot to boot. */
export const HOST_BOOT_ID_PATH = '/proc/sys/kernel/random/boot_id';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/;

/** Id of this host's boot. Undefined when it can't be told; the register then assumes that nothing was rebooted. */
export function hostBootId(path: string = HOST_BOOT_ID_PATH): string | undefined {
  try {
    const text = readFileSync(path, 'latin1');
    return UUID.test(text) ? text.trimEnd() : undefined;
  } catch {
    return undefined;
  }
}
