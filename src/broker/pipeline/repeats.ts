import type { Decision, PolicySnapshot, Principal } from '../../policy/index.ts';
import type { CommandRequest } from '../core-api.ts';
import type { PreparedMembers } from '../journal/index.ts';
import { type Shadow, shadowFinding } from '../shadow.ts';
import type { Decoded, Services, SwitchRuntime } from './context.ts';
import type { Body } from './reply.ts';

/** A read that was decided before, with what else comes out the same each time. */
export interface Repeat {
  readonly decoded: Decoded;
  readonly decision: Decision;
  /** Members of its records that do not change. */
  record?: PreparedMembers;
  /** The last reply that was filtered, and what was left of it. */
  reply?: { readonly bytes: Uint8Array; readonly kept: Body };
  readonly snapshot: PolicySnapshot;
  readonly shadow: Shadow | undefined;
}

/** Longest spelling of a command that is kept, in characters. */
const SPELLING_MAX = 512;
const SPELLINGS_MAX = 256;
/** Of all callers together: whoever has many tokens must not fill the memory with what he asked for. */
const ENTRIES_MAX = 4096;
/** Longest reply that is kept, in bytes: decoded it takes many times that. */
export const REPLY_MAX = 2048;

/**
 * Programs ask for the same few things over and over. What was worked out for a read is used again for the same spelling by
 * the same caller, while everything that it rested on stands: the very things that make a command that waited be decided
 * again (`basis`). Token, quota and turn are looked at each time; records are written each time.
 *
 * INVARIANT: only reads that were allowed, that raise nothing, and that the device answers: of the switch itself, and of an
 * MLD (set 54h) where they came as a message, whose inner tag is the caller's own. A key holds the whole request, and no two
 * requests that differ share one.
 */
export class Repeats {
  #callers = new WeakMap<Principal, Map<SwitchRuntime, Map<string, Repeat>>>();
  #entries = 0;
  /** The policy that all of it rests on. */
  #snapshot: PolicySnapshot | undefined;

  find(services: Services, runtime: SwitchRuntime, principal: Principal, command: CommandRequest): Repeat | undefined {
    const known = this.#callers.get(principal)?.get(runtime);
    if (known === undefined) return undefined;
    const key = spelling(command);
    const entry = key === undefined ? undefined : known.get(key);
    if (entry === undefined) return undefined;
    if (stands(services, runtime, entry)) return entry;
    this.#entries -= known.size;
    known.clear();
    return undefined;
  }

  /** The entry under which it is kept from now on; undefined where it is not fit for that. */
  remember(
    services: Services,
    runtime: SwitchRuntime,
    principal: Principal,
    command: CommandRequest,
    { decoded, decision }: Pick<Repeat, 'decoded' | 'decision'>,
  ): Repeat | undefined {
    const key = isFit(decision, command) ? spelling(command) : undefined;
    if (key === undefined) return undefined;
    const { current: snapshot, shadow } = services.policy;
    const entry: Repeat = { decoded, decision, snapshot, shadow };
    if (!stands(services, runtime, entry)) return undefined;
    // A policy that is not in force any more is held by nobody, or each reload would cost its memory for good.
    if (snapshot !== this.#snapshot || this.#entries >= ENTRIES_MAX) {
      this.#callers = new WeakMap();
      this.#entries = 0;
      this.#snapshot = snapshot;
    }
    const switches = this.#callers.get(principal) ?? new Map<SwitchRuntime, Map<string, Repeat>>();
    const known = switches.get(runtime) ?? new Map<string, Repeat>();
    if (known.size >= SPELLINGS_MAX) {
      this.#entries -= known.size;
      known.clear();
    }
    if (!known.has(key)) this.#entries++;
    this.#callers.set(principal, switches.set(runtime, known.set(key, entry)));
    return entry;
  }
}

/** Does everything that the decision rested on still stand? */
export function stands(
  services: Services,
  runtime: SwitchRuntime,
  { decision, snapshot, shadow }: Pick<Repeat, 'decision' | 'snapshot' | 'shadow'>,
): boolean {
  const { basis } = decision;
  return (
    snapshot === services.policy.current &&
    basis.snapshot === snapshot.id &&
    shadow === services.policy.shadow &&
    basis.posture === runtime.posture.posture().version &&
    basis.topology === runtime.topology.version &&
    runtime.device.state === 'serving'
  );
}

function isFit(decision: Decision, asked: CommandRequest): boolean {
  const { verdict, answer, facts, taints, needsCel, command } = decision;
  return (
    verdict === 'allow' &&
    answer === 'device' &&
    !facts.mutating &&
    facts.class !== 'raw' &&
    taints.length === 0 &&
    needsCel === undefined &&
    (command.hops.length === 0 || isOfMld(decision, asked)) &&
    shadowFinding(decision) === undefined
  );
}

const MLD_COMPONENTS = 0x54;

/** Inner tags of what is spelled out in words or bytes are made here, each time anew. */
function isOfMld({ command: { hops, opcode } }: Decision, asked: CommandRequest): boolean {
  const [port, more] = hops;
  return asked.kind === 'message' && port?.kind === 'port' && more === undefined && opcode >> 8 === MLD_COMPONENTS;
}

/** Everything of a request but the tag of its message, which is only echoed. Undefined: too long to be kept. */
function spelling(command: CommandRequest): string | undefined {
  switch (command.kind) {
    case 'message': {
      const { bytes } = command;
      if (bytes.length > SPELLING_MAX) return undefined;
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
      return `m${text.slice(0, 1)}${text.slice(2)}`;
    }
    case 'named': {
      const text = jsonOf(command);
      // JSON says `null` for numbers that it has no word for as well.
      return text === undefined || text.length > SPELLING_MAX || text.includes('null') ? undefined : text;
    }
    case 'raw':
      return undefined;
  }
}

/** Undefined for what no JSON can say; such a request is decoded, and refused there. */
function jsonOf(command: CommandRequest): string | undefined {
  try {
    return JSON.stringify(command);
  } catch {
    return undefined;
  }
}

/** The decoded form of a repeated request: a message brings its own tag. */
export function decodedAgain({ decoded }: Repeat, command: CommandRequest): Decoded {
  if (command.kind !== 'message' || decoded.message === undefined) return decoded;
  return { ...decoded, message: { ...decoded.message, tag: command.bytes[1] ?? 0 } };
}
