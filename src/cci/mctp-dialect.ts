import { copyOf, readUint, writeUint } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import type { Dialect } from './dialect.ts';
import { type CciMessage, decodeRequestMessage, decodeResponseMessage, encodeMessage } from './header.ts';
import { err, ok, type Result } from './result.ts';
import { isSuccess } from './return-codes.ts';
import {
  decodeRoute,
  decodeRoutedReply,
  encodeRoute,
  encodeRoutedReply,
  type LayerReply,
  maxRoutedPayload,
  type RoutedCommand,
  type RoutedReply,
} from './tunnel.ts';

/**
 * Messages of a peer that speaks another dialect, turned into the specification's form and back: header, every layer of
 * a tunnel, and the few payloads that differ. What is inside the broker is always the specification's form.
 */

/** Payloads of one command that differ. Absent: they agree. */
interface PayloadRow {
  readonly opcode: number;
  /** Request of a client, in the specification's form; undefined where it has none. */
  readonly requestIn?: (payload: Uint8Array) => Uint8Array | undefined;
  /** Request to a device, in the device's form. */
  readonly requestOut?: (payload: Uint8Array) => Uint8Array | undefined;
  /** Reply of a device, in the specification's form. */
  readonly replyIn?: (payload: Uint8Array, command: RoutedCommand) => Uint8Array;
  /** Reply to a client, in the client's form. */
  readonly replyOut?: (payload: Uint8Array, asked: Uint8Array) => Uint8Array;
}

const IDENTIFY_SIZE = 18;
const COMPONENT_SWITCH = 0x00;
const COMPONENT_TYPE_3 = 0x03;
/** Largest exponent of a message limit: that of the 2.0 era and its errata, and that of r3.1 (D15). */
const OLD_LIMIT_MAX = 20;
const LIMIT_MAX = 10;
const AER_ERROR = 4;
const AER_SIZE = 40;

const jackrabbitRows: readonly PayloadRow[] = [
  {
    // D09: Identify without the component type. Which it is follows from where it was asked.
    opcode: 0x0001,
    replyIn: (payload, { hops }) =>
      payload.length === IDENTIFY_SIZE - 1
        ? Uint8Array.of(...payload, hops.length === 0 ? COMPONENT_SWITCH : COMPONENT_TYPE_3)
        : payload,
    replyOut: (payload) => payload.subarray(0, IDENTIFY_SIZE - 1),
  },
  {
    // D15: limits up to 2^20 are asked for; no message of ours is larger than 2^10. The client hears what it asked for.
    opcode: 0x0004,
    requestIn: (payload) => {
      const [limit = 0] = payload;
      return payload.length === 1 && limit > LIMIT_MAX && limit <= OLD_LIMIT_MAX ? Uint8Array.of(LIMIT_MAX) : payload;
    },
    replyOut: (payload, asked) => (payload.length === asked.length ? asked : payload),
  },
  {
    // D13: a register value instead of a bit position.
    opcode: 0x5203,
    requestIn: (payload) => aerWith(payload, aerFromRegister),
    requestOut: (payload) => aerWith(payload, aerToRegister),
  },
];

const rows: { readonly [D in Dialect]: ReadonlyMap<number, PayloadRow> } = {
  spec: new Map(),
  jackrabbit: new Map(jackrabbitRows.map((row) => [row.opcode, row])),
};

const UNCORRECTABLE = 0x8000_0000;
/** Bit 31 of the correctable status register is reserved: setting it sets nothing. */
const NO_ERROR = 31;

/**
 * One bit of a register is named by its position, with the severity of an error that was not corrected: the register
 * does not tell. A register of several bits has no equal. INVARIANT: `aerToRegister` gives the same value back, so that a
 * device of the client's own dialect is sent what the client said.
 */
function aerFromRegister(value: number): number | undefined {
  if (value === 0) return NO_ERROR;
  const position = 31 - Math.clz32(value);
  return value === 2 ** position ? UNCORRECTABLE + position : undefined;
}

function aerToRegister(value: number): number {
  return value === NO_ERROR ? 0 : 2 ** (value & 31);
}

function aerWith(payload: Uint8Array, change: (error: number) => number | undefined): Uint8Array | undefined {
  if (payload.length !== AER_SIZE) return payload;
  const error = change(readUint(payload, AER_ERROR, 4));
  if (error === undefined) return undefined;
  const copy = copyOf(payload);
  writeUint(copy, AER_ERROR, 4, error);
  return copy;
}

