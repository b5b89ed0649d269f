import { type Static, Type } from '../../schema/index.ts';
import { ListenerTlsSchema, type TlsPaths, tlsPaths } from './http-schema.ts';

const closed = { additionalProperties: false } as const;

/** As whom clients act. */
const caller = {
  tenant: Type.String({ minLength: 1, description: 'Tenant that the token has to speak for' }),
  principal: Type.Optional(
    Type.String({ pattern: '^user:.+#.+$', description: 'Caller that the token has to be of: user:ISSUER#SUBJECT' }),
  ),
  token_file: Type.String({
    minLength: 1,
    description: 'File with the token under which they act; it is read again as it changes',
  }),
};

/**
 * Doors for tools that know nothing of tokens: each speaks for one caller, or for one by each client's certificate. The core
 * verifies the tokens.
 */
export const ListenersSchema = Type.Array(
  Type.Object(
    {
      kind: Type.Literal('mctp-tcp'),
      host: Type.String({ minLength: 1, description: 'Address to listen on' }),
      port: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 65535, default: 2508, description: '0 picks a free port' }),
      ),
      dialect: Type.Enum(['spec', 'jackrabbit'], {
        description: 'How its clients lay out headers and tunnels; it cannot be told from a request',
      }),
      switch: Type.String({ minLength: 1, description: 'Switch that the clients command' }),
      tenant: Type.Optional(caller.tenant),
      principal: caller.principal,
      token_file: Type.Optional(caller.token_file),
      tls: Type.Optional(ListenerTlsSchema),
      clients: Type.Optional(
        Type.Array(
          Type.Object(
            {
              certificate: Type.String({
                pattern: '^(?:[A-Za-z0-9_-]{43}|(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2})$',
                description: 'SHA-256 of the certificate: base64url, or hex with or without colons',
              }),
              ...caller,
            },
            closed,
          ),
          { minItems: 1, maxItems: 256, description: 'Whom the holder of each certificate acts as' },
        ),
      ),
      connections: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 256 })),
      idle_ms: Type.Optional(
        Type.Integer({
          minimum: 100,
          maximum: 86_400_000,
          default: 600_000,
          description: 'Silence that ends a connection',
        }),
      ),
      assembly_ms: Type.Optional(
        Type.Integer({
          minimum: 50,
          maximum: 60_000,
          default: 5000,
          description: 'From the first byte of a packet, and from the first packet of a message, to the last',
        }),
      ),
      answer_ms: Type.Optional(
        Type.Integer({
          minimum: 50,
          maximum: 60_000,
          description: 'After this a request is answered with 0004h; 1800 for spec, 9000 for jackrabbit if not given',
        }),
      ),
    },
    closed,
  ),
  { maxItems: 64 },
);
export type ListenerFile = Static<typeof ListenersSchema>[number];

/** Under which token clients act. */
export interface ListenerBinding {
  /** Only the holder of this certificate (SHA-256, base64url); whoever may connect if not given. */
  readonly certificate?: string;
  readonly tenant: string;
  readonly principal?: string;
  /** Absolute. */
  readonly tokenFile: string;
}

/** A listener with absolute paths. */
export interface ListenerSettings {
  readonly kind: 'mctp-tcp';
  readonly host: string;
  readonly port: number;
  readonly dialect: 'spec' | 'jackrabbit';
  readonly switch: string;
  readonly tls?: TlsPaths;
  /** One without a certificate, or one for each of several certificates. */
  readonly bindings: readonly ListenerBinding[];
  readonly limits: {
    readonly connections?: number;
    readonly idleMs?: number;
    readonly assemblyMs?: number;
    readonly answerMs?: number;
  };
}

