import {
  decodePayload,
  encodeMessage,
  encodeRoutedReply,
  err,
  isSuccess,
  ok,
  RC,
  type Result,
  type RoutedReply,
  returnCodeName,
  type TypedRow,
  toJson,
  type Value,
} from '../../cci/index.ts';
import { type Decision, FABRIC_TENANT } from '../../policy/index.ts';
import type { CommandAnswer } from '../core-api.ts';
import { filterReply, type View } from '../filter/index.ts';
import type { Decided, Request, Services } from './context.ts';
import { typedRow } from './decode.ts';

/** A reply that does not fit its command's layout: the device is not to be believed. Taint M. */
export interface Unbelievable {
  readonly text: string;
}

/**
 * Stages 10, 11 and 13: the innermost payload is decoded by its layout, cut down to what the caller may see, and
 * encoded again. Error replies carry no payload on; raw replies are bytes as they are (only who owns the whole target
 * gets this far).
 */
export async function replyTo(
  services: Services,
  request: Request,
  decided: Decided,
  decision: Decision,
  routed: RoutedReply,
): Promise<Result<CommandAnswer, Unbelievable>> {
  const last = routed.layers.at(-1);
  if (last === undefined) return err({ text: 'no layer answered' });
  const complete = routed.layers.length === decision.command.hops.length + 1;
  const carries = complete && isSuccess(last.returnCode);
  const filtered = carries
    ? body(await viewOf(services, decided, decision), decided, decision, routed.payload)
    : ok<Body>({ payload: new Uint8Array(0) });
  if (!filtered.ok) return filtered;
  const { payload, value } = filtered.value;
  const seen: RoutedReply = { layers: routed.layers.map(withoutOthersWork(decided)), payload };
  const answer: CommandAnswer = {
    requestId: request.id,
    class: decision.facts.class,
    returnCode: last.returnCode,
    returnCodeName: returnCodeName(last.returnCode),
    vendorStatus: last.vendorStatus,
    ...(decision.command.hops.length === 0 ? {} : { layers: routed.layers.map((layer) => layer.returnCode) }),
    ...(last.returnCode === RC.backgroundStarted ? { background: { operation: request.id } } : {}),
    ...(value === undefined ? {} : { result: toJson(value) }),
    payload,
  };
  return ok(
    decided.decoded.message === undefined ? answer : { ...answer, message: messageOf(decided, decision, seen) },
  );
}

interface Body {
  readonly payload: Uint8Array;
  /** Absent for raw and error replies. */
  readonly value?: Value;
}

/** BO says that somebody's operation runs: it is shown for the caller's own only. */
function withoutOthersWork({ runtime, principal }: Decided) {
  const own = runtime.operations.running?.tenant === principal.tenant;
  return <L extends { readonly background: boolean }>(layer: L): L => ({
    ...layer,
    background: layer.background && own,
  });
}

function body(view: View, decided: Decided, decision: Decision, bytes: Uint8Array): Result<Body, Unbelievable> {
  const row = typedRow(decision.command.opcode);
  if (row === undefined || decision.facts.class === 'raw') return ok({ payload: bytes });
  if (decision.answer === 'empty') return emptyBody(row, bytes);
  const sent = decodePayload(row.request, decision.command.payload, { side: 'request' });
  if (!sent.ok) return err({ text: 'the command sent does not decode' });
  const value = decodePayload(row.response, bytes, { side: 'reply', request: sent.value as Value });
  if (!value.ok) return err({ text: `${row.slug}: ${value.error.field} ${value.error.message}` });
  const filtered = filterReply(row, value.value as Value, decided.decoded.asked ?? {}, view, decided.runtime.topology);
  return filtered.ok ? filtered : err({ text: `${row.slug}: ${filtered.error.field} ${filtered.error.message}` });
}

/** The broker's own empty list: nothing of it came from a device, so there is nothing to filter or to doubt. */
function emptyBody(row: TypedRow, bytes: Uint8Array): Result<Body, Unbelievable> {
  const value = decodePayload(row.response, bytes, { side: 'reply' });
  return ok(value.ok ? { payload: bytes, value: value.value as Value } : { payload: bytes });
}

/** Commands whose replies tell what the caller may run: only for them that is worked out. */
const TELLS_COMMANDS: ReadonlySet<number> = new Set([0x0400, 0x0401]);

async function viewOf(services: Services, { principal, runtime }: Decided, decision: Decision): Promise<View> {
  const tells = principal.tenant !== FABRIC_TENANT && TELLS_COMMANDS.has(decision.command.opcode);
  const runnable = tells ? await services.policy.runnable(principal) : undefined;
  return {
    tenant: principal.tenant,
    switch: runtime.name,
    fabric: services.policy.current.fabric,
    hops: decision.command.hops,
    mayRun: (opcode) => runnable?.has(opcode) === true,
  };
}

function messageOf({ decoded }: Decided, decision: Decision, reply: RoutedReply): Uint8Array {
  const [outer] = reply.layers;
  return encodeMessage({
    category: 'response',
    tag: decoded.message?.tag ?? 0,
    opcode: decoded.message?.outerOpcode ?? decision.command.opcode,
    background: outer?.background ?? false,
    returnCode: outer?.returnCode ?? RC.internalError,
    vendorStatus: outer?.vendorStatus ?? 0,
    payload: encodeRoutedReply(decision.command, reply),
  });
}
