import {
  type CodecError,
  type Dialect,
  decodePayload,
  encodePayload,
  isTyped,
  type Layout,
  type Params,
  RC,
  type Reply,
  rowBySlug,
  type TypedRow,
  type TypedSlug,
} from '../../cci/index.ts';
import type { Machine } from './machine.ts';
import type { Target } from './targets.ts';

/** What one component answers. */
export interface Answer {
  readonly returnCode: number;
  readonly vendorStatus: number;
  readonly payload: Uint8Array;
}

/** Where and under which conditions a command runs. */
export interface Context {
  readonly machine: Machine;
  readonly target: Target;
  /** Largest reply payload: what the carrier, the limits of 0004h and the tunnels around leave. */
  readonly budget: number;
  readonly dialect: Dialect;
  /** 0 for the switch, one more per tunnel. */
  readonly layer: number;
  /** Runs a command on another component: how a tunnel goes on. */
  readonly dispatch: (context: Context, opcode: number, payload: Uint8Array) => Answer;
}

/** A command of the catalogue with what it does. */
export interface Command {
  readonly row: TypedRow;
  readonly run: (context: Context, payload: Uint8Array) => Answer;
}

/** What a typed command comes to: a value, or a return code without one. */
export type Outcome<T> = { readonly returnCode: number; readonly value?: T };

const NOTHING = new Uint8Array(0);
const refusals = new Map<number, Answer & { readonly value?: undefined }>();

/** A return code and no payload. */
export function refused(returnCode: number): Answer & { readonly value?: undefined } {
  const known = refusals.get(returnCode);
  if (known !== undefined) return known;
  const answer = { returnCode, vendorStatus: 0, payload: NOTHING };
  refusals.set(returnCode, answer);
  return answer;
}

export function done<T>(value: T): Outcome<T> {
  return { returnCode: RC.success, value };
}

const FINISHED: Outcome<Record<never, never>> = { returnCode: RC.success, value: {} };

/** Success of a command whose reply has no payload. */
export function finished(): Outcome<Record<never, never>> {
  return FINISHED;
}

export function answer(payload: Uint8Array): Answer {
  return { returnCode: RC.success, vendorStatus: 0, payload };
}

/** The return code of a request that is not what its layout says. */
export function codecRefusal(error: CodecError): Answer {
  return refused(error.code === 'length' ? RC.invalidPayloadLength : RC.invalidInput);
}

export function typedRow(slug: TypedSlug): TypedRow {
  const row = rowBySlug(slug);
  if (row === undefined || !isTyped(row)) throw new Error(`no codec for ${slug}`);
  return row;
}

/** A command written against the values of its layouts; bytes are decoded before and encoded after. */
export function command<S extends TypedSlug>(
  slug: S,
  run: (context: Context, params: Params<S>) => Outcome<Reply<S>>,
): Command {
  const row = typedRow(slug);
  const request: Layout = row.request;
  const response: Layout = row.response;
  return {
    row,
    run: (context, payload) => {
      const params = decodePayload(request, payload, { side: 'request' });
      if (!params.ok) return codecRefusal(params.error);
      const outcome = run(context, params.value as Params<S>);
      if (outcome.value === undefined) return refused(outcome.returnCode);
      if (response.max === 0) return refused(outcome.returnCode);
      return {
        returnCode: outcome.returnCode,
        vendorStatus: 0,
        payload: encodeReply(response, outcome.value, slug),
      };
    },
  };
}

/** Encodes a reply. @throws Error where the emulator itself built a value that the layout cannot carry */
export function encodeReply(layout: Layout, value: unknown, what: string): Uint8Array {
  const bytes = encodePayload(layout, value as Parameters<typeof encodePayload>[1], 'reply');
  if (!bytes.ok) throw new Error(`${what}: ${bytes.error.field} ${bytes.error.message}`);
  return bytes.value;
}

/** A command that reads and writes its bytes itself: tunnels, and the few that have to be fast. */
export function bytesCommand(slug: TypedSlug, run: Command['run']): Command {
  return { row: typedRow(slug), run };
}

/** How many elements of `size` bytes fit behind a fixed part. */
export function room(context: Context, fixed: number, size: number): number {
  return Math.max(0, Math.floor((context.budget - fixed) / size));
}
