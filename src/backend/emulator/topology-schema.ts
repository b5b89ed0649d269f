import { type Static, Type } from '../../schema/index.ts';
import { supportSchema, timingSchema } from './options.ts';

/**
 * The topology file as it is written. Sizes are texts such as `64GiB`; serial numbers are integers or texts in
 * `0x` form, because YAML readers lose digits above 2^53; id ranges are inclusive (`8-31`).
 */

const closed = { additionalProperties: false } as const;
const byte = Type.Integer({ minimum: 0, maximum: 255 });
const word = Type.Integer({ minimum: 0, maximum: 0xffff });
const size = Type.String({ pattern: '^[0-9]{1,9}(KiB|MiB|GiB|TiB)$' });
const serial = Type.Union([
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  Type.String({ pattern: '^0x[0-9a-fA-F]{1,16}$' }),
]);
/** One id or an inclusive range of them. */
const ids = Type.Union([byte, Type.String({ pattern: '^[0-9]{1,3}-[0-9]{1,3}$' })]);
const speed = Type.Enum(['2.5-gt', '5-gt', '8-gt', '16-gt', '32-gt', '64-gt']);

const identity = {
  vendor_id: Type.Optional(word),
  device_id: Type.Optional(word),
  subsystem_vendor_id: Type.Optional(word),
  subsystem_id: Type.Optional(word),
};

const region = Type.Object(
  {
    size,
    block_size: Type.Optional(size),
    sharable: Type.Optional(Type.Boolean()),
    sanitize_on_release: Type.Optional(Type.Boolean()),
  },
  closed,
);

const dynamicCapacity = Type.Object(
  {
    hosts: Type.Integer({ minimum: 1, maximum: 256 }),
    regions: Type.Array(region, { minItems: 1, maxItems: 8 }),
    extents: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536 })),
    tags: Type.Optional(Type.Integer({ minimum: 1, maximum: 65536 })),
    /** What the emulated hosts answer to an offer: `manual` leaves it to the control interface or 4802h. */
    host_answer: Type.Optional(Type.Enum(['accept', 'refuse', 'manual'])),
  },
  closed,
);

const device = Type.Object(
  {
    kind: Type.Enum(['sld', 'mld']),
    serial,
    ...identity,
    capacity: size,
    persistent: Type.Optional(size),
    lds: Type.Optional(Type.Integer({ minimum: 1, maximum: 16 })),
    granularity: Type.Optional(Type.Enum(['256-mib', '512-mib', '1-gib'])),
    allocations: Type.Optional(Type.Array(size, { minItems: 1, maxItems: 16 })),
    heads: Type.Optional(Type.Integer({ minimum: 1, maximum: 16 })),
    lsa_size: Type.Optional(size),
    dynamic_capacity: Type.Optional(dynamicCapacity),
  },
  closed,
);

const port = Type.Object(
  {
    ids,
    role: Type.Enum(['usp', 'dsp', 'fabric']),
    device: Type.Optional(Type.String()),
    head: Type.Optional(Type.Integer({ minimum: 0, maximum: 15 })),
    maximum_width: Type.Optional(Type.Integer({ minimum: 1, maximum: 16 })),
    negotiated_width: Type.Optional(Type.Integer({ minimum: 1, maximum: 16 })),
    maximum_speed: Type.Optional(speed),
  },
  closed,
);

const binding = Type.Object({ vppb: byte, port: byte, ld: Type.Optional(byte) }, closed);

const vcs = Type.Object(
  {
    ids,
    usp: byte,
    vppbs: Type.Integer({ minimum: 1, maximum: 255 }),
    bindings: Type.Optional(Type.Array(binding)),
  },
  closed,
);

/** Fixed bytes for an opcode of a vendor: enough to try a policy that describes it. */
const vendorCommand = Type.Object(
  {
    opcode: Type.String({ pattern: '^0x[c-f][0-9a-f]{3}$' }),
    on: Type.Optional(
      Type.Array(Type.Enum(['switch', 'sld', 'fm-owned-ld', 'ld', 'ld-pool-cci']), { minItems: 1, maxItems: 5 }),
    ),
    effects: Type.Optional(word),
    request_bytes: Type.Optional(Type.Integer({ minimum: 0, maximum: 8192 })),
    return_code: Type.Optional(word),
    /** Hex digits, or `echo`. */
    reply: Type.Optional(Type.String({ pattern: '^(echo|([0-9a-f]{2})*)$' })),
  },
  closed,
);

export const topologyFileSchema = Type.Object(
  {
    switch: Type.Object(
      {
        serial,
        ...identity,
        ingress_port: Type.Optional(byte),
        hdm_decoders: Type.Optional(byte),
        /** Answers 5700h: the one verified command of a PBR switch. */
        pbr: Type.Optional(Type.Boolean()),
      },
      closed,
    ),
    /** Defaults of this switch for options of the same names. */
    behaviour: Type.Optional(
      Type.Object({ support: Type.Optional(supportSchema), timing: Type.Optional(timingSchema) }, closed),
    ),
    devices: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }), device, closed)),
    ports: Type.Array(port, { minItems: 1 }),
    vcss: Type.Optional(Type.Array(vcs)),
    vendor_commands: Type.Optional(Type.Array(vendorCommand, { maxItems: 256 })),
  },
  closed,
);

export type TopologyFile = Static<typeof topologyFileSchema>;
export type DeviceFile = NonNullable<TopologyFile['devices']>[string];
