import {
  builtinCommands,
  type CodecError,
  type CommandTable,
  decodeRoute,
  encodePayload,
  encodeRoute,
  err,
  fromJson,
  type Hop,
  hex16,
  isTyped,
  maxRoutedPayload,
  ok,
  parseVia,
  type Result,
  type RoutedCommand,
} from '../../cci/index.ts';
import type { Submission } from '../types.ts';

/** A command as a test suite or a question names it: by slug with parameters, or raw. */
export type AskedCommand = (
  | {
      /** Slug of the catalogue. */
      readonly command: string;
      /** As the HTTP API takes them; none is `{}`. */
      readonly params?: unknown;
    }
  | { readonly raw: { readonly opcode: number; readonly payload: Uint8Array } }
) & {
  /** `port:3`, `port:3/ld:1`, `port:3/ldpool`. */
  readonly via?: string;
};

/** Why a question is no command. */
export interface AskedProblem {
  readonly field: 'command' | 'params' | 'raw' | 'via';
  /** One sentence, lower case. */
  readonly message: string;
}

/**
 * The submission that the broker would make of a command: through the same bytes, so that nothing can be asked here that
 * could not be sent. Tags of tunnel layers, which nothing is decided by, are 1, 2.
 */
export function askedSubmission(
  switchName: string,
  asked: AskedCommand,
  commands: CommandTable = builtinCommands,
): Result<Submission, AskedProblem> {
  const hops = asked.via === undefined || asked.via === '' ? [] : parseVia(asked.via);
  if (hops === undefined) {
    return problem('via', 'a tunnel path is `port:N`, `port:N/ld:N` or `port:N/ldpool`, ids 0 to 255 in decimal');
  }
  if ('raw' in asked) {
    const { opcode, payload } = asked.raw;
    if (!Number.isInteger(opcode) || opcode < 0 || opcode > 0xffff) return problem('raw', 'an opcode has 16 bits');
    return submissionOf(switchName, 'raw', hops, opcode, payload);
  }
  const row = commands.rowBySlug(asked.command);
  if (row === undefined) return problem('command', 'there is no command of that name');
  if (!isTyped(row)) {
    return problem(
      'command',
      `\`${row.slug}\` has no verified layout: it can only be sent raw, as ${hex16(row.opcode)}`,
    );
  }
  const params = fromJson(row.request, asked.params ?? {});
  if (!params.ok) return problem('params', fieldMessage(params.error));
  const payload = encodePayload(row.request, params.value as never);
  if (!payload.ok) return problem('params', fieldMessage(payload.error));
  return submissionOf(switchName, 'typed', hops, row.opcode, payload.value);
}

function submissionOf(
  switchName: string,
  submittedAs: Submission['submittedAs'],
  hops: readonly Hop[],
  opcode: number,
  payload: Uint8Array,
): Result<Submission, AskedProblem> {
  const most = maxRoutedPayload(hops.length);
  const where = submittedAs === 'raw' ? 'raw' : 'params';
  if (payload.length > most) return problem(where, `a payload has at most ${most} bytes there`);
  const command: RoutedCommand = { hops, tags: hops.map((_, layer) => layer + 1), opcode, payload };
  const outer = encodeRoute(command);
  const routed = decodeRoute(outer.opcode, outer.payload);
  if (!routed.ok) return problem(where, `malformed: ${fieldMessage(routed.error)}`);
  return ok({ switch: switchName, submittedAs, command: routed.value });
}

function fieldMessage({ field, message }: CodecError): string {
  return field === '' ? message : `\`${field}\` ${message}`;
}

function problem(field: AskedProblem['field'], message: string): Result<never, AskedProblem> {
  return err({ field, message });
}
