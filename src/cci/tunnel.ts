import { readUint, writeUint } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import type { Dialect } from './dialect.ts';
import {
  type CciMessage,
  decodeRequestMessage,
  decodeResponseMessage,
  encodeMessage,
  HEADER_SIZE,
  MAX_MESSAGE_PAYLOAD,
} from './header.ts';
import { type LdId, ldId, type PortId, portId } from './ids.ts';
import { err, ok, type Result } from './result.ts';
import { isSuccess } from './return-codes.ts';

/** Tunnel Management Command. */
export const TUNNEL_OPCODE = 0x5300;
/** The broker decodes two levels: switch to port, port to LD or LD pool (R12). */
export const MAX_HOPS = 2;
/** Bytes in front of an inner message: id, target type, size; in a reply size and 2 reserved. */
const TUNNEL_HEADER = 4;
/** The size field of a layer has 16 bits. */
const MAX_LAYER_SIZE = 0xffff;
/** MCTP message type that the jackrabbit dialect puts in front of the inner header (D03). */
const INNER_TYPE_BYTE = 0x08;

/** One step of a tunnel path. The first is always a port of the switch; the second an LD or the LD pool behind it. */
export type Hop =
  | { readonly kind: 'port'; readonly port: PortId }
  | { readonly kind: 'ld'; readonly ld: LdId }
  | { readonly kind: 'ldpool' };

