import { type Static, Type } from '../../schema/index.ts';

/** Shapes of the HTTP interface: one source for types, validation and `/openapi.json`. */

const closed = { additionalProperties: false } as const;

const via = Type.Optional(
  Type.String({
    pattern: '^port:[0-9]{1,3}(/(ld:[0-9]{1,3}|ldpool))?$',
    description: 'tunnel path: through which port, and to which LD behind it, the command goes',
    examples: ['port:3/ld:1', 'port:3/ldpool'],
  }),
);

export const NamedCommand = Type.Object(
  {
    command: Type.String({ minLength: 1, maxLength: 64, description: 'slug of the command', examples: ['bind-vppb'] }),
    params: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description:
            'fields of the command, as `cci run SLUG --help` lists; for reviewed vendor commands see the list of commands',
        },
      ),
    ),
    via,
  },
  closed,
);

export const RawCommand = Type.Object(
  {
    raw: Type.Object(
      {
        opcode: Type.Union(
          [
            Type.Integer({ minimum: 1, maximum: 0xffff }),
            Type.String({ pattern: '^0x(?=[0-9a-fA-F]*[1-9a-fA-F])[0-9a-fA-F]{1,4}$' }),
          ],
          { description: 'a number, or text such as `0xc010`' },
        ),
        payload: Type.Optional(Type.String({ pattern: '^([0-9a-fA-F]{2})*$', description: 'hex digits, two a byte' })),
      },
      closed,
    ),
    via,
  },
  closed,
);

export const CommandBody = Type.Union([NamedCommand, RawCommand]);
export type CommandBody = Static<typeof CommandBody>;

export const LockdownBody = Type.Object(
  {
    level: Type.Union([Type.Literal('none'), Type.Literal('integrity'), Type.Literal('confidentiality')], {
      description: 'levels only rise',
    }),
    reason: Type.String({ minLength: 1, maxLength: 500, description: 'goes into the journal' }),
  },
  closed,
);

export const EmptyBody = Type.Union([Type.Object({}, closed), Type.Null()]);

export const SwitchParam = Type.Object({
  switch: Type.String({ minLength: 1, maxLength: 64, description: 'name of the switch', examples: ['sw0'] }),
});
export const OperationParam = Type.Object({
  switch: SwitchParam.properties.switch,
  id: Type.String({ minLength: 1, maxLength: 100, description: 'id of the operation' }),
});

const hex = (description: string) => Type.String({ pattern: '^([0-9a-f]{2})*$', description });

export const CommandAnswerDocument = Type.Object({
  requestId: Type.String(),
  class: Type.Union([Type.Literal('allowlisted'), Type.Literal('audited'), Type.Literal('raw')]),
  returnCode: Type.Integer({ description: 'of the innermost layer that answered; not 0 is not an HTTP error' }),
  returnCodeName: Type.String(),
  vendorStatus: Type.Integer(),
  layers: Type.Optional(Type.Array(Type.Integer(), { description: 'return codes of all layers, outermost first' })),
  background: Type.Optional(Type.Object({ operation: Type.String() })),
  result: Type.Optional(Type.Unknown({ description: 'decoded reply, where the command has a codec' })),
  payload: hex('reply payload of the innermost layer'),
});
export type CommandAnswerDocument = Static<typeof CommandAnswerDocument>;

const DisclosedReason = Type.Object({
  step: Type.String(),
  rule: Type.String(),
  errno: Type.String(),
  text: Type.String(),
  source: Type.Optional(Type.String()),
});

export const DecisionDocument = Type.Object({
  requestId: Type.String(),
  verdict: Type.Union([Type.Literal('allow'), Type.Literal('deny')]),
  class: Type.Optional(Type.String()),
  scope: Type.Optional(Type.Integer()),
  reach: Type.Optional(Type.String()),
  touched: Type.Optional(Type.Array(Type.String())),
  command: Type.Optional(Type.String()),
  narrowed: Type.Optional(
    Type.Object(
      { asked: Type.Array(Type.Integer()), kept: Type.Array(Type.Integer()) },
      {
        description: 'ids asked for, and those that are left',
      },
    ),
  ),
  grants: Type.Optional(
    Type.Array(
      Type.Object({
        resource: Type.String(),
        allowed: Type.Boolean(),
        rule: Type.Optional(Type.String()),
        source: Type.Optional(Type.String()),
      }),
    ),
  ),
  reasons: Type.Optional(Type.Array(DisclosedReason)),
  wouldNeed: Type.Optional(Type.Array(Type.String())),
  outward: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
  snapshot: Type.String(),
});

const used = (description: string) => Type.Object({ limit: Type.Integer(), used: Type.Integer() }, { description });
const rate = Type.Object({
  limit: Type.Number(),
  burst: Type.Number({ description: 'at once after a quiet time' }),
  left: Type.Integer({ description: 'now' }),
});
const ofClass = Type.Object({
  concurrent: Type.Optional(used('commands of the class under way')),
  commandsPerSecond: Type.Optional(rate),
});

