// The options alone: a driver is loaded when a switch has it.
import { ChardevOptions } from '../../backend/chardev/options.ts';
import { QtestOptions } from '../../backend/mailbox/qtest/options.ts';
import { SysfsOptions } from '../../backend/mailbox/sysfs/options.ts';
import { VfioOptions } from '../../backend/mailbox/vfio/options.ts';
import { MctpTcpOptions } from '../../backend/mctp-tcp/options.ts';
import { type Static, Type } from '../../schema/index.ts';
import { IssuerConfig } from '../auth/index.ts';
import { AuthenticationSchema } from './authentication-schema.ts';
import { ConsoleSchema } from './console-schema.ts';
import { EdgeSchema } from './edge-schema.ts';
import { HttpSchema } from './http-schema.ts';
import { JournalSchema } from './journal-schema.ts';
import { ListenersSchema } from './listener-schema.ts';

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

const MctpTcpBackend = Type.Object(
  { kind: Type.Literal('mctp-tcp'), ...MctpTcpOptions.properties },
  { ...closed, description: 'A switch or emulator over MCTP/TCP, whose fabric manager the broker is' },
);

const VfioBackend = Type.Object(
  { kind: Type.Literal('vfio'), ...VfioOptions.properties },
  { ...closed, description: 'A Switch CCI of this host through VFIO: exclusive, and possible under kernel lockdown' },
);

const SysfsBackend = Type.Object(
  { kind: Type.Literal('sysfs'), ...SysfsOptions.properties },
  { ...closed, description: 'A Switch CCI of this host through its BAR file: no exclusion, not under kernel lockdown' },
);

const ChardevBackend = Type.Object(
  { kind: Type.Literal('chardev'), ...ChardevOptions.properties },
  { ...closed, description: 'A Switch CCI that a kernel driver of this host owns' },
);

const Switch = Type.Object(
  {
    backend: Type.Union([EmulatorBackend, QtestBackend, MctpTcpBackend, VfioBackend, SysfsBackend, ChardevBackend]),
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

const commandLimits = {
  commands_per_second: Type.Optional(Type.Number({ minimum: 0.01, maximum: 1_000_000 })),
  burst: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: 'Commands at once after a quiet time; as many as in one second if not given',
    }),
  ),
  concurrent: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Commands under way at once' })),
};

const Quota = Type.Object(
  {
    ...commandLimits,
    background: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1000, description: 'Operations that run in the background' }),
    ),
    bytes_per_second: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2 ** 40, description: 'Payload bytes of commands and replies' }),
    ),
    classes: Type.Optional(
      Type.Object(
        {
          allowlisted: Type.Optional(Type.Object(commandLimits, closed)),
          audited: Type.Optional(Type.Object(commandLimits, closed)),
          raw: Type.Optional(Type.Object(commandLimits, closed)),
        },
        { ...closed, description: 'Further limits for the commands of one class' },
      ),
    ),
  },
  { ...closed, description: 'What is not named is not limited' },
);
export type QuotaFile = Static<typeof Quota>;

