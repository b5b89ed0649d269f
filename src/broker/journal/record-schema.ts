import { type Static, type TProperties, type TSchema, Type } from '../../schema/index.ts';
import type { LockdownLevel, Profile, TaintLetter, UnderLockdown } from '../../taint/index.ts';

/**
 * The one source of what records hold: the types of `records.ts` and the JSON Schema in `docs/` are made of it. Members
 * that are not named here can't be written; readers must expect more of them from newer brokers.
 */

/** What a record may hold: plain JSON. A member that is undefined is left out. */
export type JournalValue =
  | null
  | boolean
  | number
  | string
  | readonly JournalValue[]
  | { readonly [name: string]: JournalValue | undefined };
export type JournalObject = { readonly [name: string]: JournalValue | undefined };

const closed = <P extends TProperties>(properties: P, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description === undefined ? {} : { description }) });
const list = <S extends TSchema>(items: S, description?: string) =>
  Type.Unsafe<readonly Static<S>[]>(Type.Array(items, description === undefined ? {} : { description }));
const words = <W extends string>(options: readonly W[], description?: string) =>
  Type.Unsafe<W>({ type: 'string', enum: [...options], ...(description === undefined ? {} : { description }) });
const text = (description?: string) => Type.String(description === undefined ? {} : { description });
const count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description === undefined ? {} : { description }) });
const ms = (description: string) => Type.Number({ description });
const digest = (description: string) => Type.String({ pattern: '^[0-9a-f]{64}$', description });
const value = (description: string) => Type.Unsafe<JournalValue>({ description });
const object = (description: string) => Type.Unsafe<JournalObject>({ type: 'object', description });
const maybe = <S extends TSchema>(schema: S) => Type.Optional(schema);

const details = maybe(object('Whatever else is worth keeping'));
const taintLetter = words<TaintLetter>(['R', 'V', 'J', 'O', 'C', 'E', 'M', 'X', 'F', 'A', 'B']);
const lockdownLevel = words<LockdownLevel>(['none', 'integrity', 'confidentiality']);
const flags = maybe(
  list(
    words(['unaudited', 'denied', 'cross-tenant', 'shadow', 'unknown-outcome']),
    'Marks that an inquiry looks for first',
  ),
);

const caller = {
  requestId: text(),
  switch: maybe(text()),
  principal: maybe(text('`user:ISSUER#SUB`')),
  tenant: maybe(text()),
  tokenId: maybe(text()),
  tokenKey: maybe(text('RFC 7638 thumbprint of the key that signed the token')),
  bound: maybe(
    closed(
      {
        dpop: maybe(text("Thumbprint of the holder's key, of which he showed a proof (RFC 9449)")),
        certificate: maybe(text("SHA-256 of the holder's certificate, base64url, which the connection was made with")),
      },
      'What the token is bound to; absent for a bearer token',
    ),
  ),
  groups: maybe(
    list(Type.String(), 'Typed names of the groups that the token named: with the principal, what roles come from'),
  ),
  scopes: maybe(list(Type.String(), "Words of the token's `scope` claim")),
  source: maybe(text('Address and port of the peer')),
};

export const PostureFieldsSchema = closed(
  {
    version: count(),
    lockdown: lockdownLevel,
    taint: text('Letters of the register, `-` when none'),
    profile: maybe(words<Profile>(['host', 'bmc'])),
    underLockdown: maybe(words<UnderLockdown>(['allow', 'reads', 'off'])),
  },
  'A posture, in short',
);

