import { PACKET_SIZE } from './mctp.ts';

/**
 * Packets that go into one write. Peers are known that take every TCP segment for whole packets: 17 packets fit the
 * smallest segment of an IPv6 path (1280 - 60 bytes), so that no segment boundary falls into a packet as long as the
 * socket does not wait (TCP_NODELAY).
 */
const PACKETS_PER_WRITE = 17;

/** The bytes of a message in pieces of whole packets, each for a write of its own. Views, not copies. */
export function segments(packets: Uint8Array): readonly Uint8Array[] {
  const size = PACKETS_PER_WRITE * PACKET_SIZE;
  if (packets.length <= size) return [packets];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < packets.length; at += size) pieces.push(packets.subarray(at, at + size));
  return pieces;
}
