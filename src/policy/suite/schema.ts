import { type Static, Type } from '../../schema/index.ts';

// What a test suite may say. Unknown keys are mistakes: an expectation that is mistyped must not be silently absent.

const closed = { additionalProperties: false } as const;
const text = Type.String({ minLength: 1, maxLength: 2000 });
const words = <const W extends string>(options: readonly W[]) => Type.Enum(options as unknown as W[]);
const several = Type.Union([text, Type.Array(text, { minItems: 1 })]);
/** `2`, or `3/1`. */
const place = Type.Union([Type.Integer({ minimum: 0, maximum: 255 }), text]);

const Principal = Type.Object(
  {
    tenant: text,
    subject: Type.Optional(text),
    issuer: Type.Optional(text),
    groups: Type.Optional(Type.Array(text)),
    scopes: Type.Optional(Type.Array(text)),
  },
  closed,
);

const Posture = Type.Object(
  {
    profile: Type.Optional(words(['host', 'bmc'])),
    lockdown: Type.Optional(words(['none', 'integrity', 'confidentiality'])),
    under_lockdown: Type.Optional(words(['allow', 'reads', 'off'])),
    raw_commands: Type.Optional(words(['off', 'taints-this-switch'])),
    raw_allow_all: Type.Optional(Type.Boolean()),
    taint: Type.Optional(Type.Array(text)),
  },
  closed,
);

const State = Type.Object(
  {
    known: Type.Optional(Type.Boolean()),
    cci: Type.Optional(words(['fm-interface', 'host-mailbox'])),
    devices: Type.Optional(Type.Record(Type.String(), words(['none', 'sld', 'mld', 'other', 'unknown']))),
    usps: Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 0, maximum: 255 }))),
    bindings: Type.Optional(Type.Record(Type.String(), place)),
    never_send: Type.Optional(Type.Record(Type.String(), text)),
    tags: Type.Optional(Type.Record(Type.String(), text)),
  },
  closed,
);

const Raw = Type.Object(
  {
    opcode: Type.Union([Type.Integer({ minimum: 1, maximum: 0xffff }), text]),
    payload: Type.Optional(Type.String({ maxLength: 1 << 17 })),
  },
  closed,
);

const what = {
  command: Type.Optional(text),
  params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  raw: Type.Optional(Raw),
  via: Type.Optional(text),
} as const;

const Case = Type.Object(
  {
    name: text,
    for: several,
    ...what,
    /** The same expectation for each of them. */
    commands: Type.Optional(Type.Array(Type.Union([text, Type.Object(what, closed)]), { minItems: 1 })),
    posture: Type.Optional(Posture),
    state: Type.Optional(State),
    expect: Type.Optional(words(['allow', 'deny'])),
    rule: Type.Optional(several),
    errno: Type.Optional(words(['EPERM', 'ENOTTY', 'EBUSY', 'EINVAL', 'ENOMEM', 'EAGAIN', 'EIO', 'ETIMEDOUT'])),
    class: Type.Optional(words(['allowlisted', 'audited', 'raw'])),
    scope: Type.Optional(Type.Integer({ minimum: 0, maximum: 3 })),
    reach: Type.Optional(words(['query', 'own', 'cross-tenant', 'switch', 'opaque'])),
    touches: Type.Optional(Type.Array(text)),
    visible: Type.Optional(Type.Array(Type.Integer({ minimum: 0, maximum: 0xffff }))),
  },
  closed,
);

export const SuiteSchema = Type.Object(
  {
    suite: Type.Optional(text),
    switch: Type.Optional(text),
    issuer: Type.Optional(text),
    principals: Type.Record(Type.String(), Principal),
    posture: Type.Optional(Posture),
    state: Type.Optional(State),
    cases: Type.Array(Case, { minItems: 1 }),
  },
  closed,
);

export type SuiteFile = Static<typeof SuiteSchema>;
export type CaseFile = SuiteFile['cases'][number];
export type StateFile = Static<typeof State>;
export type PostureFile = Static<typeof Posture>;
export type CommandFile = Pick<CaseFile, 'command' | 'params' | 'raw' | 'via'>;