export const WhoAmIDocument = Type.Object({
  principal: Type.String(),
  tenant: Type.String(),
  issuer: Type.String(),
  subject: Type.String(),
  names: Type.Array(Type.String()),
  scopes: Type.Array(Type.String()),
  expiresAtMs: Type.Number({ description: 'milliseconds since 1970' }),
  owns: Type.Array(Type.String()),
  roles: Type.Array(Type.String()),
  limits: Type.Object(
    {
      weight: Type.Integer({ description: 'share of the turns with a switch' }),
      concurrent: used('requests under way'),
      commandsPerSecond: Type.Optional(rate),
      bytesPerSecond: Type.Optional(Type.Object({ limit: Type.Integer(), left: Type.Integer() })),
      background: Type.Optional(used('operations in the background')),
      classes: Type.Optional(
        Type.Object({
          allowlisted: Type.Optional(ofClass),
          audited: Type.Optional(ofClass),
          raw: Type.Optional(ofClass),
        }),
      ),
    },
    { description: "what the caller's tenant may use, on all switches together, and what is left of it" },
  ),
});

export const SwitchesDocument = Type.Array(
  Type.Object({
    name: Type.String(),
    backend: Type.String(),
    state: Type.Union([Type.Literal('serving'), Type.Literal('unavailable')]),
    resources: Type.Array(Type.String()),
  }),
);

export const OfferedDocument = Type.Array(
  Type.Object({
    opcode: Type.Integer(),
    slug: Type.String(),
    name: Type.String(),
    class: Type.String(),
    scope: Type.Integer(),
    allowed: Type.Boolean({ description: 'at least one resource of the caller can be its target now' }),
    vendor: Type.Optional(
      Type.Object(
        {
          reviewer: Type.String(),
          date: Type.String({ description: 'day of the review' }),
          reference: Type.String({ description: "the vendor's document" }),
          reason: Type.String(),
          definition: Type.Unknown({ description: 'the command as the policy has it' }),
          params: Type.Unknown({ description: 'JSON Schema of the parameters' }),
          result: Type.Unknown({ description: 'JSON Schema of the result' }),
        },
        { description: 'only on a vendor command that the policy describes' },
      ),
    ),
  }),
);

const level = Type.Union([Type.Literal('none'), Type.Literal('integrity'), Type.Literal('confidentiality')]);

export const PostureDocument = Type.Array(
  Type.Object({
    switch: Type.String(),
    profile: Type.String(),
    lockdown: Type.Object({ effective: level, kernel: Type.String(), config: level, runTime: level }),
    rawCommands: Type.String(),
    rawAllowAll: Type.Boolean(),
    underLockdown: Type.String(),
    taint: Type.Object({ mask: Type.Integer(), letters: Type.String() }),
  }),
);

export const TaintDocument = Type.Array(
  Type.Object({
    switch: Type.String(),
    mask: Type.Integer(),
    letters: Type.String(),
    entries: Type.Array(
      Type.Object({
        letter: Type.String(),
        bit: Type.Integer(),
        meaning: Type.String(),
        atMs: Type.Number(),
        by: Type.String(),
        record: Type.String(),
        scope: Type.String(),
        reason: Type.String(),
        acknowledged: Type.Boolean(),
      }),
    ),
  }),
);

export const OperationDocument = Type.Object({
  id: Type.String(),
  switch: Type.String(),
  command: Type.String(),
  opcode: Type.Integer(),
  state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('unknown')]),
  percent: Type.Number(),
  returnCode: Type.Optional(Type.Integer()),
  startedAtMs: Type.Number(),
  endedAtMs: Type.Optional(Type.Number()),
  via: Type.Optional(Type.String({ description: 'tunnel path of the component that does it' })),
  overdue: Type.Optional(
    Type.Boolean({ description: 'it waits for its host longer than the operators allow for, and goes on waiting' }),
  ),
});
export const OperationsDocument = Type.Array(OperationDocument);

export const ReloadDocument = Type.Object({ snapshot: Type.String(), rules: Type.Integer() });

export const ReadinessDocument = Type.Object({
  ready: Type.Boolean(),
  checks: Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() })),
});

export const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: '`urn:switch-cci:problem:` and the code' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'one sentence' }),
    code: Type.String({ description: 'stable: the errno class, or EAUTH, EPARAM, ENOENT, EINTERNAL' }),
    errno: Type.String({ description: 'the class in the words of errno(3)' }),
    requestId: Type.String({ description: 'finds the record of the request in the journal' }),
    returnCode: Type.Integer({ description: 'what a caller that speaks CCI would have got' }),
    field: Type.Optional(Type.String({ description: 'dotted path of the parameter that is wrong' })),
    reasons: Type.Optional(Type.Array(DisclosedReason, { description: 'only for those who may see them' })),
    retryAfterMs: Type.Optional(Type.Number()),
    dpop: Type.Optional(
      Type.Object(
        { error: Type.String(), nonce: Type.Optional(Type.String({ description: 'for the next proof' })) },
        { description: 'what was wrong with the proof of possession; only with EAUTH' },
      ),
    ),
  },
  { $id: 'Problem' },
);
