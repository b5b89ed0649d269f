import { randomBytes } from 'node:crypto';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import { keyIdOf, recordingPublicKey } from './key.ts';

/** Turns text of a recording into what stands in the file: lines, in either case. */
export interface Seal {
  /** What comes before the first block; empty where nothing is encrypted. */
  begin(): Promise<Uint8Array>;
  /** @param isLast nothing comes after it; a file whose last block does not say so was cut */
  block(text: string, isLast: boolean): Promise<Uint8Array>;
}

/** As it is. */
export const noSeal: Seal = {
  begin: async () => new Uint8Array(0),
  block: async (text) => Buffer.from(text),
};

/** `typ` of the first line. */
export const ENVELOPE_TYPE = 'cci-recording+jwe';

/**
 * The first line is a compact JWE (RFC 7516) with ECDH-ES that holds a key made for this file; every further one a
 * compact JWE `dir` with A256GCM under that key. Its protected header has the session (`sid`), the number of the block
 * (`seq`, from 0) and, on the last one, `fin`: a block that was moved, left out or taken from another file does not fit.
 * @throws RecordingError for a key that is none
 */
export function encryptingSeal(publicKey: string, session: string): Seal {
  const recipient = recordingPublicKey(publicKey);
  const contentKey = randomBytes(32);
  let seq = 0;
  return {
    async begin() {
      const payload = { kty: 'oct', k: contentKey.toString('base64url') };
      const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({
          alg: 'ECDH-ES',
          enc: 'A256GCM',
          typ: ENVELOPE_TYPE,
          kid: keyIdOf(recipient),
          sid: session,
        })
        .encrypt(recipient);
      return Buffer.from(`${jwe}\n`);
    },
    async block(text, isLast) {
      const header = { alg: 'dir', enc: 'A256GCM', sid: session, seq, ...(isLast ? { fin: true } : {}) };
      seq += 1;
      const jwe = await new CompactEncrypt(Buffer.from(text)).setProtectedHeader(header).encrypt(contentKey);
      return Buffer.from(`${jwe}\n`);
    },
  };
}
