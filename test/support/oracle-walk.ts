/**
 * What bytes say, read by code of its own from the wire format: a tunnel is opened to the bottom, and whatever does not
 * fit to the byte is `opaque`, because a device might read it differently.
 */

export type Step =
  | { readonly kind: 'port'; readonly id: number }
  | { readonly kind: 'ld'; readonly id: number }
  | { readonly kind: 'pool' };

/** The end of a command path, or why it cannot be followed. */
export type Terminal =
  | {
      readonly kind: 'terminal';
      readonly path: readonly Step[];
      readonly opcode: number;
      readonly payload: Uint8Array;
    }
  | { readonly kind: 'opaque'; readonly path: readonly Step[]; readonly why: string };

const TUNNEL = 0x5300;
const HEADER = 12;

/** Little-endian number of one to four bytes; bytes past the end count as zero. */
export function uint(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/** Follows a command of the switch CCI through its tunnels. */
export function walk(opcode: number, payload: Uint8Array, path: readonly Step[] = []): Terminal {
  if (opcode !== TUNNEL) return { kind: 'terminal', path, opcode, payload };
  const opaque = (why: string): Terminal => ({ kind: 'opaque', path, why });
  if (path.length >= 2) return opaque('a tunnel below the second level');
  if (payload.length < 4 + HEADER) return opaque('too short for a tunnel');
  const type = payload[1] ?? 0;
  if (type > 1) return opaque(`target type ${type}`);
  if (type === 1 && path.length === 0) return opaque('the switch has no LD pool');
  if (uint(payload, 2, 2) !== payload.length - 4) return opaque('command size does not fit');
  const message = payload.subarray(4);
  const why = badRequestHeader(message);
  if (why !== undefined) return opaque(why);
  const id = payload[0] ?? 0;
  const step: Step = path.length === 0 ? { kind: 'port', id } : type === 1 ? { kind: 'pool' } : { kind: 'ld', id };
  return walk(uint(message, 3, 2), message.subarray(HEADER), [...path, step]);
}

/** Why twelve bytes are no header of a request that carries the rest, or undefined. */
function badRequestHeader(message: Uint8Array): string | undefined {
  if (message[0] !== 0) return 'category';
  if (message[2] !== 0) return 'reserved byte';
  if ((message[7] ?? 0) > 0x1f) return 'reserved length bits';
  const length = uint(message, 5, 2) + ((message[7] ?? 0) & 0x1f) * 0x1_0000;
  return length === message.length - HEADER ? undefined : 'inner length does not fit';
}

/** A reply message taken apart to its innermost layer; undefined where a size, tag or opcode does not fit. */
export function openReply(
  message: Uint8Array,
): { readonly codes: readonly number[]; readonly payload: Uint8Array } | undefined {
  const codes: number[] = [];
  let rest = message;
  for (;;) {
    if (rest.length < HEADER || rest[0] !== 1) return undefined;
    const length = uint(rest, 5, 2) + ((rest[7] ?? 0) & 0x1f) * 0x1_0000;
    if (length !== rest.length - HEADER) return undefined;
    const code = uint(rest, 8, 2);
    codes.push(code);
    const payload = rest.subarray(HEADER);
    if (uint(rest, 3, 2) !== TUNNEL || code !== 0 || payload.length === 0) return { codes, payload };
    if (uint(payload, 0, 2) !== payload.length - 4) return undefined;
    rest = payload.subarray(4);
  }
}

/** Path as text, `switch`, `port 3`, `port 3 ld 1`, `port 3 pool`. */
export function pathText(path: readonly Step[]): string {
  return path.length === 0
    ? 'switch'
    : path.map((step) => (step.kind === 'pool' ? 'pool' : `${step.kind} ${step.id}`)).join(' ');
}