/** A command with the path on which it travels: `[port 3, ld 1]`, opcode and payload of the innermost layer. */
export interface RoutedCommand {
  readonly hops: readonly Hop[];
  /** Tag of each inner message, one per hop. */
  readonly tags: readonly number[];
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** A codec error with the layer it was found in: 0 is the message the switch executes. */
export interface TunnelError extends CodecError {
  readonly layer: number;
}

function tunnelError(layer: number, error: CodecError): TunnelError {
  return { ...error, layer };
}

/**
 * Follows 5300h to the bottom. At every layer: sizes agree exactly, category is request, reserved fields are 0, the
 * target type is known for that layer, no opcode is 0000h, at most two levels (R2, R12, R13, D03, D04, D24).
 */
export function decodeRoute(
  outerOpcode: number,
  outerPayload: Uint8Array,
  dialect: Dialect = 'spec',
): Result<RoutedCommand, TunnelError> {
  const hops: Hop[] = [];
  const tags: number[] = [];
  let opcode = outerOpcode;
  let payload = outerPayload;
  for (;;) {
    const layer = hops.length;
    if (opcode === 0) return err(tunnelError(layer, codecError('value', 'opcode', '0000h is never sent')));
    if (opcode !== TUNNEL_OPCODE) return ok({ hops, tags, opcode, payload });
    if (layer === MAX_HOPS) {
      return err(tunnelError(layer, codecError('value', 'opcode', `tunnels nest deeper than ${MAX_HOPS}`)));
    }
    const inner = openLayer(layer, payload, dialect);
    if (!inner.ok) return err(tunnelError(layer, inner.error));
    hops.push(inner.value.hop);
    tags.push(inner.value.message.tag);
    ({ opcode, payload } = inner.value.message);
  }
}

function openLayer(
  layer: number,
  payload: Uint8Array,
  dialect: Dialect,
): Result<{ readonly hop: Hop; readonly message: CciMessage }, CodecError> {
  if (payload.length < TUNNEL_HEADER) {
    return err(codecError('length', '', `a tunnel has a header of 4 bytes, here are ${payload.length}`));
  }
  const hop = decodeHop(layer, readUint(payload, 0, 1), readUint(payload, 1, 1));
  if (!hop.ok) return hop;
  const size = readUint(payload, 2, 2);
  if (size !== payload.length - TUNNEL_HEADER) {
    return err(codecError('length', 'command_size', `says ${size}, ${payload.length - TUNNEL_HEADER} bytes follow`));
  }
  const body = innerBody(payload.subarray(TUNNEL_HEADER), dialect);
  if (!body.ok) return body;
  const message = decodeRequestMessage(body.value, dialect);
  return message.ok ? ok({ hop: hop.value, message: message.value }) : message;
}

function innerBody(bytes: Uint8Array, dialect: Dialect): Result<Uint8Array, CodecError> {
  if (dialect === 'spec') return ok(bytes);
  return bytes[0] === INNER_TYPE_BYTE
    ? ok(bytes.subarray(1))
    : err(codecError('value', 'message_type', 'the inner message does not begin with type 08h'));
}

function decodeHop(layer: number, id: number, type: number): Result<Hop, CodecError> {
  if ((type & 0xf0) !== 0) return err(codecError('reserved', 'target_type', 'bits 7:4 are set'));
  if (layer === 0) {
    return type === 0
      ? ok({ kind: 'port', port: portId(id) })
      : err(codecError('value', 'target_type', `${type} is not a target that a switch has`));
  }
  if (type === 0) return ok({ kind: 'ld', ld: ldId(id) });
  if (type === 1) return ok({ kind: 'ldpool' });
  return err(codecError('value', 'target_type', `${type} is reserved`));
}

/**
 * The one byte form of a routed command, as opcode and payload for the switch. What was decided on is what is sent:
 * nothing of the bytes that came in survives but the decoded fields.
 *
 * @throws RangeError for a path that no command can have (`hopsProblem`), or a message over the 65535 bytes that a
 *   layer's size field holds (ask `maxRoutedPayload` first): narrowed silently, LD 256 would become LD 0
 */
export function encodeRoute(
  command: RoutedCommand,
  dialect: Dialect = 'spec',
): { readonly opcode: number; readonly payload: Uint8Array } {
  const problem = hopsProblem(command.hops);
  if (problem !== undefined) throw new RangeError(problem);
  let { opcode, payload } = command;
  for (const [layer, hop] of [...command.hops.entries()].reverse()) {
    const message = encodeMessage({ ...request(opcode, payload), tag: tagOf(command, layer) }, dialect);
    payload = wrap(message, dialect);
    payload[0] = hop.kind === 'port' ? hop.port : hop.kind === 'ld' ? hop.ld : 0;
    payload[1] = hop.kind === 'ldpool' ? 1 : 0;
    writeUint(payload, 2, 2, payload.length - TUNNEL_HEADER);
    opcode = TUNNEL_OPCODE;
  }
  return { opcode, payload };
}

/** Why hops are not a path: a port first, then at most an LD (0 to 255) or the LD pool. Undefined where they are one. */
export function hopsProblem(hops: readonly Hop[]): string | undefined {
  if (hops.length > MAX_HOPS) return `a path of ${hops.length} hops, at most ${MAX_HOPS} are known`;
  for (const [layer, hop] of hops.entries()) {
    if ((hop.kind === 'port') !== (layer === 0)) return `${hop.kind} is not a target of layer ${layer}`;
    const id = hop.kind === 'port' ? hop.port : hop.kind === 'ld' ? hop.ld : 0;
    if (!Number.isInteger(id) || id < 0 || id > 0xff) return `${hop.kind} ${id} is not 0 to 255`;
  }
  return undefined;
}

/** Most payload bytes of the innermost command on a path of so many hops: each layer's size field has 16 bits. */
export function maxRoutedPayload(hops: number, dialect: Dialect = 'spec'): number {
  if (hops === 0) return MAX_MESSAGE_PAYLOAD;
  const layer = TUNNEL_HEADER + HEADER_SIZE + typeByteSize(dialect);
  return MAX_LAYER_SIZE - hops * layer + TUNNEL_HEADER;
}

// A route made from parameters has no tags of its own.
function tagOf(command: RoutedCommand, layer: number): number {
  return command.tags[layer] ?? 0;
}

function typeByteSize(dialect: Dialect): number {
  return dialect === 'spec' ? 0 : 1;
}

function request(opcode: number, payload: Uint8Array): Omit<CciMessage, 'tag'> {
  return { category: 'request', opcode, background: false, returnCode: 0, vendorStatus: 0, payload };
}

/** The message with 4 zero bytes in front for the tunnel's header, and with the dialect's type byte. */
function wrap(message: Uint8Array, dialect: Dialect): Uint8Array {
  const start = TUNNEL_HEADER + typeByteSize(dialect);
  const size = start - TUNNEL_HEADER + message.length;
  if (size > MAX_LAYER_SIZE) throw new RangeError(`a tunnel layer carries ${MAX_LAYER_SIZE} bytes, not ${size}`);
  const bytes = new Uint8Array(start + message.length);
  bytes.fill(INNER_TYPE_BYTE, TUNNEL_HEADER, start);
  bytes.set(message, start);
  return bytes;
}

/** What one layer answered. */
export interface LayerReply {
  readonly returnCode: number;
  readonly vendorStatus: number;
  readonly background: boolean;
}

/** A reply taken apart: one entry per layer that answered, outermost first, and the payload of the last of them. */
export interface RoutedReply {
  readonly layers: readonly LayerReply[];
  readonly payload: Uint8Array;
}

/**
 * Takes the reply to `command` apart and holds every layer against its request: sizes, category, reserved bytes, tag
 * and opcode. A layer that refused carries no inner message, so `layers` can be shorter than the path.
 */
export function decodeRoutedReply(
  command: RoutedCommand,
  outer: LayerReply & { readonly payload: Uint8Array },
  dialect: Dialect = 'spec',
): Result<RoutedReply, TunnelError> {
  let here = layerOf(outer);
  const layers: LayerReply[] = [here];
  let { payload } = outer;
  for (let layer = 0; layer < command.hops.length; layer++) {
    if (!isSuccess(here.returnCode)) {
      return payload.length === 0
        ? ok({ layers, payload })
        : err(tunnelError(layer, codecError('length', '', 'a refused tunnel carries an inner message')));
    }
    const expected = layer === command.hops.length - 1 ? command.opcode : TUNNEL_OPCODE;
    const inner = openReply(payload, tagOf(command, layer), expected, dialect);
    if (!inner.ok) return err(tunnelError(layer, inner.error));
    here = layerOf(inner.value);
    layers.push(here);
    ({ payload } = inner.value);
  }
  return ok({ layers, payload });
}

function layerOf(reply: LayerReply): LayerReply {
  return { returnCode: reply.returnCode, vendorStatus: reply.vendorStatus, background: reply.background };
}

function openReply(payload: Uint8Array, tag: number, opcode: number, dialect: Dialect): Result<CciMessage, CodecError> {
  if (payload.length < TUNNEL_HEADER + HEADER_SIZE) {
    return err(codecError('length', '', `a tunnel reply has at least 16 bytes, here are ${payload.length}`));
  }
  const size = readUint(payload, 0, 2);
  if (size !== payload.length - TUNNEL_HEADER) {
    return err(codecError('length', 'response_size', `says ${size}, ${payload.length - TUNNEL_HEADER} bytes follow`));
  }
  if (payload[2] !== 0 || payload[3] !== 0)
    return err(codecError('reserved', 'reserved', 'bytes 2 and 3 are not zero'));
  const body = innerBody(payload.subarray(TUNNEL_HEADER), dialect);
  if (!body.ok) return body;
  const message = decodeResponseMessage(body.value, dialect);
  if (!message.ok) return message;
  if (message.value.tag !== tag) {
    return err(codecError('value', 'message_tag', `${message.value.tag} answers a request with tag ${tag}`));
  }
  if (message.value.opcode !== opcode) {
    return err(codecError('value', 'opcode', `${message.value.opcode.toString(16)}h answers ${opcode.toString(16)}h`));
  }
  return message;
}

/**
 * The outermost reply payload of a routed reply: what a client sees that sent the tunnel as bytes.
 *
 * @throws RangeError where more layers answered than the path has, or a layer is over 65535 bytes
 */
export function encodeRoutedReply(command: RoutedCommand, reply: RoutedReply, dialect: Dialect = 'spec'): Uint8Array {
  if (reply.layers.length > command.hops.length + 1) {
    throw new RangeError(`${reply.layers.length} layers answered on a path of ${command.hops.length} hops`);
  }
  let { payload } = reply;
  for (const [layer, answered] of [...reply.layers.entries()].slice(1).reverse()) {
    const message = encodeMessage(
      {
        ...layerOf(answered),
        category: 'response',
        tag: tagOf(command, layer - 1),
        opcode: layer === command.hops.length ? command.opcode : TUNNEL_OPCODE,
        payload,
      },
      dialect,
    );
    payload = wrap(message, dialect);
    writeUint(payload, 0, 2, payload.length - TUNNEL_HEADER);
  }
  return payload;
}

const VIA = /^port:(\d{1,3})(?:\/(?:ld:(\d{1,3})|(ldpool)))?$/;

/** Hops of `port:3`, `port:3/ld:1`, `port:3/ldpool`; undefined for anything else. */
export function parseVia(text: string): readonly Hop[] | undefined {
  const found = VIA.exec(text);
  if (found === null || Number(found[1]) > 255 || Number(found[2] ?? 0) > 255) return undefined;
  // Ids have one spelling: a second one could pass a comparison that the first one fails.
  if ([found[1], found[2]].some((id) => id !== undefined && String(Number(id)) !== id)) return undefined;
  const port: Hop = { kind: 'port', port: portId(Number(found[1])) };
  if (found[2] !== undefined) return [port, { kind: 'ld', ld: ldId(Number(found[2])) }];
  return found[3] === undefined ? [port] : [port, { kind: 'ldpool' }];
}

/** `port:3/ld:1`, or the empty text for no hops. */
export function formatVia(hops: readonly Hop[]): string {
  return hops
    .map((hop) => (hop.kind === 'port' ? `port:${hop.port}` : hop.kind === 'ld' ? `ld:${hop.ld}` : 'ldpool'))
    .join('/');
}
