import { isDeepStrictEqual } from 'node:util';
import {
  type Dialect,
  decodeRoute,
  encodeRoute,
  formatVia,
  HEADER_SIZE,
  hopsProblem,
  MAX_HOPS,
  parseVia,
  TUNNEL_OPCODE,
} from '../../src/cci/index.ts';
import { demand, type Target } from '../engine/target.ts';
import { hexOf, sameBytes } from './input.ts';
import { withLength } from './message-target.ts';

const TUNNEL_HEADER = 4;

/** Payloads of 5300h, as many layers deep as they say. */
export function routeTarget(dialect: Dialect): Target {
  const typeByte = dialect === 'spec' ? 0 : 1;
  return {
    name: dialect === 'spec' ? 'route' : 'route-jackrabbit',
    oracle: 'a tunnel that is accepted encodes to the bytes that came, is at most two deep and hides no other tunnel',
    covers: ['src/cci'],
    kind: 'bytes',
    maxLength: 300,
    seeds: () =>
      ['port:3', 'port:3/ld:1', 'port:3/ldpool', 'port:255/ld:255'].flatMap((via) =>
        [0, 20].map((length) => {
          const hops = parseVia(via) ?? [];
          const command = { hops, tags: hops.map((_, i) => i), opcode: 0x0001, payload: new Uint8Array(length) };
          return encodeRoute(command, dialect).payload;
        }),
      ),
    mend: (bytes) => mended(bytes, typeByte),
    open: () => ({
      run(bytes) {
        const decoded = decodeRoute(TUNNEL_OPCODE, bytes, dialect);
        if (!decoded.ok) {
          demand(decoded.error.layer >= 0 && decoded.error.layer <= MAX_HOPS, `layer ${decoded.error.layer}`);
          return;
        }
        const { hops, tags, opcode } = decoded.value;
        demand(hops.length >= 1 && hops.length <= MAX_HOPS && tags.length === hops.length, `${hops.length} hops`);
        demand(hopsProblem(hops) === undefined, () => `${hopsProblem(hops)}`);
        demand(opcode !== 0 && opcode !== TUNNEL_OPCODE, `opcode ${opcode} at the bottom`);
        demand(isDeepStrictEqual(parseVia(formatVia(hops)), hops), () => `${formatVia(hops)} is read as another path`);
        const sent = encodeRoute(decoded.value, dialect);
        demand(sent.opcode === TUNNEL_OPCODE, 'a tunnel leaves as another command');
        demand(
          sameBytes(sent.payload, withoutStatus(bytes, hops, typeByte)),
          () => `${hexOf(bytes)} is sent otherwise`,
        );
      },
    }),
  };
}

/** The vendor status of a request is zeroed, in every layer; the id of an LD pool is not one. */
function withoutStatus(bytes: Uint8Array, hops: readonly { readonly kind: string }[], typeByte: number): Uint8Array {
  const copy = bytes.slice();
  let at = 0;
  for (const { kind } of hops) {
    if (kind === 'ldpool') copy[at] = 0;
    const header = at + TUNNEL_HEADER + typeByte;
    copy.fill(0, header + 10, header + 12);
    at = header + HEADER_SIZE;
  }
  return copy;
}

/** Sizes of every layer that is there. */
function mended(bytes: Uint8Array, typeByte: number): Uint8Array {
  let copy: Uint8Array = bytes.slice();
  let at = 0;
  for (let layer = 0; layer < MAX_HOPS; layer++) {
    const header = at + TUNNEL_HEADER + typeByte;
    if (copy.length < header + HEADER_SIZE) break;
    const size = copy.length - at - TUNNEL_HEADER;
    copy[at + 2] = size & 0xff;
    copy[at + 3] = (size >> 8) & 0xff;
    copy = withLength(copy, header, typeByte === 1);
    const opcode = (copy[header + 3] ?? 0) + (copy[header + 4] ?? 0) * 256;
    if (opcode !== TUNNEL_OPCODE) break;
    at = header + HEADER_SIZE;
  }
  return copy;
}
