import type {
  CommandRequest,
  ConsoleAsking,
  ConsoleInput,
  ConsoleQuery,
  ConsoleSeat,
  CoreApi,
  Credential,
  EventQuery,
  RevocationWish,
  SubmitOptions,
} from '../core-api.ts';
import { args, type Bad, bytes, either, integer, json, object, optional, type Shape, text, words } from './shape.ts';

/** What the core accepts of one method. */
export interface RequestRow<A extends readonly unknown[]> {
  /** The arguments, checked and made anew; `bad` where they are not what the method takes. */
  readonly read: (values: unknown) => A | Bad;
  /** Largest frame of such a request, in bytes. */
  readonly bytes: number;
  /** How many of them may be under way at once. */
  readonly atOnce: number;
  /** The answer may hold bytes, which JSON does not have. */
  readonly answersBytes?: true;
}

/** Requests of all methods together that may be under way, and their bytes. An edge that keeps to it never meets it. */
export const channelBounds = { atOnce: 4096, bytes: 32 * 1024 * 1024 } as const;

/** Objects and arrays inside each other: the arguments, a request, and a body of as many levels as the edge takes. */
export const MOST_NESTED = 24;

const KIB = 1024;
/** A token and a proof go with each request: as much as fits into the headers of one. */
const SMALL = 64 * KIB;
/** A command has a body beside them, and JSON may grow by being written again. */
const LARGE = 512 * KIB;
const FEW = 512;
const MANY = channelBounds.atOnce;

const PRINTABLE = /^[\x21-\x7e]*$/;
const credential: Shape<Credential> = object({
  token: text(32 * KIB, PRINTABLE),
  source: text(128, /^[\x20-\x7e]*$/),
  scheme: optional(words('bearer', 'dpop')),
  certificate: optional(text(64, /^[A-Za-z0-9_-]+$/)),
  proof: optional(object({ jwt: text(32 * KIB), method: text(32), url: text(16 * KIB) })),
  session: optional(text(64, /^[A-Za-z0-9_-]+$/)),
});
const switchName = text(64);
const reason = text(500);
const via = optional(text(64));
const message = bytes(64 * KIB);

const request: Shape<CommandRequest> = either(
  object({ kind: words('named'), command: text(64), params: optional(json), via }),
  object({ kind: words('raw'), opcode: integer(0, 0xffff), payload: message, via }),
  object({ kind: words('message'), bytes: message }),
);

export const MOST_DEADLINE_MS = 600_000;
const submitOptions: Shape<SubmitOptions> = object({ deadlineMs: optional(integer(1, MOST_DEADLINE_MS)) });

const eventQuery: Shape<EventQuery> = object({
  after: optional(text(64)),
  limit: optional(integer(1, 1000)),
  waitMs: optional(integer(0, 60_000)),
});

const revocation: Shape<RevocationWish> = either(
  object({
    kind: words('token', 'subject', 'tenant', 'key'),
    name: text(1024),
    issuer: optional(text(512)),
    reason,
    expiresAtMs: optional(integer(0, Number.MAX_SAFE_INTEGER)),
  }),
  object({ lift: text(64), reason }),
);

const OFFSET = integer(0, Number.MAX_SAFE_INTEGER);
const consoleSide = integer(1, 1000);
const consoleId = text(36, /^[0-9a-f-]+$/);
const seatWord = text(64, /^[A-Za-z0-9_-]+$/);
const consoleWait = optional(integer(0, 30_000));
const seat: Shape<ConsoleSeat> = object({ session: consoleId, seat: seatWord });
const consoleQuery: Shape<ConsoleQuery> = object({
  session: consoleId,
  seat: seatWord,
  after: OFFSET,
  acknowledged: optional(OFFSET),
  change: optional(OFFSET),
  waitMs: consoleWait,
});
const consoleAsking: Shape<ConsoleAsking> = object({
  program: text(32),
  reason,
  durationMs: optional(integer(0, 86_400_000)),
});
const consoleInput: Shape<ConsoleInput> = object({
  session: consoleId,
  seat: seatWord,
  offset: OFFSET,
  bytes: bytes(64 * KIB),
});

const view = <A extends readonly unknown[]>(read: (values: unknown) => A | Bad): RequestRow<A> => ({
  ...{ read, bytes: SMALL, atOnce: FEW },
});

/**
 * Every request that crosses from the edge to the core; there is no other. A method of `CoreApi` without a row does not
 * compile, and what does not fit its row ends the edge.
 */
export const coreRequests = {
  // A handle never crosses: the core names a request by its edge and its number, so that no edge can hit on another's.
  submit: { read: args(credential, switchName, request, optional(submitOptions)), bytes: LARGE, atOnce: MANY },
  /** By the number of its submit, in a frame of its own. */
  cancel: { read: args(text(0)), bytes: 0, atOnce: 0 },
  decide: { read: args(credential, switchName, request), bytes: LARGE, atOnce: FEW },
  whoami: view(args(credential)),
  switches: view(args(credential)),
  commands: view(args(credential, switchName)),
  operations: view(args(credential, switchName)),
  operation: view(args(credential, switchName, text(100))),
  // Each stream of events waits with one of them.
  events: { read: args(credential, switchName, optional(eventQuery)), bytes: SMALL, atOnce: 1024 },
  posture: view(args(credential)),
  raiseLockdown: view(args(credential, words('none', 'integrity', 'confidentiality'), reason)),
  taint: view(args(credential)),
  acknowledgeTaint: view(args(credential, text(1), text(400), reason)),
  topology: view(args(credential, switchName)),
  acceptTopology: view(args(credential, switchName, reason, optional(text(64)))),
  begin: view(args(credential)),
  end: view(args(text(64, /^[A-Za-z0-9_-]+$/))),
  revocations: view(args(credential)),
  revoke: view(args(credential, revocation)),
  consoles: view(args(credential, switchName)),
  consoleRequest: view(args(credential, switchName, consoleAsking)),
  consoleRequested: view(args(credential, switchName, consoleId, consoleWait)),
  consoleApprove: view(args(credential, switchName, consoleId, text(64, /^[0-9a-f]*$/))),
  consoleDeny: view(args(credential, switchName, consoleId, reason)),
  consoleOpen: view(args(credential, switchName, consoleId, consoleSide, consoleSide)),
  consoleWatch: view(args(credential, switchName, consoleId)),
  consoleRead: { read: args(credential, switchName, consoleQuery), bytes: SMALL, atOnce: FEW, answersBytes: true },
  consoleWrite: { read: args(credential, switchName, consoleInput), bytes: LARGE, atOnce: FEW },
  consoleResize: view(args(credential, switchName, seat, consoleSide, consoleSide)),
  consoleLeave: view(args(credential, switchName, seat)),
  consoleClose: view(args(credential, switchName, seat)),
  consoleKill: view(args(credential, switchName, consoleId, reason)),
  reloadPolicy: view(args(credential)),
  readiness: view(args()),
  metrics: view(args(optional(credential))),
} satisfies { readonly [M in keyof CoreApi]: RequestRow<Parameters<CoreApi[M]>> };

export type CoreMethod = keyof typeof coreRequests;

/** A method's number on the channel is its place here. */
export const coreMethods = Object.keys(coreRequests) as readonly CoreMethod[];

/** The credential and switch of a slot. */
export const slotArguments = args(credential, switchName, optional(integer(1, MOST_DEADLINE_MS)));

/** Questions for material of its own that an edge may have open. */
export const ASKS = 1024;

/** Slots that an edge may have: who sends many messages is named once, not with each. */
export const SLOTS = 512;
