import { type Static, Type } from '../../schema/index.ts';

const closed = { additionalProperties: false } as const;

/** Files of a certificate: PEM, read again when they change. */
const files = {
  certificate: Type.String({
    minLength: 1,
    description: 'Certificate, and behind it those between it and the root (PEM)',
  }),
  key: Type.String({ minLength: 1, description: 'Its private key (PEM, no passphrase); others must not read it' }),
  client_ca: Type.Optional(
    Type.String({ minLength: 1, description: 'Who signs the certificates of clients (PEM, one or several)' }),
  ),
};

export const HttpSchema = Type.Object(
  {
    host: Type.String({ minLength: 1, description: 'Address to listen on; without TLS only loopback is allowed' }),
    port: Type.Integer({ minimum: 0, maximum: 65535, description: '0 picks a free port' }),
    tls: Type.Optional(
      Type.Object(
        {
          ...files,
          client_certificates: Type.Optional(
            Type.Enum(['none', 'request', 'require'], {
              default: 'none',
              description:
                'request: a certificate that a client shows binds its token; require: no connection without one',
            }),
          ),
        },
        { ...closed, description: 'TLS 1.3, HTTP/1.1 and HTTP/2' },
      ),
    ),
    public_url: Type.Optional(
      Type.String({
        pattern: '^https?://[A-Za-z0-9._:\\[\\]-]+(/[A-Za-z0-9._~/-]*)?$',
        maxLength: 512,
        description: 'How clients spell this broker; DPoP proofs are made for it',
      }),
    ),
    health: Type.Optional(
      Type.Object(
        {
          host: Type.String({ minLength: 1, description: 'Any address: it says one word and takes no token' }),
          port: Type.Integer({ minimum: 0, maximum: 65535, description: '0 picks a free port' }),
        },
        { ...closed, description: 'A listener with /healthz and /readyz alone, for supervisors on other machines' },
      ),
    ),
  },
  closed,
);
export type HttpFile = Static<typeof HttpSchema>;

/** TLS of an MCTP listener: its clients always need a certificate. */
export const ListenerTlsSchema = Type.Object(files, {
  ...closed,
  description: 'TLS 1.3; clients need a certificate that `client_ca` signed, or that `clients` names',
});

/** Where certificate, key and authorities are, absolute. */
export interface TlsPaths {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa?: string;
}

export interface HttpSettings {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsPaths & { readonly clientCertificates: 'none' | 'request' | 'require' };
  readonly publicUrl?: string;
  readonly health?: { readonly host: string; readonly port: number };
}

/** What contradicts itself in the `http` part. */
export function httpContradictions(
  http: HttpFile,
  isLoopback: (host: string) => boolean,
): readonly { readonly place: readonly string[]; readonly message: string }[] {
  const problems: { place: string[]; message: string }[] = [];
  const { tls, public_url: publicUrl } = http;
  if (!isLoopback(http.host) && tls === undefined) {
    problems.push({ place: ['host'], message: needsTls(http.host) });
  }
  if (tls?.client_ca !== undefined && (tls.client_certificates ?? 'none') === 'none') {
    problems.push({
      place: ['tls', 'client_ca'],
      message: '`client_ca` means nothing while `client_certificates` is `none`: say `request` or `require`',
    });
  }
  if (publicUrl !== undefined && URL.parse(publicUrl) === null) {
    problems.push({ place: ['public_url'], message: `\`${publicUrl}\` is no URL` });
  }
  if (publicUrl?.startsWith('http:') === true && tls !== undefined) {
    problems.push({ place: ['public_url'], message: 'this listener has TLS: clients spell it `https://`' });
  }
  return problems;
}

export function needsTls(host: string): string {
  return (
    `\`${host}\` can be reached from other machines, and tokens would travel there in plain text: ` +
    'name a certificate and a key under `http.tls`, or use 127.0.0.1'
  );
}

export function httpSettings(http: HttpFile, path: (relative: string) => string): HttpSettings {
  const { host, port, tls, public_url: publicUrl, health } = http;
  return {
    host,
    port,
    ...(tls === undefined
      ? {}
      : { tls: { ...tlsPaths(tls, path), clientCertificates: tls.client_certificates ?? 'none' } }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    ...(health === undefined ? {} : { health }),
  };
}

export function tlsPaths(
  tls: { readonly certificate: string; readonly key: string; readonly client_ca?: string },
  path: (relative: string) => string,
): TlsPaths {
  return {
    certificate: path(tls.certificate),
    key: path(tls.key),
    ...(tls.client_ca === undefined ? {} : { clientCa: path(tls.client_ca) }),
  };
}
