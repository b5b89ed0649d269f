import { anything, flag, list, number, object, oneOf, optional, type Shaped, text } from './shape.ts';

/** What the broker's HTTP interface sends. */

const reason = object({ step: text, rule: text, errno: text, text, source: optional(text) });

export const commandAnswerShape = object({
  requestId: text,
  class: oneOf('allowlisted', 'audited', 'raw'),
  /** Of the innermost layer that answered. */
  returnCode: number,
  returnCodeName: text,
  vendorStatus: number,
  layers: optional(list(number)),
  background: optional(object({ operation: text })),
  result: optional(anything),
  /** Hex. */
  payload: text,
});
export type CommandAnswer = Shaped<typeof commandAnswerShape>;

export const decisionShape = object({
  requestId: text,
  verdict: oneOf('allow', 'deny'),
  class: optional(text),
  scope: optional(number),
  reach: optional(text),
  touched: optional(list(text)),
  command: optional(text),
  narrowed: optional(object({ asked: list(number), kept: list(number) })),
  grants: optional(list(object({ resource: text, allowed: flag, rule: optional(text), source: optional(text) }))),
  reasons: optional(list(reason)),
  wouldNeed: optional(list(text)),
  outward: optional(object({ code: text, detail: text })),
  snapshot: text,
});
export type Decision = Shaped<typeof decisionShape>;

const used = object({ limit: number, used: number });
const rate = object({ limit: number, burst: number, left: number });
const ofClass = object({ concurrent: optional(used), commandsPerSecond: optional(rate) });

export const whoAmIShape = object({
  principal: text,
  tenant: text,
  issuer: text,
  subject: text,
  names: list(text),
  scopes: list(text),
  expiresAtMs: number,
  owns: list(text),
  roles: list(text),
  /** Absent from brokers that have no quotas. */
  limits: optional(
    object({
      weight: number,
      concurrent: used,
      commandsPerSecond: optional(rate),
      bytesPerSecond: optional(object({ limit: number, left: number })),
      background: optional(used),
      classes: optional(object({ allowlisted: optional(ofClass), audited: optional(ofClass), raw: optional(ofClass) })),
    }),
  ),
});
export type WhoAmI = Shaped<typeof whoAmIShape>;

export const switchesShape = list(
  object({ name: text, backend: text, state: oneOf('serving', 'unavailable'), resources: list(text) }),
);
export type SwitchSummary = Shaped<typeof switchesShape>[number];

export const offeredShape = list(
  object({
    opcode: number,
    slug: text,
    name: text,
    class: text,
    scope: number,
    allowed: flag,
    /** Only on a vendor's command that the policy describes. */
    vendor: optional(
      object({
        reviewer: text,
        date: text,
        reference: text,
        reason: text,
        /** As the policy has it. */
        definition: anything,
        /** JSON Schemas. */
        params: anything,
        result: anything,
      }),
    ),
  }),
);
export type OfferedCommand = Shaped<typeof offeredShape>[number];

const level = oneOf('none', 'integrity', 'confidentiality');
export type LockdownLevel = Shaped<typeof level>;

export const postureShape = list(
  object({
    switch: text,
    profile: text,
    lockdown: object({ effective: level, kernel: text, config: level, runTime: level }),
    rawCommands: text,
    rawAllowAll: flag,
    underLockdown: text,
    taint: object({ mask: number, letters: text }),
  }),
);
export type Posture = Shaped<typeof postureShape>[number];

export const taintShape = list(
  object({
    switch: text,
    mask: number,
    letters: text,
    entries: list(
      object({
        letter: text,
        bit: number,
        meaning: text,
        atMs: number,
        by: text,
        record: text,
        scope: text,
        reason: text,
        acknowledged: flag,
      }),
    ),
  }),
);
export type Taint = Shaped<typeof taintShape>[number];

export const topologyShape = object({
  switch: text,
  known: flag,
  accepted: flag,
  picture: optional(text),
  ports: list(object({ id: number, role: text, device: text, lds: number, serial: optional(text) })),
  vcss: list(
    object({
      id: number,
      usp: number,
      vppbs: list(object({ kind: text, port: optional(number), ld: optional(number) })),
    }),
  ),
  differences: list(object({ what: text, before: text, after: text, atMs: number })),
});
export type Topology = Shaped<typeof topologyShape>;

export const operationShape = object({
  id: text,
  switch: text,
  command: text,
  opcode: number,
  state: oneOf('running', 'done', 'unknown'),
  percent: number,
  returnCode: optional(number),
  startedAtMs: number,
  endedAtMs: optional(number),
  via: optional(text),
  /** It waits for its host longer than the operators allow for, and goes on waiting. */
  overdue: optional(flag),
});
export const operationsShape = list(operationShape);
export type Operation = Shaped<typeof operationShape>;

export const reloadShape = object({ snapshot: text, rules: number });
export type Reload = Shaped<typeof reloadShape>;

export const revocationsShape = list(
  object({
    id: text,
    kind: oneOf('token', 'subject', 'tenant', 'key'),
    /** As records name it: `jti:ISSUER#JTI`, `user:ISSUER#SUB`, a tenant, a thumbprint or `kid:ISSUER#KID`. */
    name: text,
    by: text,
    atMs: number,
    reason: text,
    /** Milliseconds since 1970; absent where it lasts for good. */
    expiresAtMs: optional(number),
  }),
);
export type Revocation = Shaped<typeof revocationsShape>[number];

/** What is to be revoked; with `issuer` beside it, `name` is the bare `jti`, `sub` or `kid`. Or what is to be lifted. */
export type RevocationWish =
  | {
      readonly kind: Revocation['kind'];
      readonly name: string;
      readonly issuer?: string;
      readonly reason: string;
      readonly expiresAtMs?: number;
    }
  | { readonly lift: string; readonly reason: string };

export const problemShape = object({
  type: text,
  title: text,
  status: number,
  detail: text,
  code: oneOf(
    'EPERM',
    'ENOTTY',
    'EBUSY',
    'EINVAL',
    'ENOMEM',
    'EAGAIN',
    'EIO',
    'ETIMEDOUT',
    'EAUTH',
    'EPARAM',
    'ENOENT',
    'EINTERNAL',
  ),
  errno: text,
  requestId: text,
  returnCode: number,
  field: optional(text),
  reasons: optional(list(reason)),
  retryAfterMs: optional(number),
  /** What was wrong with the proof of possession, and the nonce for the next one. */
  dpop: optional(object({ error: text, nonce: optional(text) })),
});
export type ProblemDocument = Shaped<typeof problemShape>;
