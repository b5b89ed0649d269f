import { BackendError, type BackendErrorCode, type BackendIdentity, type CciReply } from '../backend.ts';
import { FrameError, PAYLOAD_MAX_BYTES } from './frames.ts';

/** A command as it crosses to the worker. */
export interface ExecuteMessage {
  readonly opcode: number;
  /** The two processes have clocks of their own, so that what is left crosses, in whole milliseconds. */
  readonly leftMs: number;
  readonly payload: Uint8Array;
}

export interface OpenedMessage {
  readonly identity: BackendIdentity;
  readonly maxPayload: number;
}

/** Row number is the byte on the channel. */
const codes: readonly BackendErrorCode[] = ['EIO', 'ETIMEDOUT', 'EBUSY', 'EINVAL', 'EPROTO'];
const outcomes = ['not-sent', 'unknown'] as const;

const TEXT_MAX_CHARACTERS = 1000;
const NOTES_MAX = 16;
const LEFT_MAX_MS = 0xffff_ffff;

export function encodeExecute({ opcode, leftMs, payload }: ExecuteMessage): Uint8Array {
  const body = Buffer.alloc(8 + payload.length);
  body.writeUInt16LE(opcode, 0);
  body.writeUInt32LE(Math.min(Math.max(0, Math.floor(leftMs)), LEFT_MAX_MS), 4);
  body.set(payload, 8);
  return body;
}

/** @throws FrameError */
export function decodeExecute(body: Uint8Array): ExecuteMessage {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.readUInt16LE(2) !== 0) throw new FrameError('a reserved field that is not zero');
  // Copied: the channel's buffer is reused.
  return { opcode: bytes.readUInt16LE(0), leftMs: bytes.readUInt32LE(4), payload: Uint8Array.from(bytes.subarray(8)) };
}

/** @throws RangeError for a payload over the largest mailbox */
export function encodeReply({ returnCode, vendorStatus, background, payload }: CciReply): Uint8Array {
  if (payload.length > PAYLOAD_MAX_BYTES) throw new RangeError(`a reply of ${payload.length} bytes`);
  const body = Buffer.alloc(8 + payload.length);
  body.writeUInt16LE(returnCode, 0);
  body.writeUInt16LE(vendorStatus, 2);
  body[4] = background ? 1 : 0;
  body.set(payload, 8);
  return body;
}

/** @throws FrameError */
export function decodeReply(body: Uint8Array, maxPayload: number): CciReply {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length - 8 > maxPayload) throw new FrameError(`a reply of ${bytes.length - 8} bytes, over ${maxPayload}`);
  const background = bytes[4] ?? 0;
  if (background > 1 || bytes.readUIntLE(5, 3) !== 0) throw new FrameError('a reserved field that is not zero');
  return {
    returnCode: bytes.readUInt16LE(0),
    vendorStatus: bytes.readUInt16LE(2),
    background: background === 1,
    payload: Uint8Array.from(bytes.subarray(8)),
  };
}

export function encodeFailed(error: BackendError): Uint8Array {
  const text = Buffer.from(oneLine(error.message));
  const body = Buffer.alloc(4 + text.length);
  body[0] = codes.indexOf(error.code);
  body[1] = outcomes.indexOf(error.outcome);
  body.set(text, 4);
  return body;
}

/** @throws FrameError */
export function decodeFailed(body: Uint8Array): BackendError {
  const [codeAt = 0, outcomeAt = 0, reserved1, reserved2] = body;
  const code = codes[codeAt];
  const outcome = outcomes[outcomeAt];
  if (code === undefined || outcome === undefined || reserved1 !== 0 || reserved2 !== 0) {
    throw new FrameError('a failure that is none');
  }
  return new BackendError(code, outcome, oneLine(Buffer.from(body.subarray(4)).toString('utf8')));
}

export function encodeOpened({ identity, maxPayload }: OpenedMessage): Uint8Array {
  const { kind, description, bootId, session, notes } = identity;
  return Buffer.from(
    JSON.stringify({
      kind: oneLine(kind),
      description: oneLine(description),
      bootId: oneLine(bootId),
      ...(session === undefined ? {} : { session: oneLine(session) }),
      notes: (notes ?? []).slice(0, NOTES_MAX).map((note) => oneLine(note)),
      maxPayload,
    }),
  );
}

/** @throws FrameError for anything but the known keys with bounded values */
export function decodeOpened(body: Uint8Array): OpenedMessage {
  const value = parsed(body);
  const { kind, description, bootId, session, notes, maxPayload, ...others } = value;
  if (Object.keys(others).length > 0) throw new FrameError('an identity with unknown keys');
  if (!Array.isArray(notes) || notes.length > NOTES_MAX) throw new FrameError('notes that are none');
  if (typeof maxPayload !== 'number' || !Number.isInteger(maxPayload) || maxPayload < 1) {
    throw new FrameError('a payload size that is none');
  }
  if (maxPayload > PAYLOAD_MAX_BYTES) throw new FrameError(`a mailbox of ${maxPayload} bytes`);
  return {
    identity: {
      kind: checkedText(kind),
      description: checkedText(description),
      bootId: checkedText(bootId),
      ...(session === undefined ? {} : { session: checkedText(session) }),
      ...(notes.length === 0 ? {} : { notes: notes.map(checkedText) }),
    },
    maxPayload,
  };
}

/** @throws FrameError unless it is a JSON object */
export function parsed(body: Uint8Array): { readonly [key: string]: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch {
    throw new FrameError('a body that is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FrameError('a body that is no object');
  return value as { readonly [key: string]: unknown };
}

function checkedText(value: unknown): string {
  if (typeof value !== 'string' || value !== oneLine(value)) throw new FrameError('a text that is none');
  return value;
}

/** A text that neither breaks a line nor moves a cursor, whoever made it. */
export function oneLine(text: string): string {
  return text
    .slice(0, TEXT_MAX_CHARACTERS)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
}