/** A request of a client in the specification's form, and the way back for the reply to it. */
export interface ClientRequest {
  /** Whole CCI message: header and payload. */
  readonly message: Uint8Array;
  /**
   * The reply in the client's form.
   *
   * @throws Error for bytes that are no reply to this request: they came from this side, so that is a defect
   */
  readonly reply: (message: Uint8Array) => Uint8Array;
}

/** Takes a client's request over. For `spec` nothing is looked at: whoever decides decodes it. */
export function fromClient(bytes: Uint8Array, dialect: Dialect): Result<ClientRequest, CodecError> {
  if (dialect === 'spec') return ok({ message: bytes, reply: (message) => message });
  const request = decodeRequestMessage(bytes, dialect);
  if (!request.ok) return request;
  const route = decodeRoute(request.value.opcode, request.value.payload, dialect);
  if (!route.ok) return route;
  const row = rows[dialect].get(route.value.opcode);
  const asked = route.value.payload;
  const payload = row?.requestIn === undefined ? asked : row.requestIn(asked);
  if (payload === undefined) return err(codecError('value', 'payload', 'has no equal in the specification'));
  const command: RoutedCommand = { ...route.value, payload };
  return ok({
    message: encodeMessage({ ...request.value, ...encodeRoute(command) }),
    reply: (message) => replyToClient(command, asked, message, dialect, row),
  });
}

function replyToClient(
  command: RoutedCommand,
  asked: Uint8Array,
  message: Uint8Array,
  dialect: Dialect,
  row: PayloadRow | undefined,
): Uint8Array {
  const reply = decodeResponseMessage(message);
  if (!reply.ok) throw new Error(`the reply cannot be read: ${reply.error.message}`);
  // A refusal carries nothing, whatever the path.
  const isEmpty = reply.value.payload.length === 0;
  const routed = isEmpty ? ok(bare(reply.value)) : decodeRoutedReply(command, reply.value);
  if (!routed.ok) throw new Error(`the reply cannot be read: ${routed.error.message}`);
  const changed = withPayload(routed.value, command, (payload) => row?.replyOut?.(payload, asked) ?? payload);
  return encodeMessage({ ...reply.value, payload: encodeRoutedReply(command, changed, dialect) }, dialect);
}

function bare({ returnCode, vendorStatus, background, payload }: CciMessage): RoutedReply {
  return { layers: [{ returnCode, vendorStatus, background }], payload };
}

/** Changes the payload of a command that was carried out at the end of its path. */
function withPayload(
  reply: RoutedReply,
  command: RoutedCommand,
  change: (payload: Uint8Array) => Uint8Array,
): RoutedReply {
  const isWhole = reply.layers.length === command.hops.length + 1;
  const isDone = reply.layers.every(({ returnCode }) => isSuccess(returnCode));
  return isWhole && isDone ? { ...reply, payload: change(reply.payload) } : reply;
}

/** A command in the form of a device, and the way back for the device's reply. */
export interface DeviceRequest {
  readonly opcode: number;
  readonly payload: Uint8Array;
  /** The command that the device executes at the end of the path. */
  readonly command: RoutedCommand;
  /**
   * Payload of the reply in the specification's form. What cannot be read comes back empty where a tunnel has to have
   * an answer inside, so that nobody takes it for one.
   */
  readonly reply: (outer: LayerReply & { readonly payload: Uint8Array }) => Uint8Array;
}

/** A command on its way to a device. @returns an error for a tunnel that does not decode, or is too long in that dialect */
export function toDevice(opcode: number, payload: Uint8Array, dialect: Dialect): Result<DeviceRequest, CodecError> {
  const route = decodeRoute(opcode, payload);
  if (!route.ok) return route;
  const command = route.value;
  if (dialect === 'spec') return ok({ opcode, payload, command, reply: (outer) => outer.payload });
  const row = rows[dialect].get(command.opcode);
  const changed = { ...command, payload: row?.requestOut?.(command.payload) ?? command.payload };
  const most = maxRoutedPayload(command.hops.length, dialect);
  if (changed.payload.length > most) {
    return err(codecError('length', 'payload', `has at most ${most} bytes there`));
  }
  return ok({
    ...encodeRoute(changed, dialect),
    command,
    reply: (outer) => {
      const routed = decodeRoutedReply(command, outer, dialect);
      if (!routed.ok) return new Uint8Array(0);
      return encodeRoutedReply(
        command,
        withPayload(routed.value, command, (bytes) => row?.replyIn?.(bytes, command) ?? bytes),
      );
    },
  });
}
