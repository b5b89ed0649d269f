import { encodePayload, joinBytes, RC, type TypedRow } from '../../cci/index.ts';
import type { Decided } from './context.ts';
import { budgetOf } from './message-limit.ts';

/** What a tenant's own part of the switch answers: event logs, clock, message limit. */
export interface OwnAnswer {
  readonly returnCode: number;
  readonly payload: Uint8Array;
}

type Answer = (decided: Decided, row: TypedRow) => OwnAnswer;

/** One row per command that is `virtual` in the catalogue. Nothing here reaches the device. */
const answers: ReadonlyMap<number, Answer> = new Map<number, Answer>([
  [
    0x0004,
    ({ runtime, principal, decoded }, row) => {
      const wanted = Number(decoded.asked?.response_message_limit);
      runtime.events.setLimit(principal.tenant, wanted);
      return done(row, { response_message_limit: wanted });
    },
  ],
  [
    0x0100,
    (decided) => {
      const { runtime, principal, decoded } = decided;
      return runtime.events.read(
        principal.tenant,
        decoded.asked?.event_log,
        budgetOf(decided) ?? runtime.device.maxPayload,
      );
    },
  ],
  [
    0x0101,
    ({ runtime, principal, decoded }) => {
      const { event_log: log, clear_event_flags: all, event_record_handles: handles } = decoded.asked ?? {};
      const named = Array.isArray(handles) ? handles.map(Number) : [];
      return runtime.events.clear(principal.tenant, log, all === true, named);
    },
  ],
  [0x0300, ({ runtime, principal }, row) => done(row, { timestamp: runtime.events.clock(principal.tenant) })],
  [
    0x0301,
    ({ runtime, principal, decoded }) => {
      const { timestamp } = decoded.asked ?? {};
      if (typeof timestamp !== 'bigint') return { returnCode: RC.invalidInput, payload: joinBytes([]) };
      runtime.events.setClock(principal.tenant, timestamp);
      return { returnCode: RC.success, payload: joinBytes([]) };
    },
  ],
]);

/**
 * Answers a command that is each tenant's own on the switch; undefined where it is not.
 *
 * INVARIANT: a `virtual` row without an answer here is answered unsupported, never sent.
 */
export function ownAnswer(decided: Decided, row: TypedRow): OwnAnswer | undefined {
  if (row.virtual === undefined || decided.decision.command.hops.length > 0) return undefined;
  return answers.get(row.opcode)?.(decided, row) ?? { returnCode: RC.unsupported, payload: joinBytes([]) };
}

function done(row: TypedRow, value: object): OwnAnswer {
  const payload = encodePayload(row.response, value as never, 'reply');
  return payload.ok
    ? { returnCode: RC.success, payload: payload.value }
    : { returnCode: RC.internalError, payload: joinBytes([]) };
}
