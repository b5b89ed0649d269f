import { returnCodeName } from '../../cci/index.ts';
import type { CommandAnswer, CoreResult, Problem } from '../core-api.ts';
import { type FrameWriter, plainBytes, toEdge } from './wire.ts';

/**
 * What a submitted command came to, as bytes at fixed places:
 *
 *   flags 1 | class 1 | return code 2 | vendor status 2 | length of the request id 1 | request id
 *   | length of the payload 4 | payload | length of the message 4 | message | JSON of what is rare
 *
 * and of a refusal: flags 1 | length of the message 4 | message | JSON of the problem.
 */
const ANSWERED = 1;
const HAS_MESSAGE = 2;
const classes = ['allowlisted', 'audited', 'raw'] as const satisfies readonly CommandAnswer['class'][];
const nothing = new Uint8Array(0);

type Rare = Partial<Pick<CommandAnswer, 'layers' | 'background' | 'result' | 'returnCodeName'>>;

export function writeCommandAnswer(writer: FrameWriter, id: number, result: CoreResult<CommandAnswer>): void {
  if (result.ok) writeAnswer(writer, id, result.value);
  else writeProblem(writer, id, result.problem);
}

function writeAnswer(writer: FrameWriter, id: number, value: CommandAnswer): void {
  const { requestId, payload, message = nothing } = value;
  const rare = rareOf(value);
  const text = rare === undefined ? '' : JSON.stringify(rare);
  const size = 15 + requestId.length + payload.length + message.length + Buffer.byteLength(text);
  let at = writer.open(toEdge.command, id, size);
  const { room } = writer;
  room[at] = ANSWERED | (value.message === undefined ? 0 : HAS_MESSAGE);
  room[at + 1] = classes.indexOf(value.class);
  room.writeUInt16LE(value.returnCode, at + 2);
  room.writeUInt16LE(value.vendorStatus, at + 4);
  room[at + 6] = requestId.length;
  at += 7;
  at += room.write(requestId, at, 'latin1');
  at = writePiece(room, at, payload);
  at = writePiece(room, at, message);
  if (text !== '') room.write(text, at);
}

function writeProblem(writer: FrameWriter, id: number, { message, ...problem }: Problem): void {
  const text = JSON.stringify(problem);
  const bytes = message ?? nothing;
  const at = writer.open(toEdge.command, id, 5 + bytes.length + Buffer.byteLength(text));
  writer.room[at] = message === undefined ? 0 : HAS_MESSAGE;
  writer.room.write(text, writePiece(writer.room, at + 1, bytes));
}

function writePiece(room: Buffer, at: number, bytes: Uint8Array): number {
  room.writeUInt32LE(bytes.length, at);
  room.set(bytes, at + 4);
  return at + 4 + bytes.length;
}

function rareOf({ layers, background, result, returnCode, returnCodeName: name }: CommandAnswer): Rare | undefined {
  const isNamed = name === returnCodeName(returnCode);
  if (isNamed && layers === undefined && background === undefined && result === undefined) return undefined;
  return { layers, background, result, ...(isNamed ? {} : { returnCodeName: name }) };
}

/** Reads what `writeCommandAnswer` has written. The core is trusted to have written it well. */
export function readCommandAnswer(body: Buffer): CoreResult<CommandAnswer> {
  const flags = body[0] ?? 0;
  if ((flags & ANSWERED) === 0) {
    const message = pieceAt(body, 1);
    const problem = JSON.parse(body.toString('utf8', 5 + message.length)) as Problem;
    return { ok: false, problem: (flags & HAS_MESSAGE) === 0 ? problem : { ...problem, message: plainBytes(message) } };
  }
  const returnCode = body.readUInt16LE(2);
  const idEnd = 7 + (body[6] ?? 0);
  const payload = pieceAt(body, idEnd);
  const message = pieceAt(body, idEnd + 4 + payload.length);
  const end = idEnd + 8 + payload.length + message.length;
  return {
    ok: true,
    value: {
      requestId: body.toString('latin1', 7, idEnd),
      class: classes[body[1] ?? 0] ?? 'raw',
      returnCode,
      returnCodeName: returnCodeName(returnCode),
      vendorStatus: body.readUInt16LE(4),
      payload: plainBytes(payload),
      ...((flags & HAS_MESSAGE) === 0 ? {} : { message: plainBytes(message) }),
      ...(end === body.length ? {} : (JSON.parse(body.toString('utf8', end)) as Rare)),
    },
  };
}

function pieceAt(body: Buffer, at: number): Buffer {
  return body.subarray(at + 4, at + 4 + body.readUInt32LE(at));
}
