import { type Static, Type } from '../../schema/index.ts';

const closed = { additionalProperties: false } as const;

/** How to be the fabric manager of a switch or emulator that speaks MCTP over TCP. */
export const MctpTcpOptions = Type.Object(
  {
    host: Type.String({
      minLength: 1,
      maxLength: 253,
      pattern: '^[A-Za-z0-9.:-]+$',
      description: 'Name or address of the switch',
    }),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, default: 2508 })),
    dialect: Type.Enum(['spec', 'jackrabbit'], {
      description: 'How it lays out headers and tunnels; it cannot be told from the bytes',
    }),
    cel: Type.Optional(
      Type.Enum(['read', 'none'], {
        description:
          'none: it has no Command Effects Log and is never asked for one; what its dialect offers is assumed. The ' +
          'default is read for `spec`, and `jackrabbit` knows none only',
      }),
    ),
    max_in_flight: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 8, default: 8, description: 'Commands that may be unanswered at once' }),
    ),
    max_payload: Type.Optional(
      Type.Integer({
        minimum: 256,
        maximum: 65_000,
        default: 8192,
        description: 'Bytes of a request or reply payload',
      }),
    ),
    connect_ms: Type.Optional(Type.Integer({ minimum: 10, maximum: 60_000, default: 2000 })),
    drain_ms: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 60_000,
        default: 500,
        description: 'How long answers are waited for before the connection is closed',
      }),
    ),
    quirks: Type.Optional(
      Type.Array(Type.Enum(['last-byte-lost']), {
        maxItems: 1,
        description:
          'last-byte-lost: its packetiser forgets the last byte of a message that fills whole packets; in replies it ' +
          'then counts as 0',
      }),
    ),
    insecure_network: Type.Optional(
      Type.Literal(true, {
        description:
          'Has to be said where the host is not this machine: the protocol has neither authentication nor encryption',
      }),
    ),
  },
  { ...closed, description: 'A switch or emulator over MCTP/TCP' },
);
export type MctpTcpOptions = Static<typeof MctpTcpOptions>;
