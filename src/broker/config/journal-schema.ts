import { type Static, Type } from '../../schema/index.ts';

/** The `journal` part of the configuration file. */

const closed = { additionalProperties: false } as const;
const words = <const W extends string>(options: readonly W[], description: string, fallback: W) =>
  Type.Enum(options as unknown as W[], { description, default: fallback });

const sink = {
  name: Type.Optional(
    Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$', description: 'For metrics and records; default: kind and place' }),
  ),
  enforced: Type.Optional(
    Type.Object(
      {
        deadline_ms: Type.Integer({
          minimum: 1,
          maximum: 60_000,
          description: 'An intent that is not delivered by then is refused',
        }),
      },
      { ...closed, description: 'Nothing is sent before its intent was delivered; absent: best effort' },
    ),
  ),
  buffer_bytes: Type.Optional(
    Type.Integer({
      minimum: 1 << 16,
      maximum: 1 << 30,
      default: 8 << 20,
      description: 'Records that wait for the sink; what does not fit is lost to it and counted',
    }),
  ),
};

const StdoutSink = Type.Object({ kind: Type.Literal('stdout'), ...sink }, closed);

const SyslogSink = Type.Object(
  {
    kind: Type.Literal('syslog'),
    transport: words(['udp', 'tcp', 'tls'], 'RFC 5426, RFC 6587 with octet counting, RFC 5425', 'tls'),
    host: Type.String({ minLength: 1, maxLength: 255 }),
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
    ca_file: Type.Optional(Type.String({ minLength: 1, description: 'Who may have signed the certificate, PEM' })),
    facility: Type.Optional(Type.Integer({ minimum: 0, maximum: 23, default: 13, description: '13: log audit' })),
    ...sink,
  },
  closed,
);

const OtlpSink = Type.Object(
  {
    kind: Type.Literal('otlp'),
    url: Type.String({ pattern: '^https?://[^\\s]+$', maxLength: 2000, description: 'With its path, /v1/logs' }),
    ca_file: Type.Optional(Type.String({ minLength: 1 })),
    authorization_file: Type.Optional(
      Type.String({ minLength: 1, description: 'Its content is sent as the Authorization header' }),
    ),
    ...sink,
  },
  closed,
);

export const JournalSchema = Type.Object(
  {
    segment_bytes: Type.Optional(
      Type.Integer({ minimum: 1 << 16, maximum: 2 ** 40, default: 64 << 20, description: 'Size that ends a segment' }),
    ),
    segment_age: Type.Optional(
      Type.String({ pattern: '^[1-9][0-9]{0,4}[smhd]$', default: '1d', description: 'Age that ends a segment' }),
    ),
    durability: Type.Optional(
      words(
        ['by-effect', 'strict'],
        'by-effect: what changes state or is raw is on disk before it is sent; strict: everything is',
        'by-effect',
      ),
    ),
    payloads: Type.Optional(
      words(
        ['none', 'masked', 'all'],
        'none: only digests; masked: payloads of typed commands, secret fields as zeros; all: raw ones as well, as they are',
        'none',
      ),
    ),
    signing_key: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Ed25519 private key (PEM, PKCS 8, mode 0600); default: made in the state directory',
      }),
    ),
    witness: Type.Optional(
      Type.Array(Type.Object({ file: Type.String({ minLength: 1 }) }, closed), {
        maxItems: 8,
        description: 'Files elsewhere that checkpoints are written to',
      }),
    ),
    sinks: Type.Optional(Type.Array(Type.Union([StdoutSink, SyslogSink, OtlpSink]), { maxItems: 16 })),
  },
  closed,
);

export type JournalFileSettings = Static<typeof JournalSchema>;
export type SinkSettings = NonNullable<JournalFileSettings['sinks']>[number];
