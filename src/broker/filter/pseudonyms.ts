import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const KEY_BYTES = 32;
const FILE = 'pseudonyms.key';

/**
 * Names in place of names: the same thing has the same pseudonym until the next boot, and nobody without the key can tell
 * which thing that is.
 */
export class Pseudonyms {
  private readonly key: Buffer;

  /** @param secret kept by the broker; @param boot pseudonyms last for one boot */
  constructor(secret: Uint8Array, boot: string) {
    this.key = createHmac('sha256', secret).update(`cci pseudonyms\0${boot}`).digest();
  }

  /** Serial number, 64 bits. */
  serial(serial: bigint): bigint {
    return this.digest('serial', serial.toString(16)).readBigUInt64LE(0);
  }

  /** Capacity tag, 16 bytes: a UUID of version 8, which is left to whoever makes it. */
  tag(tag: Uint8Array): Uint8Array {
    const made = Uint8Array.from(this.digest('tag', Buffer.from(tag).toString('hex')).subarray(0, 16));
    made[6] = ((made[6] ?? 0) & 0x0f) | 0x80;
    made[8] = ((made[8] ?? 0) & 0x3f) | 0x80;
    return made;
  }

  private digest(kind: string, text: string): Buffer {
    return createHmac('sha256', this.key).update(`${kind}\0${text}`).digest();
  }
}

/** The broker's secret for pseudonyms, made at the first start. @throws the error of the file system */
export async function pseudonymSecret(stateDirectory: string): Promise<Uint8Array> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const path = join(stateDirectory, FILE);
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      const secret = randomBytes(KEY_BYTES);
      await file.writeFile(secret);
      await file.sync();
      return secret;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const secret = await readFile(path);
  if (secret.length !== KEY_BYTES) throw new Error(`${path} does not hold ${KEY_BYTES} bytes: remove it`);
  return secret;
}
