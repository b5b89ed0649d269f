import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { link, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { JournalError } from './errors.ts';

/** Signs checkpoints. */
export interface CheckpointSigner {
  readonly keyId: string;
  /** SPKI, PEM. */
  readonly publicKey: string;
  /** Ed25519, 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** Checks checkpoints of one key. */
export interface CheckpointKey {
  readonly keyId: string;
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** A signer for an Ed25519 private key in PEM (PKCS #8). @throws JournalError `invalid` */
export function signerOf(privatePem: string): CheckpointSigner {
  const key = keyOf(() => createPrivateKey(privatePem), 'the signing key is no private key in PEM');
  const publicKey = createPublicKey(key);
  return {
    keyId: idOf(publicKey),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign(null, bytes, key),
  };
}

/** The checking half of an Ed25519 key: a public key in PEM (SPKI). @throws JournalError `invalid` */
export function checkpointKey(publicPem: string): CheckpointKey {
  const key = keyOf(() => createPublicKey(publicPem), 'the key is no public key in PEM');
  return { keyId: idOf(key), verify: (bytes, signature) => verify(null, bytes, key, signature) };
}

/** A new private key, PEM (PKCS #8). */
export function newSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * Reads the signing key of a journal; with `make`, one is made when there is none: mode 0600, and durable before it is
 * used.
 * @throws JournalError `insecure` when others can read it, `invalid`, `io`
 */
export async function openSigningKey(
  path: string,
  { make }: { readonly make: boolean },
): Promise<{ readonly signer: CheckpointSigner; readonly made: boolean }> {
  try {
    const made = make && !(await exists(path)) && (await writeNew(path, newSigningKey()));
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new JournalError('insecure', `\`${path}\` is open to others: run \`chmod 0600\` on it`);
    }
    return { signer: signerOf(await readFile(path, 'utf8')), made };
  } catch (error) {
    if (error instanceof JournalError) throw new JournalError(error.code, `\`${path}\`: ${error.message}`);
    throw new JournalError('io', `the signing key \`${path}\` can't be read or made: ${textOf(error)}`, {
      cause: error,
    });
  }
}

/** False when somebody else has made one meanwhile: theirs is used. */
async function writeNew(path: string, text: string): Promise<boolean> {
  // Whole or not at all: half a key would keep the broker from starting.
  const temporary = `${path}.${process.pid}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
    await link(temporary, path);
  } catch (error) {
    if (await exists(path)) return false;
    throw error;
  } finally {
    await file.close();
    await unlink(temporary);
  }
  const directory = await open(dirname(path), 'r');
  await directory.sync().finally(() => directory.close());
  return true;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function keyOf(read: () => KeyObject, otherwise: string): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw new JournalError('invalid', otherwise, { cause: error });
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new JournalError('invalid', `the key is of kind ${key.asymmetricKeyType ?? 'unknown'}, not Ed25519`);
}

/** The first 128 bits of the SHA-256 of the public key (SPKI, DER), hex. */
function idOf(key: KeyObject): string {
  return hash('sha256', key.export({ type: 'spki', format: 'der' })).slice(0, 32);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
