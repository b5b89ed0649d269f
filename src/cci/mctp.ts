import { readUint } from './bytes.ts';
import type { Dialect } from './dialect.ts';
import { HEADER_SIZE } from './header.ts';
import { err, ok, type Result } from './result.ts';

/**
 * MCTP packets on a TCP stream: the de facto form of the Jackrabbit tools, for which no binding is published. The
 * stream is a plain sequence of 68-byte packets, a 4-byte transport header and a 64-byte body each; short ones are
 * padded, and padding may be anything. Pure: no sockets, no clock.
 */

export const PACKET_SIZE = 68;
const TRANSPORT_HEADER = 4;
const BODY_SIZE = PACKET_SIZE - TRANSPORT_HEADER;
const VERSION = 1;

/** First byte of a message; bit 7 would announce an integrity check that nobody sends. */
export const MCTP_TYPE = { control: 0x00, fmApi: 0x07, cci: 0x08, emulator: 0x70 } as const;

export interface Packet {
  readonly destination: number;
  readonly source: number;
  readonly first: boolean;
  readonly last: boolean;
  /** 0..3, one counter per direction of a connection. */
  readonly sequence: number;
  /** True in a request, false in its reply. */
  readonly tagOwner: boolean;
  /** 0..7. */
  readonly tag: number;
  /** 64 bytes. */
  readonly body: Uint8Array;
}

/** A message put together from packets. `body` begins behind the type byte and may carry padding at its end. */
export interface MctpMessage {
  readonly type: number;
  readonly destination: number;
  readonly source: number;
  readonly tagOwner: boolean;
  readonly tag: number;
  readonly body: Uint8Array;
}

/** Bounds of one connection. */
export interface MctpLimits {
  /** Largest CCI payload that may be put together. */
  readonly maxPayload: number;
  /** Messages that may be incomplete at once. */
  readonly maxOpen: number;
  /** Time from the first packet of a message to its last. */
  readonly assemblyMs: number;
}

/** Header and 8 KiB cover every tool that is known; eight tags may be open. */
export const defaultMctpLimits: MctpLimits = { maxPayload: 8192, maxOpen: 8, assemblyMs: 5000 };

/** The stream cannot be followed any further: the connection is to be closed. */
export interface StreamError {
  readonly code: 'version';
  readonly message: string;
}

/** Cuts a byte stream into packets, however the bytes arrive. */
export class PacketReader {
  private readonly pending = new Uint8Array(PACKET_SIZE);
  private held = 0;

  /** Bytes of an incomplete packet that wait for the rest. */
  get waiting(): number {
    return this.held;
  }

  /** Takes bytes in. @returns the packets completed by them, or why the stream is no MCTP */
  push(chunk: Uint8Array): Result<readonly Packet[], StreamError> {
    const packets: Packet[] = [];
    let at = 0;
    while (at < chunk.length) {
      const size = Math.min(PACKET_SIZE - this.held, chunk.length - at);
      this.pending.set(chunk.subarray(at, at + size), this.held);
      this.held += size;
      at += size;
      const version = readUint(this.pending, 0, 1) & 0x0f;
      if (version !== VERSION) return err({ code: 'version', message: `header version is ${version}, not 1` });
      if (this.held < PACKET_SIZE) break;
      this.held = 0;
      packets.push(decodePacket(this.pending));
    }
    return ok(packets);
  }
}

function decodePacket(bytes: Uint8Array): Packet {
  const flags = readUint(bytes, 3, 1);
  return {
    destination: readUint(bytes, 1, 1),
    source: readUint(bytes, 2, 1),
    first: (flags & 0x80) !== 0,
    last: (flags & 0x40) !== 0,
    sequence: (flags >> 4) & 3,
    tagOwner: (flags & 0x08) !== 0,
    tag: flags & 7,
    body: bytes.slice(TRANSPORT_HEADER, PACKET_SIZE),
  };
}

/**
 * What a packet led to. A dropped packet takes the message it belongs to along.
 *
 * - `no-start`: a later packet of a message that never began
 * - `gap`: not the sequence number that follows
 * - `too-long`: the header declares more than `maxPayload`, or packets go on behind the declared end
 * - `too-many`: more than `maxOpen` messages are incomplete
 */
export type Assembly =
  | { readonly kind: 'message'; readonly message: MctpMessage }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'dropped'; readonly reason: 'no-start' | 'gap' | 'too-long' | 'too-many' };

interface Open {
  readonly type: number;
  /** Body of the first packet: the header of a CCI message is in it. */
  readonly start: Uint8Array;
  readonly parts: Uint8Array[];
  bytes: number;
  sequence: number;
  readonly sinceMs: number;
}

/** Puts the messages of one connection together: one buffer per source, tag and tag owner. */
export class Reassembler {
  private readonly open = new Map<number, Open>();
  private readonly limits: MctpLimits;
  private readonly dialect: Dialect;

  constructor(dialect: Dialect, limits: MctpLimits = defaultMctpLimits) {
    this.dialect = dialect;
    this.limits = limits;
  }

  /** Messages that are incomplete now. */
  get openCount(): number {
    return this.open.size;
  }

  /** Forgets messages that have waited too long. @returns how many */
  expire(nowMs: number): number {
    let dropped = 0;
    for (const [key, { sinceMs }] of this.open) {
      if (nowMs - sinceMs < this.limits.assemblyMs) continue;
      this.open.delete(key);
      dropped++;
    }
    return dropped;
  }

