import type { KeyObject } from 'node:crypto';
import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { RecordingError } from './contract.ts';

/** What the first line of an encrypted recording held. */
export interface Envelope {
  readonly contentKey: Uint8Array;
  readonly session: string;
}

/** @throws RecordingError for another key, and for a line that is no envelope */
export async function openEnvelope(line: string, key: KeyObject, type: string, keyId: string): Promise<Envelope> {
  const header = headerOf(line);
  if (header?.typ !== type || typeof header.sid !== 'string') {
    throw new RecordingError('the recording does not begin with an envelope');
  }
  if (header.kid !== keyId) {
    throw new RecordingError(`the recording is encrypted to key ${String(header.kid)}, and this is key ${keyId}`);
  }
  try {
    const algorithms = { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] };
    const { plaintext } = await compactDecrypt(line, key, algorithms);
    const payload: unknown = JSON.parse(Buffer.from(plaintext).toString());
    const k = typeof payload === 'object' && payload !== null && 'k' in payload ? payload.k : undefined;
    const contentKey = Buffer.from(typeof k === 'string' ? k : '', 'base64url');
    if (contentKey.length !== 32) throw new Error('no content key');
    return { contentKey, session: header.sid };
  } catch (error) {
    throw new RecordingError('the envelope of the recording does not open', { cause: error });
  }
}

/** @throws RecordingError for a block that was changed, moved, or taken from another recording */
export async function openBlock(
  line: string,
  { contentKey, session }: Envelope,
  seq: number,
): Promise<{ readonly text: string; readonly isLast: boolean }> {
  const opened = await compactDecrypt(line, contentKey, {
    keyManagementAlgorithms: ['dir'],
    contentEncryptionAlgorithms: ['A256GCM'],
  }).catch((error: unknown): never => {
    throw new RecordingError(`block ${seq} of the recording was changed`, { cause: error });
  });
  const { protectedHeader: header, plaintext } = opened;
  if (header.seq !== seq || header.sid !== session) {
    throw new RecordingError(`block ${seq} of the recording is another one: blocks were moved or removed`);
  }
  return { text: Buffer.from(plaintext).toString(), isLast: header.fin === true };
}

function headerOf(line: string): Partial<Record<string, unknown>> | undefined {
  try {
    const header: unknown = JSON.parse(Buffer.from(line.split('.')[0] ?? '', 'base64url').toString());
    return typeof header === 'object' && header !== null ? { ...header } : undefined;
  } catch {
    return undefined;
  }
}
