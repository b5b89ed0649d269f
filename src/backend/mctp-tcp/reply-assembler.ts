import { type Dialect, HEADER_SIZE, readUint } from '../../cci/index.ts';
import type { Packet } from '../../cci/mctp.ts';

/** What is known to be wrong with a peer and is put up with. */
export interface ReplyQuirks {
  /** First and last marks of packets may be set where they do not belong; the declared length counts (never cleared). */
  readonly staleMarks: boolean;
  /** A message that fills whole packets comes without its last byte. */
  readonly lastByteLost: boolean;
}

/** A reply put together: header and payload, exactly as long as its header says. */
export type ReplyAssembly =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'reply'; readonly tag: number; readonly type: number; readonly bytes: Uint8Array }
  /** It breaks the protocol: the reply to that tag will not come any more. */
  | { readonly kind: 'broken'; readonly tag: number; readonly text: string };

const BODY_SIZE = 64;

interface Open {
  readonly type: number;
  readonly declared: number;
  readonly bytes: Uint8Array;
  filled: number;
  sequence: number;
}

/**
 * Puts replies together by the length that their header declares: a peer's marks of first and last packet are checked
 * against it, or ignored where they are known to be stale. One message per tag may be open, which the caller's own
 * bounded number of requests bounds.
 */
export class ReplyAssembler {
  private readonly open = new Map<number, Open>();
  private readonly dialect: Dialect;
  private readonly quirks: ReplyQuirks;
  private readonly maxPayload: number;

  constructor(dialect: Dialect, quirks: ReplyQuirks, maxPayload: number) {
    this.dialect = dialect;
    this.quirks = quirks;
    this.maxPayload = maxPayload;
  }

  accept(packet: Packet): ReplyAssembly {
    const { tag } = packet;
    const open = this.open.get(tag);
    const isFirst = open === undefined || (packet.first && !this.quirks.staleMarks);
    const message = isFirst ? this.begin(packet) : goOn(open, packet);
    this.open.delete(tag);
    if (typeof message === 'string') return { kind: 'broken', tag, text: message };
    const ended = this.end(message, packet);
    if (ended === 'more') {
      this.open.set(tag, message);
      return { kind: 'incomplete' };
    }
    if (ended !== 'done') return { kind: 'broken', tag, text: ended };
    return { kind: 'reply', tag, type: message.type, bytes: message.bytes };
  }

  private begin(packet: Packet): Open | string {
    // Marks are known to be set too often, never too seldom.
    if (!packet.first) return 'a packet continues a message that never began';
    const start = packet.body.subarray(1);
    const high = readUint(start, 7, 1);
    const declared =
      HEADER_SIZE + readUint(start, 5, 2) + (this.dialect === 'spec' ? high & 0x1f : high >> 3) * 0x10000;
    if (declared > HEADER_SIZE + this.maxPayload)
      return `the reply declares ${declared - HEADER_SIZE} bytes of payload`;
    const bytes = new Uint8Array(declared);
    bytes.set(start.subarray(0, declared));
    const filled = Math.min(start.length, declared);
    return { type: readUint(packet.body, 0, 1), declared, bytes, filled, sequence: packet.sequence };
  }

  private end({ filled, declared }: Open, packet: Packet): 'done' | 'more' | string {
    if (filled === declared) {
      return packet.last || this.quirks.staleMarks ? 'done' : 'packets follow the end that the reply declares';
    }
    if (!packet.last) return 'more';
    const isOneShort = filled === declared - 1 && declared % BODY_SIZE === 0;
    // The buffer holds a zero there already.
    if (isOneShort && this.quirks.lastByteLost) return 'done';
    if (this.quirks.staleMarks && !isOneShort) return 'more';
    return `the reply ends after ${filled} of ${declared} bytes`;
  }
}

function goOn(open: Open, packet: Packet): Open | string {
  if (packet.sequence !== ((open.sequence + 1) & 3)) return 'a packet of the reply is missing';
  open.sequence = packet.sequence;
  const part = packet.body.subarray(0, open.declared - open.filled);
  open.bytes.set(part, open.filled);
  open.filled += part.length;
  return open;
}