  accept(packet: Packet, nowMs: number): Assembly {
    this.expire(nowMs);
    const key = packet.source * 16 + (packet.tagOwner ? 8 : 0) + packet.tag;
    const begun = packet.first ? this.begin(packet, nowMs) : this.goOn(key, packet);
    if (typeof begun === 'string') {
      this.open.delete(key);
      return { kind: 'dropped', reason: begun };
    }
    if (this.exceeds(begun, packet.last)) {
      this.open.delete(key);
      return { kind: 'dropped', reason: 'too-long' };
    }
    if (!packet.last) {
      if (!this.open.has(key) && this.open.size >= this.limits.maxOpen) return { kind: 'dropped', reason: 'too-many' };
      this.open.set(key, begun);
      return { kind: 'incomplete' };
    }
    this.open.delete(key);
    const { destination, source, tagOwner, tag } = packet;
    return { kind: 'message', message: { type: begun.type, destination, source, tagOwner, tag, body: join(begun) } };
  }

  /** A first packet begins anew, whatever was there under its tag. */
  private begin(packet: Packet, nowMs: number): Open {
    const start = packet.body.subarray(1);
    return {
      type: readUint(packet.body, 0, 1),
      start,
      parts: [start],
      bytes: BODY_SIZE - 1,
      sequence: packet.sequence,
      sinceMs: nowMs,
    };
  }

  private goOn(key: number, packet: Packet): Open | 'no-start' | 'gap' {
    const begun = this.open.get(key);
    if (begun === undefined) return 'no-start';
    if (packet.sequence !== ((begun.sequence + 1) & 3)) return 'gap';
    begun.sequence = packet.sequence;
    begun.parts.push(packet.body);
    begun.bytes += BODY_SIZE;
    return begun;
  }

  private exceeds(open: Open, last: boolean): boolean {
    const declared = declaredLength(open.type, open.start, this.dialect);
    if (declared === undefined) return open.bytes > HEADER_SIZE + this.limits.maxPayload;
    if (declared > HEADER_SIZE + this.limits.maxPayload) return true;
    // Behind the declared end only the packet that completes the message may follow.
    return open.bytes - BODY_SIZE >= declared && !last;
  }
}

function join(open: Open): Uint8Array {
  const body = new Uint8Array(open.bytes);
  let at = 0;
  for (const part of open.parts) {
    body.set(part, at);
    at += part.length;
  }
  return body;
}

/** Bytes of a CCI message by its own header; undefined for other types, whose length is not on the wire. */
function declaredLength(type: number, body: Uint8Array, dialect: Dialect): number | undefined {
  if ((type !== MCTP_TYPE.fmApi && type !== MCTP_TYPE.cci) || body.length < HEADER_SIZE) return undefined;
  const high = readUint(body, 7, 1);
  const top = dialect === 'spec' ? high & 0x1f : high >> 3;
  return HEADER_SIZE + readUint(body, 5, 2) + top * 0x10000;
}

/** A message that ends before its own header says. A request of this kind is answered 0016h. */
export interface ShortMessage {
  readonly code: 'short';
  readonly declared: number;
  readonly received: number;
}

/**
 * Cuts the padding off a CCI message. One packetiser loses the last byte of a message of which header and payload
 * fill whole packets; that shows here as one byte too few, and is an error like any other.
 */
export function trimMessage(message: MctpMessage, dialect: Dialect = 'spec'): Result<Uint8Array, ShortMessage> {
  const declared = declaredLength(message.type, message.body, dialect) ?? message.body.length;
  if (declared > message.body.length) return err({ code: 'short', declared, received: message.body.length });
  return ok(message.body.subarray(0, declared));
}

/** How a message is addressed. */
export interface Address {
  readonly destination: number;
  readonly source: number;
  readonly tagOwner: boolean;
  readonly tag: number;
}

/**
 * The packets of a message, `68 * ceil((m + 1) / 64)` bytes for `m` bytes behind the type, padded with zeros.
 *
 * @param sequence number of the first packet; the next message of the connection begins with `nextSequence`
 */
export function packetize(
  address: Address,
  type: number,
  body: Uint8Array,
  sequence: number,
): { readonly bytes: Uint8Array; readonly nextSequence: number } {
  const count = Math.ceil((body.length + 1) / BODY_SIZE);
  const bytes = new Uint8Array(count * PACKET_SIZE);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const offset = i * PACKET_SIZE;
    bytes[offset] = VERSION;
    bytes[offset + 1] = address.destination;
    bytes[offset + 2] = address.source;
    bytes[offset + 3] =
      (i === 0 ? 0x80 : 0) |
      (i === count - 1 ? 0x40 : 0) |
      (((sequence + i) & 3) << 4) |
      (address.tagOwner ? 0x08 : 0) |
      (address.tag & 7);
    const start = i === 0 ? 1 : 0;
    if (i === 0) bytes[offset + TRANSPORT_HEADER] = type;
    const part = body.subarray(at, at + BODY_SIZE - start);
    bytes.set(part, offset + TRANSPORT_HEADER + start);
    at += part.length;
  }
  return { bytes, nextSequence: (sequence + count) & 3 };
}
