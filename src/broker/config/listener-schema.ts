import Type, { type Static } from 'typebox';

const closed = { additionalProperties: false } as const;

/** Doors for tools that know nothing of tokens: each speaks for one caller, whose token the core verifies. */
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
      tenant: Type.String({ minLength: 1, description: 'Tenant that the token has to speak for' }),
      principal: Type.Optional(
        Type.String({
          pattern: '^user:.+#.+$',
          description: 'Caller that the token has to be of: user:ISSUER#SUBJECT',
        }),
      ),
      token_file: Type.String({
        minLength: 1,
        description: 'File with the token under which all clients act; it is read again as it changes',
      }),
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
      insecure_network: Type.Optional(
        Type.Literal(true, {
          description: 'Has to be said where others than this machine can connect: whoever does acts under the token',
        }),
      ),
    },
    closed,
  ),
  { maxItems: 64 },
);
export type ListenerConfig = Static<typeof ListenersSchema>[number];

/** What contradicts the rest of the file. */
export function listenerContradictions(
  listeners: readonly ListenerConfig[],
  switches: readonly string[],
  isLoopback: (host: string) => boolean,
): readonly { readonly place: readonly (string | number)[]; readonly message: string }[] {
  const problems: { place: (string | number)[]; message: string }[] = [];
  const seen = new Set<string>();
  listeners.forEach(({ host, port = 2508, switch: name, insecure_network: open }, i) => {
    if (!switches.includes(name)) problems.push({ place: [i, 'switch'], message: `there is no switch \`${name}\`` });
    if (!isLoopback(host) && open !== true) {
      problems.push({ place: [i, 'host'], message: exposed(host) });
    }
    if (port !== 0 && seen.has(`${host} ${port}`)) {
      problems.push({ place: [i], message: `\`${host}:${port}\` stands twice` });
    }
    seen.add(`${host} ${port}`);
  });
  return problems;
}

function exposed(host: string): string {
  return (
    `\`${host}\` can be reached from other machines, and whoever connects acts under the token: use 127.0.0.1, or say ` +
    '`insecure_network: true` where the network itself keeps others out'
  );
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
