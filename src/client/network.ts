import type { TransportOptions } from './transport.ts';

/** How requests leave this process. */
export interface Network {
  fetch(url: URL, init: RequestInit): Promise<Response>;
  webSocket(url: URL, headers: { readonly [name: string]: string }): WebSocket;
}

/** What Node has built in: HTTP, and TLS with the authorities that it brings along. */
const builtIn: Network = {
  fetch: (url, init) => fetch(url, init),
  webSocket: (url, headers) => new WebSocket(url, { headers }),
};

const made = new WeakMap<object, Promise<Network>>();

/** One for each set of options; what TLS of one's own takes is loaded only where it is wanted. */
export function networkOf(options: TransportOptions): Network | Promise<Network> {
  const { ca, certificate, key } = options;
  if (ca === undefined && certificate === undefined && key === undefined) return builtIn;
  const there = made.get(options);
  if (there !== undefined) return there;
  const network = import('./secure-network.ts').then(({ secureNetwork }) => secureNetwork(options));
  made.set(options, network);
  return network;
}

/** Why there is no TLS, by the code of the error, in words for people. */
const TLS_PROBLEMS: { readonly [code: string]: string } = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by nobody but itself: name it as the authority (ca)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an authority that is not known here: name it (ca)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an authority that is not known here: name it (ca)',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by an authority that is not known here: name it (ca)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an authority that is not known here: name it (ca)',
  CERT_HAS_EXPIRED: 'its certificate has run out',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a certificate of the client (certificate and key)',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: is it http?',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it speaks TLS 1.3 only',
};

/** What stands against a connection with TLS; undefined for every other failure. */
export function tlsProblem(error: unknown): string | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const found = 'code' in cause ? TLS_PROBLEMS[String(cause.code)] : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
