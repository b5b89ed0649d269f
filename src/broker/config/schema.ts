import Type, { type Static } from 'typebox';
import { QtestOptions } from '../../backend/mailbox/index.ts';
import { IssuerConfig } from '../auth/index.ts';

/**
 * The broker's configuration file. Relative paths in it are relative to the file itself. Unknown keys are errors: a
 * mistyped restriction must not be silently absent.
 */

const closed = { additionalProperties: false } as const;
const words = <const W extends string>(options: readonly W[], description: string, fallback: W) =>
  Type.Enum(options as unknown as W[], { description, default: fallback });

const EmulatorBackend = Type.Object(
  {
    kind: Type.Literal('emulator'),
    topology: Type.String({ minLength: 1, description: 'Topology file of the emulated switch' }),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffffffff, default: 1 })),
  },
  closed,
);

const QtestBackend = Type.Object(
  { kind: Type.Literal('qtest'), qtest: QtestOptions },
  { ...closed, description: "QEMU's emulated Switch Mailbox CCI through its qtest socket" },
);

const Switch = Type.Object(
  {
    backend: Type.Union([EmulatorBackend, QtestBackend]),
    cci: Type.Optional(
      words(
        ['fm-interface', 'host-mailbox'],
        'Which CCI class this mailbox is; one configured for fabric-manager use counts as FM interface',
        'fm-interface',
      ),
    ),
    never_send: Type.Optional(
      Type.Array(
        Type.Object(
          {
            opcode: Type.String({ pattern: '^0x[0-9a-f]{4}$' }),
            reason: Type.String({ minLength: 1, maxLength: 200 }),
          },
          closed,
        ),
        {
          description:
            "Opcodes this device must never see on its own CCI: from clients or from the broker's own traffic",
        },
      ),
    ),
  },
  closed,
);

export const BrokerConfigSchema = Type.Object(
  {
    profile: words(['host', 'bmc'], 'host: machine shared by tenants; bmc: controller that owns the fabric', 'host'),
    production: Type.Optional(
      Type.Boolean({ default: false, description: 'Refuses the development issuer and raw commands' }),
    ),
    http: Type.Object(
      {
        host: Type.String({ minLength: 1, description: 'Address to listen on; without TLS only loopback is allowed' }),
        port: Type.Integer({ minimum: 0, maximum: 65535, description: '0 picks a free port' }),
      },
      closed,
    ),
    state_directory: Type.String({ minLength: 1, description: 'Journal, taint and the development issuer live here' }),
    fabric: Type.String({ minLength: 1, description: 'Tenants and what each owns' }),
    policy: Type.Object(
      {
        directory: Type.String({ minLength: 1 }),
        disclose_reasons: Type.Optional(
          words(['own', 'none'], "own: reasons are shown where every resource named is the caller's", 'own'),
        ),
      },
      closed,
    ),
    issuers: Type.Array(IssuerConfig, { minItems: 1, maxItems: 32 }),
    lockdown: Type.Optional(
      Type.Object(
        {
          level: Type.Optional(words(['none', 'integrity', 'confidentiality'], 'Lowest level in force', 'none')),
          under_lockdown: Type.Optional(
            words(['allow', 'reads', 'off'], 'What is left when locked down (row L8)', 'allow'),
          ),
          kernel_lockdown: Type.Optional(
            words(
              ['read', 'not-built'],
              'not-built: this kernel has no lockdown LSM, a missing file means none',
              'read',
            ),
          ),
        },
        closed,
      ),
    ),
    raw_commands: Type.Optional(
      words(['off', 'taints-this-switch'], 'Raw commands are not for production and mark the switch for good', 'off'),
    ),
    raw_allow_all: Type.Optional(
      Type.Boolean({ default: false, description: 'Skips the security-set and never-raw tests of the raw gate (R8)' }),
    ),
    mirror_kernel_taint: Type.Optional(Type.Boolean({ default: false })),
    limits: Type.Optional(
      Type.Object(
        {
          queue: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, default: 1024 })),
          per_tenant: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 10_000, default: 256, description: 'Commands of one tenant at once' }),
          ),
          command_timeout_ms: Type.Optional(Type.Integer({ minimum: 10, maximum: 60_000, default: 2000 })),
        },
        closed,
      ),
    ),
    log: Type.Optional(
      Type.Object(
        { level: Type.Optional(words(['debug', 'info', 'warn', 'error', 'silent'], 'Operational log', 'info')) },
        closed,
      ),
    ),
    switches: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }), Switch, { minProperties: 1 }),
  },
  closed,
);

export type BrokerConfigFile = Static<typeof BrokerConfigSchema>;
export type SwitchConfig = Static<typeof Switch>;
