import { isDeepStrictEqual } from 'node:util';
import { type Piece, readMessage, readPiece, writePiece } from '../../src/client/console-frames.ts';
import { BrokerError, ProtocolError } from '../../src/client/errors.ts';
import { consoleBytesFrame, readConsoleBytes, readConsoleMessage } from '../../src/edge/http/console-messages.ts';
import { bytesOf, demand, type Mutator, type Target, textOf } from '../engine/target.ts';
import { Input, sameBytes } from '../support/input.ts';
import { json } from '../support/text-mutators.ts';

const TEXT = 0;
const opened = {
  type: 'opened',
  session: 's',
  seat: 'q',
  program: 'p',
  principal: 'user:x#y',
  offset: 0,
  input_offset: 0,
  columns: 80,
  rows: 24,
  ends_at_ms: 9,
  resume_ms: 1,
  recorded: true,
  watching: false,
};
const id = '01234567-89ab-cdef-0123-456789abcdef';
const withKind = (kind: number, bytes: Uint8Array): Uint8Array => new Uint8Array([kind, ...bytes]);
const message = (value: unknown): Uint8Array => withKind(TEXT, bytesOf(JSON.stringify(value)));

const behindKind: Mutator = (input, random, other) =>
  input[0] === TEXT ? withKind(TEXT, json(input.subarray(1), random, other.subarray(1))) : input;

/** Own members, each with a plain value: what was checked is what is used. */
function checkClientMessage(read: object): void {
  for (const [name, value] of Object.entries(read)) {
    const isPlain = typeof value === 'string' ? value.length <= 500 : Number.isSafeInteger(value) && Number(value) >= 0;
    demand(isPlain, `${name} is ${JSON.stringify(value)}`);
  }
}

function checkServerMessage(text: string): void {
  try {
    const read = readMessage(text);
    demand(isDeepStrictEqual(readMessage(JSON.stringify(read)), read), 'read as something else the second time');
  } catch (error) {
    demand(error instanceof ProtocolError || error instanceof BrokerError, () => `not a typed error: ${String(error)}`);
  }
}

function checkBytes(frame: Uint8Array): void {
  const taken = readConsoleBytes(Buffer.from(frame));
  let piece: Piece | undefined;
  try {
    piece = readPiece(frame);
  } catch (error) {
    demand(error instanceof ProtocolError, () => String(error));
  }
  // A broker takes no frame without bytes; a client shows nothing for one.
  if (frame.length > 8)
    demand((taken === undefined) === (piece === undefined), 'the two ends read one frame otherwise');
  if (taken === undefined || piece === undefined) return;
  demand(taken.offset === piece.offset && sameBytes(taken.bytes, piece.bytes), 'the two ends read one frame otherwise');
  demand(
    sameBytes(writePiece(piece), frame) && sameBytes(consoleBytesFrame(taken.offset, taken.bytes), frame),
    'written otherwise',
  );
}

export const target: Target = {
  name: 'console-frames',
  oracle: 'both ends of a console read a frame alike or refuse it; no message has a member that was not checked',
  covers: ['src/edge/http/console-messages.ts', 'src/client/console-frames.ts', 'src/client/shape.ts'],
  kind: 'bytes',
  maxLength: 500,
  dictionary: [
    '"type":"open"',
    '"type":"ack"',
    '"offset":',
    '9007199254740992',
    '"__proto__":',
    '"duration_ms":',
    '-0',
    '1e3',
  ],
  seeds: () => [
    message({ type: 'open', program: 'p', reason: 'r', columns: 80, rows: 24, duration_ms: 5 }),
    message({ type: 'resume', session: id, seat: 'abc', after: 7 }),
    message({ type: 'watch', session: id }),
    message({ type: 'ack', offset: 7 }),
    message({ type: 'resize', columns: 1, rows: 1000 }),
    message({ type: 'close' }),
    message(opened),
    message({ type: 'state', state: 'paused', columns: 1, rows: 2, watchers: 0, input_offset: 3 }),
    message({ type: 'ended', why: 'exit', detail: 'd', exit_code: 0 }),
    withKind(1, Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0, 65, 66)),
    withKind(1, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 65)),
  ],
  mutators: [behindKind],
  open: () => ({
    run(bytes) {
      const input = new Input(bytes);
      if (input.byte() !== TEXT) return checkBytes(input.rest());
      const rest = input.rest();
      const read = readConsoleMessage(Buffer.from(rest));
      if (read !== undefined) checkClientMessage(read);
      return checkServerMessage(textOf(rest));
    },
  }),
};
