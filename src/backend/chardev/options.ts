import { type Static, Type } from '../../schema/index.ts';

/** A Switch CCI that a kernel driver owns and shows as a character device. */
export const ChardevOptions = Type.Object(
  {
    path: Type.String({
      pattern: '^/dev/(?!.*\\.\\.)[A-Za-z0-9_./-]{1,200}$',
      description: 'Device node, such as /dev/cxl/switch0',
    }),
    max_payload: Type.Optional(
      Type.Integer({
        minimum: 256,
        maximum: 1_048_576,
        description: "Payload size of the mailbox in bytes; what the driver's `payload_max` says, or 256, if not given",
      }),
    ),
    command_ids: Type.Optional(
      Type.Record(Type.String({ pattern: '^0x[0-9a-f]{4}$' }), Type.Integer({ minimum: 1, maximum: 0xffff }), {
        additionalProperties: false,
        description:
          "The kernel's command id for an opcode, for a driver that lists commands beyond the mainline ones; " +
          'an opcode without an id is sent as a raw command',
      }),
    ),
  },
  { additionalProperties: false },
);

export type ChardevOptions = Static<typeof ChardevOptions>;
