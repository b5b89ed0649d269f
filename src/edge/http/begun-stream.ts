import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CoreApi, CoreResult, Credential } from '../../broker/core-api.ts';
import { credentialOf } from './credential.ts';
import { isGone } from './gone.ts';

/**
 * The credential for a request that asks the core more than once: a stream, or a look before an upgrade. A proof counts
 * once, so the core gives a session in its place, which ends with the connection (WebSocket) or the answer (events).
 */
export async function beginStream(
  core: CoreApi,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<CoreResult<Credential>> {
  const credential = credentialOf(request.raw);
  if (credential.scheme !== 'dpop') return { ok: true, value: credential };
  const begun = await core.begin(credential);
  const session = begun.ok ? begun.value.session : undefined;
  if (session === undefined) return begun;
  const carrier = request.ws ? request.raw.socket : reply.raw;
  const end = (): void => void core.end(session).catch(() => {});
  // It may have gone while the core was asked.
  if (isGone(carrier)) end();
  else carrier.once('close', end);
  return begun;
}