const command = {
  ...caller,
  command: maybe(text('Slug, or `opcode:0xc010`')),
  opcode: maybe(Type.Integer({ minimum: 0, maximum: 0xffff })),
  path: maybe(value('`switch -> port 3 -> ld 1`')),
  fields: maybe(value('Decoded fields of the request, secret ones masked')),
  class: maybe(words(['allowlisted', 'audited', 'raw'])),
  scope: maybe(Type.Integer({ minimum: 0, maximum: 4 })),
  reach: maybe(text()),
  touched: maybe(list(Type.String(), 'Touched resources')),
  tenants: maybe(list(Type.String(), 'Tenants that are reached')),
  verdict: words(['allow', 'deny']),
  rule: maybe(text('What decided: the rule of the first reason of a refusal, the row that allowed the first resource')),
  conditions: maybe(
    list(Type.String(), 'Conditions on content and state that held, by name; what mandatory rows ask for with `if`'),
  ),
  activeTaint: maybe(list(taintLetter, 'Taint letters in force on what is touched')),
  taints: maybe(
    list(
      closed({ letter: taintLetter, scope: text('The subtree that it restricts'), reason: text() }),
      'What the command raises, or would have raised',
    ),
  ),
  outward: maybe(text('Errno that the caller got')),
  reasons: maybe(list(value('One reason'), 'Every reason with its rule; also those that the caller does not see')),
  grants: maybe(list(value('One row'), 'Rows that allowed or denied, per resource')),
  narrowed: maybe(closed({ asked: list(Type.Number()), kept: list(Type.Number()) })),
  snapshot: maybe(text('Id of the policy snapshot')),
  shadow: maybe(
    closed(
      {
        difference: words(
          ['denies', 'allows', 'narrows', 'widens'],
          'What the candidate would do that the policy in force does not; of a list, leave fewer or more of it',
        ),
        snapshot: text('Id of the candidate'),
        reasons: list(
          closed({ step: text(), rule: text(), text: text(), source: maybe(text('The row, `file:line`')) }),
          'Why it would deny',
        ),
        kept: maybe(list(Type.Number(), 'Ids that it would leave of a list')),
      },
      'A candidate policy (`policy.shadow`) differs; what happened is what the policy in force says',
    ),
  ),
  topology: maybe(count('Version of the picture of the fabric')),
  posture: maybe(PostureFieldsSchema),
  postureBefore: maybe(closed(PostureFieldsSchema.properties, 'When the request came in, where it has changed since')),
  flags,
  payloadDigest: maybe(
    digest('SHA-256 of the payload sent; absent where it holds a secret, which could be guessed from it'),
  ),
  payloadBytes: maybe(count()),
  payload: maybe(
    Type.String({ pattern: '^([0-9a-f]{2})*$', description: 'By policy: the payload, hex; never a secret' }),
  ),
  details,
};

const answer = {
  returnCodes: maybe(list(Type.Integer(), 'Return codes of all layers, outermost first')),
  replyDigest: maybe(digest('SHA-256 of the reply')),
  replyBytes: maybe(count()),
  durationMs: maybe(ms('From the request to this record')),
  queueMs: maybe(ms('Of these, until its turn came')),
  deviceMs: maybe(ms('Of these, until the device had answered')),
};

export const CallerFieldsSchema = closed(caller);
export const CommandFieldsSchema = closed(command);
export const AnswerFieldsSchema = closed(answer);

