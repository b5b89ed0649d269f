import type { IncomingMessage } from 'node:http';
import type { Credential } from '../../broker/core-api.ts';
import { type Peer, peerOf } from './peer.ts';
import { proofUrlOf } from './proof-url.ts';

const AUTHORIZATION = /^(Bearer|DPoP) +([\x21-\x7e]+)$/i;

/**
 * What the client showed: the token of its one `Authorization` header, the one proof of its `DPoP` header with the request
 * that it came with, the thumbprint of its certificate; or nothing. The core decides what it is worth. A token is never
 * taken from the URL (URLs end up in logs) nor from a WebSocket subprotocol (proxies log those).
 */
export function credentialOf(request: IncomingMessage): Credential {
  const peer = peerOf(request);
  const shown = shownIn(request.rawHeaders);
  if (shown.dpop !== undefined || shown.isAmbiguous) return readCredential(request, peer, shown);
  const before = lastOf.get(peer);
  if (before !== undefined && before.authorization === shown.authorization) return before.credential;
  const credential = readCredential(request, peer, shown);
  lastOf.set(peer, { authorization: shown.authorization, credential });
  return credential;
}

/** What a connection showed last, without a proof: its next request mostly shows the same, and who is told knows it again. */
const lastOf = new WeakMap<Peer, { readonly authorization: string | undefined; readonly credential: Credential }>();

function readCredential(
  request: IncomingMessage,
  { source, certificate }: Peer,
  { authorization, dpop, isAmbiguous }: ReturnType<typeof shownIn>,
): Credential {
  const [, scheme, token] = isAmbiguous ? [] : (AUTHORIZATION.exec(authorization ?? '') ?? []);
  return {
    token: token ?? '',
    source,
    ...(scheme?.toLowerCase() === 'dpop' ? { scheme: 'dpop' } : {}),
    ...(certificate === undefined ? {} : { certificate }),
    ...(dpop === undefined || isAmbiguous
      ? {}
      : { proof: { jwt: dpop, method: request.method ?? '', url: proofUrlOf(request) } }),
  };
}

/** Node keeps the first of several, or joins them; which one was meant is not ours to guess. */
function shownIn(rawHeaders: readonly string[]) {
  let authorization: string | undefined;
  let dpop: string | undefined;
  let isAmbiguous = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length !== 13 && name.length !== 4) continue;
    const lower = name.toLowerCase();
    if (lower === 'authorization') {
      isAmbiguous ||= authorization !== undefined;
      authorization = rawHeaders[i + 1] ?? '';
    } else if (lower === 'dpop') {
      isAmbiguous ||= dpop !== undefined;
      dpop = rawHeaders[i + 1] ?? '';
    }
  }
  return { authorization, dpop, isAmbiguous };
}
