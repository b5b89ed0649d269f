import {
  CEL_UUID,
  encodeCel,
  encodePayload,
  type LayerReply,
  RC,
  type Result,
  type RoutedReply,
  type TypedRow,
} from '../../cci/index.ts';
import { FABRIC_TENANT } from '../../policy/index.ts';
import type { Decided } from './context.ts';
import { typedRow } from './decode.ts';
import { ownAnswer } from './own-state.ts';

const OPCODE_BACKGROUND_STATUS = 0x0002;
const OPCODE_GET_LIMIT = 0x0003;
const OPCODE_ABORT = 0x0005;
const OPCODE_GET_LOG = 0x0401;
const ABORT_NOT_SUPPORTED = 0x0020;

/**
 * Answers that the broker gives itself, so that one tenant does not see another's work and the device is not asked:
 * empty lists, the background slot when somebody else (or nobody) uses it, the CEL that was read already, and what each
 * tenant has of his own: event logs, clock, message limit.
 */
export function virtualReply(decided: Decided): RoutedReply | undefined {
  const { decision, principal, decoded, runtime } = decided;
  const row = typedRow(decision.command.opcode, decoded.commands);
  if (row === undefined || decision.facts.class === 'raw') return undefined;
  if (decision.answer === 'empty') return answered(decided, RC.success, emptyReply(row, decoded.asked ?? {}));
  const own = ownAnswer(decided, row);
  if (own !== undefined) return answered(decided, own.returnCode, own.payload);
  if (decision.command.opcode === OPCODE_GET_LIMIT && decision.command.hops.length === 0) return ownLimit(decided);
  if (principal.tenant === FABRIC_TENANT) return undefined;
  const onSwitch = decision.command.hops.length === 0;
  switch (decision.command.opcode) {
    case OPCODE_BACKGROUND_STATUS:
      return onSwitch ? backgroundStatus(decided, row) : undefined;
    case OPCODE_ABORT:
      return onSwitch && !ownsSlot(decided) ? answered(decided, ABORT_NOT_SUPPORTED) : undefined;
    case OPCODE_GET_LOG: {
      if (decoded.asked?.log_identifier !== CEL_UUID) return undefined;
      const cel = runtime.topology.cel(decision.command.hops) ?? new Map<number, number>();
      return answered(decided, RC.success, encodeCel([...cel].map(([opcode, effects]) => ({ opcode, effects }))));
    }
    default:
      return undefined;
  }
}

/** The limit that the caller set for himself; until he does, that of the device. */
function ownLimit(decided: Decided): RoutedReply | undefined {
  const limit = decided.runtime.events.limit(decided.principal.tenant);
  return limit === undefined ? undefined : answered(decided, RC.success, Uint8Array.of(limit));
}

function ownsSlot({ runtime, principal }: Decided): boolean {
  return runtime.operations.running?.tenant === principal.tenant;
}

/** The slot of another is idle to this caller; his own last result stays readable as it would on a switch of his own. */
function backgroundStatus(decided: Decided, row: TypedRow): RoutedReply | undefined {
  if (ownsSlot(decided)) return undefined;
  const last = decided.runtime.operations.lastEnded(decided.principal.tenant);
  const payload = encodePayload(
    row.response,
    {
      status: { background_operation_in_progress: false, percentage_complete: last === undefined ? 0 : 100 },
      command_opcode: last?.opcode ?? 0,
      return_code: last?.returnCode ?? 0,
      vendor_specific_extended_status: 0,
    } as never,
    'reply',
  );
  return answered(decided, RC.success, valueOr(payload));
}

/** Success and a list of nothing, in the layout of the command. */
function emptyReply(row: TypedRow, asked: { readonly [name: string]: unknown }): Uint8Array {
  const value: { [name: string]: unknown } = {};
  for (const field of row.response.fields) {
    if (!('name' in field) || field.kind === 'count') continue;
    if (field.kind === 'list' || field.kind === 'bitmap') value[field.name] = [];
    else if (field.kind === 'uint') value[field.name] = echo(field.name, asked, field.width === 8 ? 0n : 0);
    else if (field.kind === 'bits') {
      value[field.name] = Object.fromEntries(
        Object.entries(field.bits).map(([name, range]) => [name, range[0] === range[1] ? false : 0]),
      );
    } else return new Uint8Array(row.response.min);
  }
  return valueOr(encodePayload(row.response, value as never, 'reply'));
}

/** Where a range began is part of the question, so the answer repeats it. */
function echo(name: string, asked: { readonly [name: string]: unknown }, zero: number | bigint): unknown {
  return name.startsWith('start') && typeof asked[name] === typeof zero ? asked[name] : zero;
}

function valueOr(payload: Result<Uint8Array, unknown>): Uint8Array {
  return payload.ok ? payload.value : new Uint8Array(0);
}

function answered({ decision }: Decided, returnCode: number, payload: Uint8Array = new Uint8Array(0)): RoutedReply {
  const passed: LayerReply = { returnCode: RC.success, vendorStatus: 0, background: false };
  return { layers: [...decision.command.hops.map(() => passed), { ...passed, returnCode }], payload };
}
