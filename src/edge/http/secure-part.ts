import type { RequestListener } from 'node:http';
import { type CertificateFacts, checkMaterial, type TlsMaterial } from '../tls/index.ts';
import type { EdgeMetrics } from './metrics.ts';
import type { HttpEdgeOptions, HttpLimits } from './options.ts';
import { loopbackNames, type OwnNames } from './proof-url.ts';
import { createSecureServer, type SecureServer } from './secure-server.ts';

/** The part of an edge that only one with TLS has. */
export interface SecurePart {
  readonly names: OwnNames;
  server(handler: RequestListener): SecureServer['server'];
  /** No more requests over HTTP/2. */
  finish(): void;
  close(): void;
  renew(material: TlsMaterial): void;
}

/** Undefined where the edge has no TLS. @throws TlsError where certificate and key cannot be used */
export function securePart(
  { tls, publicUrl }: HttpEdgeOptions,
  parts: { readonly limits: HttpLimits; readonly metrics: EdgeMetrics },
): SecurePart | undefined {
  if (tls === undefined) return undefined;
  // One for each address of a name such as `localhost`.
  const made: SecureServer[] = [];
  let { material } = tls;
  let facts: CertificateFacts = checkMaterial(material);
  parts.metrics.certificate(facts.notAfterMs);
  return {
    names: { ...publicNames(publicUrl), isOwnHost: (host) => facts.isFor(host.replace(/^\[|\]$/g, '')) },
    server(handler) {
      const one = createSecureServer(handler, { ...tls, material }, parts);
      made.push(one);
      return one.server;
    },
    finish() {
      for (const one of made) one.finish();
    },
    close() {
      for (const one of made) one.destroy();
    },
    renew(next) {
      facts = checkMaterial(next);
      material = next;
      for (const one of made) one.renew(next);
      parts.metrics.certificate(facts.notAfterMs);
    },
  };
}

/** How an edge without TLS is called. */
export const plainNames = ({ publicUrl }: HttpEdgeOptions): OwnNames => ({
  ...publicNames(publicUrl),
  ...loopbackNames,
});

function publicNames(publicUrl: string | undefined): Pick<OwnNames, 'publicUrl'> {
  return publicUrl === undefined ? {} : { publicUrl: publicUrl.replace(/\/$/, '') };
}
