import { BrokerError, ProtocolError } from './errors.ts';
import { flag, number, object, oneOf, optional, type Shape, type Shaped, text } from './shape.ts';
import { problemShape } from './wire.ts';

/** Frames of a console connection as a client sees them: text frames are control messages, binary ones bytes behind their offset. */

/** Bytes in front of those of a binary frame: the offset of the first one, little endian. */
const OFFSET_BYTES = 8;

const waitingShape = object({ type: oneOf('waiting'), request: text, digest: text, expires_at_ms: number });
const openedShape = object({
  type: oneOf('opened'),
  session: text,
  seat: text,
  program: text,
  principal: text,
  offset: number,
  input_offset: number,
  columns: number,
  rows: number,
  ends_at_ms: number,
  resume_ms: number,
  watching: flag,
});
const stateShape = object({
  type: oneOf('state'),
  state: oneOf('running', 'paused', 'detached', 'ended'),
  columns: number,
  rows: number,
  watchers: number,
  input_offset: number,
});
const endedShape = object({
  type: oneOf('ended'),
  why: text,
  detail: text,
  exit_code: optional(number),
  signal: optional(text),
});

export type WaitingMessage = Shaped<typeof waitingShape>;
export type OpenedMessage = Shaped<typeof openedShape>;
export type StateMessage = Shaped<typeof stateShape>;
export type EndedMessage = Shaped<typeof endedShape>;
export type ServerMessage = WaitingMessage | OpenedMessage | StateMessage | EndedMessage;

const shapes: readonly Shape<ServerMessage>[] = [waitingShape, openedShape, stateShape, endedShape];

/** @throws BrokerError for a refusal, ProtocolError for what no broker of this version sends */
export function readMessage(json: string): ServerMessage {
  let message: unknown;
  try {
    message = JSON.parse(json);
  } catch {
    throw new ProtocolError('the broker sent a message that is not JSON');
  }
  if (typeof message === 'object' && message !== null && 'type' in message && message.type === 'problem') {
    const problem = 'problem' in message ? problemShape.read(message.problem) : undefined;
    if (problem !== undefined) throw new BrokerError(problem);
  }
  for (const shape of shapes) {
    const read = shape.read(message);
    if (read !== undefined) return read;
  }
  throw new ProtocolError('the broker sent a message that no broker of this version sends');
}

/** Bytes of a stream and how many came before them. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** @throws ProtocolError */
export function readPiece(frame: Uint8Array): Piece {
  if (frame.length < OFFSET_BYTES) throw new ProtocolError('the broker sent bytes without their offset');
  let offset = 0;
  for (let at = OFFSET_BYTES - 1; at >= 0; at -= 1) offset = offset * 256 + (frame[at] ?? 0);
  if (!Number.isSafeInteger(offset)) throw new ProtocolError('the broker sent bytes with an offset that can not be');
  return { offset, bytes: frame.subarray(OFFSET_BYTES) };
}

export function writePiece({ offset, bytes }: Piece): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(OFFSET_BYTES + bytes.length);
  for (let at = 0, rest = offset; at < OFFSET_BYTES; at += 1, rest = Math.floor(rest / 256)) frame[at] = rest % 256;
  frame.set(bytes, OFFSET_BYTES);
  return frame;
}
