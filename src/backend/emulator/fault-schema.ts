import { type Static, Type } from '../../schema/index.ts';

const closed = { additionalProperties: false } as const;
const byte = Type.Integer({ minimum: 0, maximum: 255 });
const word = Type.Integer({ minimum: 0, maximum: 0xffff });
const size = Type.Integer({ minimum: 1, maximum: 65536 });
const binding = { vcs: byte, vppb: byte };

/**
 * What can go wrong.
 *
 * | kind | what happens |
 * | --- | --- |
 * | `late` | the command is done, its reply comes `ms` later |
 * | `missing` | done, but nothing comes back |
 * | `duplicate` | the reply comes twice (on the wire; a mailbox has no such thing) |
 * | `truncated`, `oversized` | the reply payload is `bytes` shorter or longer; its header agrees with it |
 * | `wrong-opcode`, `wrong-tag` | in the header of the reply, at the layer named |
 * | `wrong-return-code` | the code is replaced, the payload stays |
 * | `count-byte-order` | the first counter of two bytes or more is sent high byte first |
 * | `stuck-doorbell` | the command is never taken; `commands` further ones find the doorbell set |
 * | `endless-background` | the operation that the command starts never ends by itself |
 * | `reset` | the component resets with the command under way: not done, no reply |
 * | `power-cycle` | the whole switch loses power instead |
 * | `bind-behind-back`, `unbind-behind-back` | somebody else changes a binding just before the command |
 * | `cel-lies` | from then on every CEL hides and invents opcodes |
 */
export const faultSchema = Type.Union([
  Type.Object({ kind: Type.Literal('late'), ms: Type.Number({ minimum: 0, maximum: 3_600_000 }) }, closed),
  Type.Object({ kind: Type.Literal('missing') }, closed),
  Type.Object({ kind: Type.Literal('duplicate') }, closed),
  Type.Object({ kind: Type.Literal('truncated'), bytes: size }, closed),
  Type.Object({ kind: Type.Literal('oversized'), bytes: size }, closed),
  Type.Object({ kind: Type.Literal('wrong-opcode') }, closed),
  Type.Object({ kind: Type.Literal('wrong-tag') }, closed),
  Type.Object({ kind: Type.Literal('wrong-return-code'), returnCode: word }, closed),
  Type.Object({ kind: Type.Literal('count-byte-order') }, closed),
  Type.Object(
    { kind: Type.Literal('stuck-doorbell'), commands: Type.Optional(Type.Integer({ minimum: 0, maximum: 1 << 30 })) },
    closed,
  ),
  Type.Object({ kind: Type.Literal('endless-background') }, closed),
  Type.Object({ kind: Type.Literal('reset') }, closed),
  Type.Object({ kind: Type.Literal('power-cycle') }, closed),
  Type.Object({ kind: Type.Literal('bind-behind-back'), ...binding, port: byte, ld: Type.Optional(byte) }, closed),
  Type.Object({ kind: Type.Literal('unbind-behind-back'), ...binding }, closed),
  Type.Object({ kind: Type.Literal('cel-lies'), hide: Type.Array(word), invent: Type.Array(word) }, closed),
]);
export type Fault = Static<typeof faultSchema>;

/** When it goes wrong. A rule without conditions strikes the next command of the switch. */
export const faultRuleSchema = Type.Object(
  {
    fault: faultSchema,
    /** Opcode at that layer; left out: any. */
    opcode: Type.Optional(word),
    /** 0 the switch (default), 1 the device behind a port, 2 the LD or LD pool behind that. */
    layer: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 })),
    /** Matches let pass first. */
    skip: Type.Optional(Type.Integer({ minimum: 0 })),
    /** Strikes; left out: 1. */
    times: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Chance of each strike, drawn from the seeded generator; left out: 1. */
    probability: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  },
  closed,
);
export type FaultRule = Static<typeof faultRuleSchema>;
