import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Agent } from 'undici';
import { errorCode } from './key-source.ts';
import type { Fetch } from './remote-keys.ts';

/**
 * `fetch` whose certificates are always verified, whatever the environment says, over TLS 1.2 or 1.3, without a proxy.
 *
 * @param caFile certificates (PEM) to trust instead of those of the system; read before the first connection
 */
export function verifiedFetch(caFile: string | undefined): Fetch {
  let made: Promise<{ readonly fetch: typeof import('undici').fetch; readonly dispatcher: Agent }> | undefined;
  const make = async () => {
    const { Agent, fetch } = await import('undici');
    const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
    const connect = { rejectUnauthorized: true, minVersion: 'TLSv1.2' as const, ...(ca === undefined ? {} : { ca }) };
    // Keys are fetched now and then: no connection is kept for that.
    return { fetch, dispatcher: new Agent({ connect, pipelining: 0, maxResponseSize: 1 << 20 }) };
  };
  return async (url, init) => {
    made ??= make();
    try {
      const { fetch, dispatcher } = await made;
      return (await fetch(url, { ...init, dispatcher })) as unknown as Response;
    } catch (error) {
      // A file that could not be read may be there the next time.
      if (await made.then(() => false).catch(() => true)) made = undefined;
      throw error;
    }
  };
}

/** Why a file of authorities cannot be used, for whoever named it; undefined where it can. */
export async function authoritiesProblem(caFile: string): Promise<string | undefined> {
  try {
    const text = await readFile(caFile, 'utf8');
    new X509Certificate(text);
    return undefined;
  } catch (error) {
    const why = errorCode(error);
    return `\`jwks_ca_file\` \`${caFile}\` cannot be used: ${why.startsWith('ERR_') ? 'it holds no certificate in PEM' : why}`;
  }
}
