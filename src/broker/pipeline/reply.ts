import {
  decodePayload,
  encodeMessage,
  encodeRoutedReply,
  err,
  isSuccess,
  type Json,
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
import type { Decided, Request, Services, SwitchRuntime } from './context.ts';
import { typedRow } from './decode.ts';
import { withinLimit } from './message-limit.ts';
import { REPLY_MAX, type Repeat } from './repeats.ts';

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
  const before = carries ? keptBefore(services, decided, decision, routed.payload) : undefined;
  const filtered =
    before !== undefined
      ? ok(before)
      : carries
        ? body(await viewOf(services, decided, decision), decided, decision, routed.payload)
        : ok<Body>({ payload: new Uint8Array(0) });
  if (!filtered.ok) return filtered;
  if (carries && before === undefined) keep(services, decided, decision, routed.payload, filtered.value);
  const row = typedRow(decision.command.opcode, decided.decoded.commands);
  const fitting = carries ? withinLimit(row, { ...decided, decision }, filtered.value) : filtered.value;
  if (fitting === undefined) return replyTo(services, request, decided, decision, tooLong(routed));
  const { payload, value } = fitting;
  const seen: RoutedReply = { layers: routed.layers.map(withoutOthersWork(decided)), payload };
  const answer: CommandAnswer = {
    requestId: request.id,
    class: decision.facts.class,
    returnCode: last.returnCode,
    returnCodeName: returnCodeName(last.returnCode),
    vendorStatus: last.vendorStatus,
    ...(decision.command.hops.length === 0 ? {} : { layers: routed.layers.map((layer) => layer.returnCode) }),
    ...(last.returnCode === RC.backgroundStarted ? { background: { operation: request.id } } : {}),
    // Who sent bytes reads bytes.
    ...(value === undefined || decided.decoded.message !== undefined ? {} : { result: jsonOf(fitting, value) }),
    payload,
  };
  return ok(
    decided.decoded.message === undefined ? answer : { ...answer, message: messageOf(decided, decision, seen) },
  );
}

/** What a device answers that was asked for more than may be sent. */
function tooLong({ layers }: RoutedReply): RoutedReply {
  const refused = layers.map((layer, i) =>
    i === layers.length - 1 ? { ...layer, returnCode: RC.invalidInput } : layer,
  );
  return { layers: refused, payload: new Uint8Array(0) };
}

export interface Body {
  readonly payload: Uint8Array;
  /** Absent for raw and error replies. */
  readonly value?: Value;
  /** Of `value`, once it was asked for: the reply of a repeated read is the same each time. */
  json?: Json;
}

function jsonOf(body: Body, value: Value): Json {
  body.json ??= toJson(value);
  return body.json;
}

/** BO says that somebody's operation runs: it is shown for the caller's own only. */
function withoutOthersWork({ runtime, principal }: Decided) {
  const own = runtime.operations.running?.tenant === principal.tenant;
  return <L extends { readonly background: boolean; readonly returnCode: number }>(layer: L): L => ({
    ...layer,
    // The layer that says it started work speaks of this caller's, also where that work has ended by now.
    background: layer.background && (own || layer.returnCode === RC.backgroundStarted),
  });
}

function body(view: View, decided: Decided, decision: Decision, bytes: Uint8Array): Result<Body, Unbelievable> {
  const row = typedRow(decision.command.opcode, decided.decoded.commands);
  if (row === undefined || decision.facts.class === 'raw') return ok({ payload: bytes });
  if (decision.answer === 'empty') return emptyBody(row, bytes);
  const sent = decodePayload(row.request, decision.command.payload, { side: 'request' });
  if (!sent.ok) return err({ text: 'the command sent does not decode' });
  const value = decodePayload(row.response, bytes, { side: 'reply', request: sent.value as Value });
  if (!value.ok) return err({ text: `${row.slug}: ${value.error.field} ${value.error.message}` });
  const filtered = filterReply(row, value.value as Value, decided.decoded.asked ?? {}, view, decided.runtime.topology);
  return filtered.ok ? filtered : err({ text: `${row.slug}: ${filtered.error.field} ${filtered.error.message}` });
}

/**
 * What was left of the same bytes the last time, for a read that is repeated. What a filter looks at beside the bytes is what
 * the decision rested on, so it must still stand.
 */
function keptBefore(
  { policy }: Services,
  { repeat, runtime }: Decided,
  decision: Decision,
  bytes: Uint8Array,
): Body | undefined {
  if (repeat?.reply === undefined || !isFilteredAlike(policy, repeat, runtime, decision)) return undefined;
  return Buffer.compare(repeat.reply.bytes, bytes) === 0 ? repeat.reply.kept : undefined;
}

function keep(
  { policy }: Services,
  { repeat, runtime }: Decided,
  decision: Decision,
  bytes: Uint8Array,
  kept: Body,
): void {
  if (repeat === undefined || bytes.length > REPLY_MAX) return;
  if (!isFilteredAlike(policy, repeat, runtime, decision)) return;
  repeat.reply = { bytes: bytes.slice(), kept };
}

function isFilteredAlike(
  policy: Services['policy'],
  repeat: Repeat,
  runtime: SwitchRuntime,
  decision: Decision,
): boolean {
  return (
    repeat.decision === decision &&
    repeat.snapshot === policy.current &&
    // What a filter looks at behind a port is not all in the version of the topology.
    decision.command.hops.length === 0 &&
    !TELLS_COMMANDS.has(decision.command.opcode) &&
    decision.basis.topology === runtime.topology.version &&
    decision.basis.posture === runtime.posture.posture().version
  );
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
  const isHidden = runtime.posture.posture().lockdown.effective === 'confidentiality';
  return {
    ...(isHidden ? { pseudonyms: runtime.pseudonyms } : {}),
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
