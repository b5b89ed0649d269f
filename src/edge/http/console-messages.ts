import { type ConsoleClientMessage, OFFSET_BYTES } from './console-frames.ts';

const ID = /^[0-9a-f-]{36}$/;
const SEAT = /^[A-Za-z0-9_-]{1,64}$/;
const SIDE_MAX = 1000;
const DURATION_MAX_MS = 86_400_000;
/** Longest text that a console message may be: a reason, and names around it. */
const MESSAGE_MAX = 4096;

type Members = { readonly [name: string]: unknown };
type Check = (value: unknown) => boolean;

const text =
  (most: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= most;
const matches =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);
const whole =
  (least: number, most: number): Check =>
  (value) => {
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most;
  };
const side = whole(1, SIDE_MAX);
const offset = whole(0, Number.MAX_SAFE_INTEGER);

/** Members of each message; those that may be left out end in `?`. There are no others. */
const messages: { readonly [T in ConsoleClientMessage['type']]: { readonly [name: string]: Check } } = {
  open: { program: text(32), reason: text(500), columns: side, rows: side, 'duration_ms?': whole(0, DURATION_MAX_MS) },
  resume: { session: matches(ID), seat: matches(SEAT), after: offset },
  watch: { session: matches(ID) },
  ack: { offset },
  resize: { columns: side, rows: side },
  close: {},
};

/** A control message as it has to be; undefined for anything else. */
export function readConsoleMessage(data: Buffer): ConsoleClientMessage | undefined {
  if (data.length > MESSAGE_MAX) return undefined;
  let found: unknown;
  try {
    found = JSON.parse(data.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined;
  const { type, ...rest } = found as Members;
  if (typeof type !== 'string' || !Object.hasOwn(messages, type)) return undefined;
  const members = messages[type as ConsoleClientMessage['type']];
  const known = Object.entries(members).map(([name, check]) => ({
    name: name.replace(/\?$/, ''),
    fits: (value: unknown) => (value === undefined ? name.endsWith('?') : check(value)),
  }));
  const isWhole = known.every(({ name, fits }) => fits(Object.hasOwn(rest, name) ? rest[name] : undefined));
  const isClosed = Object.keys(rest).every((name) => known.some((member) => member.name === name));
  return isWhole && isClosed ? (found as ConsoleClientMessage) : undefined;
}

/** Offset and bytes of a binary frame; undefined where it has none. The bytes are a copy. */
export function readConsoleBytes(data: Buffer): { readonly offset: number; readonly bytes: Uint8Array } | undefined {
  if (data.length <= OFFSET_BYTES) return undefined;
  const at = data.readBigUInt64LE(0);
  if (at > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return { offset: Number(at), bytes: new Uint8Array(data.subarray(OFFSET_BYTES)) };
}

export function consoleBytesFrame(at: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(OFFSET_BYTES + bytes.length);
  frame.writeBigUInt64LE(BigInt(at), 0);
  frame.set(bytes, OFFSET_BYTES);
  return frame;
}