export function listenerSettings(file: ListenerFile, path: (relative: string) => string): ListenerSettings {
  const { kind, host, port = 2508, dialect, tls, connections, idle_ms, assembly_ms, answer_ms } = file;
  const callers: readonly { certificate?: string; tenant?: string; principal?: string; token_file?: string }[] =
    file.clients ?? [file];
  return {
    ...{ kind, host, port, dialect, switch: file.switch },
    ...(tls === undefined ? {} : { tls: tlsPaths(tls, path) }),
    bindings: callers.map(({ certificate, tenant = '', principal, token_file: tokenFile = '' }) => ({
      ...(certificate === undefined ? {} : { certificate: thumbprintOf(certificate) }),
      tenant,
      ...(principal === undefined ? {} : { principal }),
      tokenFile: path(tokenFile),
    })),
    limits: {
      ...(connections === undefined ? {} : { connections }),
      ...(idle_ms === undefined ? {} : { idleMs: idle_ms }),
      ...(assembly_ms === undefined ? {} : { assemblyMs: assembly_ms }),
      ...(answer_ms === undefined ? {} : { answerMs: answer_ms }),
    },
  };
}

/** base64url, whatever the file has. */
function thumbprintOf(text: string): string {
  if (text.length === 43) return text;
  return Buffer.from(text.replaceAll(':', ''), 'hex').toString('base64url');
}

/** What contradicts the rest of the file. */
export function listenerContradictions(
  listeners: readonly ListenerFile[],
  switches: readonly string[],
  isLoopback: (host: string) => boolean,
): readonly { readonly place: readonly (string | number)[]; readonly message: string }[] {
  const problems: { place: (string | number)[]; message: string }[] = [];
  const seen = new Set<string>();
  listeners.forEach((listener, i) => {
    const { host, port = 2508, switch: name, tls, clients } = listener;
    if (!switches.includes(name)) problems.push({ place: [i, 'switch'], message: `there is no switch \`${name}\`` });
    if (!isLoopback(host) && tls === undefined) problems.push({ place: [i, 'host'], message: exposed(host) });
    if (tls !== undefined && tls.client_ca === undefined && clients === undefined) {
      problems.push({ place: [i, 'tls'], message: 'whose certificates count? name `client_ca`, or the `clients`' });
    }
    problems.push(...callerContradictions(listener).map((message) => ({ place: [i], message })));
    if (port !== 0 && seen.has(`${host} ${port}`)) {
      problems.push({ place: [i], message: `\`${host}:${port}\` stands twice` });
    }
    seen.add(`${host} ${port}`);
  });
  return problems;
}

function exposed(host: string): string {
  return (
    `\`${host}\` can be reached from other machines, and whoever connects acts under the token: use 127.0.0.1, or ` +
    'demand a certificate of clients with `tls`'
  );
}

/** Either everybody acts as one caller, or each certificate as its own. */
function callerContradictions({ tenant, principal, token_file: file, tls, clients }: ListenerFile): readonly string[] {
  if (clients === undefined) {
    return tenant !== undefined && file !== undefined
      ? []
      : ['as whom do its clients act? give `tenant` and `token_file`, or `clients` with a certificate each'];
  }
  const problems: string[] = [];
  if (tls === undefined) problems.push('`clients` are known by their certificates: that needs `tls`');
  if (tenant !== undefined || file !== undefined || principal !== undefined) {
    problems.push('`clients` say as whom each acts: `tenant`, `principal` and `token_file` then stand there');
  }
  const certificates = clients.map(({ certificate }) => thumbprintOf(certificate));
  if (new Set(certificates).size < certificates.length) problems.push('a certificate stands twice in `clients`');
  return problems;
}

/** What contradicts itself in a switch over MCTP/TCP. */
export function upstreamContradictions(
  backend: { readonly host: string; readonly dialect: string; readonly cel?: string; readonly insecure_network?: true },
  isLoopback: (host: string) => boolean,
): readonly { readonly place: readonly string[]; readonly message: string }[] {
  const problems: { place: string[]; message: string }[] = [];
  if (!isLoopback(backend.host) && backend.insecure_network !== true) {
    problems.push({
      place: ['host'],
      message:
        `\`${backend.host}\` is another machine, and MCTP over TCP has neither authentication nor encryption: say ` +
        '`insecure_network: true` where the network itself keeps others out',
    });
  }
  if (backend.dialect === 'jackrabbit' && backend.cel === 'read') {
    problems.push({ place: ['cel'], message: 'a switch of dialect `jackrabbit` has no log to read: `none`' });
  }
  if (backend.dialect === 'spec' && backend.cel === 'none') {
    problems.push({ place: ['cel'], message: 'nothing is known to assume for dialect `spec`: its log is read' });
  }
  return problems;
}
