import { readUint, writeUint } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import type { Dialect } from './decode.ts';
import { type CciMessage, decodeRequestMessage, decodeResponseMessage, encodeMessage, HEADER_SIZE } from './header.ts';
import { type LdId, ldId, type PortId, portId } from './ids.ts';
import { err, ok, type Result } from './result.ts';
import { isSuccess } from './return-codes.ts';

/** Tunnel Management Command. */
export const TUNNEL_OPCODE = 0x5300;
/** The broker decodes two levels: switch to port, port to LD or LD pool (R12). */
export const MAX_HOPS = 2;
/** Bytes in front of an inner message: id, target type, size; in a reply size and 2 reserved. */
const TUNNEL_HEADER = 4;
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
  const hop = decodeHop(layer, payload[0] ?? 0, payload[1] ?? 0);
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
 */
export function encodeRoute(
  command: RoutedCommand,
  dialect: Dialect = 'spec',
): { readonly opcode: number; readonly payload: Uint8Array } {
  let { opcode, payload } = command;
  for (let layer = command.hops.length - 1; layer >= 0; layer--) {
    const hop = command.hops[layer];
    const message = encodeMessage({ ...request(opcode, payload), tag: command.tags[layer] ?? 0 }, dialect);
    payload = wrap(dialect === 'spec' ? message : Uint8Array.of(INNER_TYPE_BYTE, ...message), (header, size) => {
      header[0] = hop?.kind === 'port' ? hop.port : hop?.kind === 'ld' ? hop.ld : 0;
      header[1] = hop?.kind === 'ldpool' ? 1 : 0;
      writeUint(header, 2, 2, size);
    });
    opcode = TUNNEL_OPCODE;
  }
  return { opcode, payload };
}

function request(opcode: number, payload: Uint8Array): Omit<CciMessage, 'tag'> {
  return { category: 'request', opcode, background: false, returnCode: 0, vendorStatus: 0, payload };
}

function wrap(message: Uint8Array, fill: (header: Uint8Array, size: number) => void): Uint8Array {
  const bytes = new Uint8Array(TUNNEL_HEADER + message.length);
  fill(bytes, message.length);
  bytes.set(message, TUNNEL_HEADER);
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
  const layers: LayerReply[] = [layerOf(outer)];
  let { payload } = outer;
  for (let layer = 0; layer < command.hops.length; layer++) {
    const here = layers[layer];
    if (here === undefined || !isSuccess(here.returnCode)) {
      if (payload.length > 0) {
        return err(tunnelError(layer, codecError('length', '', 'a refused tunnel carries an inner message')));
      }
      return ok({ layers, payload });
    }
    const expected = layer === command.hops.length - 1 ? command.opcode : TUNNEL_OPCODE;
    const inner = openReply(payload, command.tags[layer] ?? 0, expected, dialect);
    if (!inner.ok) return err(tunnelError(layer, inner.error));
    layers.push(layerOf(inner.value));
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

/** The outermost reply payload of a routed reply: what a client sees that sent the tunnel as bytes. */
export function encodeRoutedReply(command: RoutedCommand, reply: RoutedReply, dialect: Dialect = 'spec'): Uint8Array {
  let { payload } = reply;
  for (let layer = reply.layers.length - 1; layer > 0; layer--) {
    const answered = reply.layers[layer];
    if (answered === undefined) break;
    const message = encodeMessage(
      {
        category: 'response',
        tag: command.tags[layer - 1] ?? 0,
        opcode: layer === command.hops.length ? command.opcode : TUNNEL_OPCODE,
        ...answered,
        payload,
      },
      dialect,
    );
    payload = wrap(dialect === 'spec' ? message : Uint8Array.of(INNER_TYPE_BYTE, ...message), (header, size) =>
      writeUint(header, 0, 2, size),
    );
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