export const BrokerConfigSchema = Type.Object(
  {
    profile: words(['host', 'bmc'], 'host: machine shared by tenants; bmc: controller that owns the fabric', 'host'),
    production: Type.Optional(
      Type.Boolean({ default: false, description: 'Refuses the development issuer and raw commands' }),
    ),
    http: HttpSchema,
    listeners: Type.Optional(ListenersSchema),
    edge: Type.Optional(EdgeSchema),
    state_directory: Type.String({ minLength: 1, description: 'Journal, taint and the development issuer live here' }),
    fabric: Type.String({ minLength: 1, description: 'Tenants and what each owns' }),
    policy: Type.Object(
      {
        directory: Type.String({ minLength: 1 }),
        disclose_reasons: Type.Optional(
          words(['own', 'none'], "own: reasons are shown where every resource named is the caller's", 'own'),
        ),
        reload: Type.Optional(
          words(
            ['watch', 'manual'],
            'watch: a change of the files comes into force by itself; manual (default with production): SIGHUP or the API',
            'watch',
          ),
        ),
        crosscheck: Type.Optional(
          words(
            ['off', 'sampled'],
            'sampled: now and then the full, unindexed engine takes a decision as well, and a difference is an alarm',
            'sampled',
          ),
        ),
        shadow: Type.Optional(
          Type.Object(
            {
              directory: Type.String({ minLength: 1, description: 'Policy directory of the candidate' }),
              tenants: Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]{0,62}$' }), {
                minItems: 1,
                uniqueItems: true,
                description: 'Whose decisions are taken under the candidate as well',
              }),
            },
            {
              ...closed,
              description:
                'A candidate policy: where it differs from the one in force is recorded, nothing else changes',
            },
          ),
        ),
      },
      closed,
    ),
    issuers: Type.Array(IssuerConfig, { minItems: 1, maxItems: 32 }),
    authentication: Type.Optional(AuthenticationSchema),
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
          queue: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 100_000,
              default: 1024,
              description: 'Commands that wait for one switch; everybody keeps room for his part of it',
            }),
          ),
          queue_per_tenant: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100_000, default: 256, description: 'Of these, of one tenant' }),
          ),
          wait_ms: Type.Optional(
            Type.Integer({
              minimum: 10,
              maximum: 600_000,
              default: 10_000,
              description: 'How long a command waits for its turn that names no deadline of its own',
            }),
          ),
          unbind_wait_ms: Type.Optional(
            Type.Integer({
              minimum: 100,
              maximum: 86_400_000,
              default: 600_000,
              description: 'How long an unbind may wait for its host before the operators are told',
            }),
          ),
          quota: Type.Optional(Quota),
          per_tenant: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 10_000, default: 256, description: 'Commands of one tenant at once' }),
          ),
          command_timeout_ms: Type.Optional(Type.Integer({ minimum: 10, maximum: 60_000, default: 2000 })),
          busy_poll_us: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 1000,
              default: 150,
              description:
                'How long the broker stays awake while a device is asked and behind an answer, in microseconds, and twice as long for the disk; 0: not at all',
            }),
          ),
        },
        closed,
      ),
    ),
    topology: Type.Optional(
      Type.Object(
        {
          reread_ms: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 3_600_000,
              default: 5000,
              description: 'Pause between two readings of ports and bindings that nobody asked for; 0: none',
            }),
          ),
        },
        closed,
      ),
    ),
    tenants: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[a-z][a-z0-9-]{0,62}$' }),
        Type.Object(
          {
            weight: Type.Optional(
              Type.Integer({ minimum: 1, maximum: 1000, default: 1, description: 'Share of the turns with a switch' }),
            ),
            quota: Type.Optional(Quota),
          },
          closed,
        ),
        { ...closed, description: 'What differs for single tenants of the fabric file' },
      ),
    ),
    events: Type.Optional(
      Type.Object(
        {
          poll_ms: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 3_600_000,
              default: 1000,
              description: 'Pause between two looks at the event logs of the switches; 0: they are left alone',
            }),
          ),
          keep: Type.Optional(
            Type.Integer({ minimum: 16, maximum: 100_000, default: 1000, description: 'Events kept for each tenant' }),
          ),
          components: Type.Optional(
            Type.Boolean({ default: false, description: 'Drain the logs of the devices behind the ports as well' }),
          ),
        },
        closed,
      ),
    ),
    journal: Type.Optional(JournalSchema),
    console: Type.Optional(ConsoleSchema),
    log: Type.Optional(
      Type.Object(
        { level: Type.Optional(words(['debug', 'info', 'warn', 'error', 'silent'], 'Operational log', 'info')) },
        closed,
      ),
    ),
    switches: Type.Record(Type.String({ pattern: '^[a-z][a-z0-9-]{0,31}$' }), Switch, { ...closed, minProperties: 1 }),
  },
  closed,
);

export type BrokerConfigFile = Static<typeof BrokerConfigSchema>;
export type SwitchConfig = Static<typeof Switch>;