/** Bodies by kind. */
export const recordBodySchemas = {
  start: closed(
    { version: text(), pid: count(), bootId: maybe(text()), snapshot: maybe(text()), details },
    'The broker has started; the first record of every run',
  ),
  decision: closed(
    { ...command, ...answer },
    'A refusal; or a read that was carried out, with what the device answered',
  ),
  intent: closed(command, 'Something is about to be sent. On disk before it is, when it changes state or is raw'),
  outcome: closed(
    {
      ...caller,
      ...answer,
      intent: maybe(count('Sequence of the intent; without it, every open intent of the request is meant')),
      outcome: words(
        ['done', 'not-sent', 'unknown'],
        'not-sent: nothing reached the device; unknown: it may have been executed',
      ),
      reason: maybe(text()),
      posture: maybe(PostureFieldsSchema),
      postureBefore: maybe(
        closed(PostureFieldsSchema.properties, 'When the request came in, where it has changed since'),
      ),
      flags,
      details,
    },
    'What became of an intent',
  ),
  posture: closed(
    {
      switch: text(),
      requestId: maybe(text()),
      change: words(['taint', 'acknowledgement', 'lockdown', 'kernel-lockdown', 'option']),
      by: text(),
      letter: maybe(taintLetter),
      scope: maybe(text()),
      level: maybe(lockdownLevel),
      reason: maybe(text()),
      before: maybe(PostureFieldsSchema),
      after: maybe(PostureFieldsSchema),
      details,
    },
    'Lockdown or taint has changed',
  ),
  policy: closed(
    {
      requestId: maybe(text()),
      by: maybe(text()),
      change: words(['loaded', 'refused', 'crosscheck-differs']),
      snapshot: text('In force after this record'),
      previous: maybe(text()),
      rules: maybe(count()),
      loosened: maybe(list(Type.String(), 'Shipped mandatory rows that it loosens')),
      reason: maybe(text()),
      details,
    },
    'A policy came into force, or was refused and the old one stayed; or its engine and the reference did not agree',
  ),
  authentication: closed(
    {
      requestId: maybe(text()),
      source: maybe(text()),
      result: words(['refused']),
      reason: text(),
      issuer: maybe(text()),
      details,
    },
    'A credential was refused. Accepted ones are seen on the records of their commands',
  ),
  revocation: closed(
    {
      requestId: maybe(text()),
      by: text(),
      change: words(['revoked', 'lifted']),
      id: text('Of the revocation'),
      what: words(['token', 'subject', 'tenant', 'key']),
      name: text('`jti:ISSUER#JTI`, `user:ISSUER#SUB`, a tenant, a thumbprint or `kid:ISSUER#KID`'),
      reason: text(),
      expiresAt: maybe(text('When it ends by itself')),
      details,
    },
    'Tokens were taken back before their time, or given back; in force before this record',
  ),
  recovery: closed(
    {
      reason: text(),
      tornBytes: maybe(count('Bytes that did not make a whole record and were cut off the end')),
      keptAs: maybe(text('Name of the file beside the journal that keeps them')),
      rewritten: maybe(count('Records that were accepted before the failure and put into their segment after it')),
      refused: maybe(
        list(count(), 'Sequences of records whose caller was told that they could not be recorded: nothing was sent'),
      ),
      details,
    },
    'The journal was mended. Written by the journal itself',
  ),
  stop: closed(
    { reason: text(), details },
    'The broker stops in order; the last record of such a run but its checkpoint',
  ),
  console: closed(
    {
      ...caller,
      change: words([
        'requested',
        'approved',
        'denied',
        'expired',
        'opened',
        'watched',
        'unwatched',
        'paused',
        'continued',
        'detached',
        'resumed',
        'killed',
        'input',
        'output',
        'recording',
        'closed',
      ]),
      session: maybe(text('Id of the console session')),
      request: maybe(text('Id of the request that it was opened by')),
      program: maybe(text('Its name in the configuration')),
      recording: maybe(
        closed(
          {
            file: text('Name of the file in the directory of recordings'),
            link: count('From 0, without gaps, for each file'),
            bytes: count('Bytes of the file, from its beginning, that the digest covers'),
            digest: digest('SHA-256 of these bytes as they stand in the file'),
            elapsedMs: count('Milliseconds of the recording that they hold'),
            final: maybe(Type.Literal(true, { description: 'The file is complete' })),
          },
          'Up to where the recording is as it was written; for the change `recording`',
        ),
      ),
      details,
    },
    'A console was asked for, opened or closed, or something happened in it',
  ),
  topology: closed(
    { switch: text(), requestId: maybe(text()), change: text(), by: maybe(text()), details },
    'The picture of the fabric changed',
  ),
  event: closed(
    {
      switch: text(),
      change: words(['drained', 'lost']),
      from: text('`switch`, or the path of the CCI that had it'),
      log: text('Event log'),
      tenants: maybe(list(Type.String(), 'Tenants who got a copy')),
      type: maybe(text('Kind of the event record')),
      uuid: maybe(text()),
      handle: maybe(count('Handle that the device gave it')),
      timestamp: maybe(text('Nanoseconds, as the device says')),
      subjects: maybe(value('What it is about')),
      digest: maybe(text('First half of the SHA-256 of its 128 bytes, hex')),
      count: maybe(count('How many were lost')),
      details,
    },
    'Records came out of an event log of the switch, or were lost there. What they hold may be a secret: it is not here',
  ),
  checkpoint: closed(
    {
      journal: digest('Which journal: the hash of its first record'),
      segment: text('Name of the segment that it stands in'),
      key: Type.String({
        pattern: '^[0-9a-f]{32}$',
        description: 'Id of the key: the first 128 bits of the SHA-256 of the public key (SPKI, DER)',
      }),
      open: list(
        closed({
          sequence: count(),
          requestId: text(),
          switch: maybe(text()),
          principal: maybe(text()),
          tenant: maybe(text()),
        }),
        'Intents before it that have no outcome before it',
      ),
      switches: list(Type.String(), 'Switches that records before it name'),
      signature: Type.String({
        pattern: '^[A-Za-z0-9_-]{86}$',
        description: 'Ed25519 over this line up to, and without, its `,"signature":` part; base64url',
      }),
    },
    'Everything before it is as it was written. Made by the journal itself',
  ),
  sink: closed(
    {
      sink: text('Its name'),
      lost: count('How many records'),
      first: count('Sequence of the first lost record'),
      last: count('Sequence of the last one; some between them may have arrived'),
    },
    'A sink has lost records, and takes them again. Written by the journal itself',
  ),
  edge: closed(
    {
      change: words(['started', 'ended']),
      pid: count(),
      reason: maybe(
        words(
          ['asked', 'exit', 'signal', 'forbidden-call', 'violation', 'stalled', 'no-start'],
          'forbidden-call: the filter of system calls ended it; violation, stalled: the core did, for what it sent, or for giving no sign of life',
        ),
      ),
      violation: maybe(text('What it sent: a code of docs/threat-model.md')),
      exitCode: maybe(count()),
      signal: maybe(text()),
      underWay: maybe(count('Requests that were under way: those that were sent go on, and nobody hears of them')),
      details,
    },
    'A process that holds the listening sockets was started or has ended, where that is a process of its own',
  ),
} as const;
