import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { decodeResponseMessage, encodeMessage, HEADER_SIZE } from '../../src/cci/index.ts';
import { createEdgeMetrics } from '../../src/edge/http/metrics.ts';
import { StreamSession } from '../../src/edge/http/stream-session.ts';
import { fakeCore, GOOD_TOKEN, refused } from '../../test/support/fake-core.ts';
import { demand, type Target } from '../engine/target.ts';
import { Input } from '../support/input.ts';

/** As much of a WebSocket as a session uses. */
class FakeWebSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly bufferedAmount = 0;
  readonly isPaused = false;
  readonly sent: Uint8Array[] = [];
  closed: number | undefined;
  send(bytes: Uint8Array, _options: unknown, done: () => void): void {
    demand(this.readyState === this.OPEN, 'sent after the end');
    this.sent.push(bytes.slice());
    done();
  }
  close(code: number): void {
    this.closed ??= code;
    this.readyState = 2;
  }
  terminate(): void {
    this.readyState = 3;
  }
  ping(): void {}
  pause(): void {}
  resume(): void {}
}

interface Frame {
  readonly bytes: Buffer;
  readonly isBinary: boolean;
  /** The core gets to answer before the next frame comes. */
  readonly waits: boolean;
}

function framesOf(bytes: Uint8Array): readonly Frame[] {
  const input = new Input(bytes);
  const frames: Frame[] = [];
  while (input.left > 0) {
    const kind = input.byte();
    const length = input.byte() & 0x3f;
    frames.push({ bytes: Buffer.from(input.take(length)), isBinary: kind !== 0xff, waits: (kind & 1) === 1 });
  }
  return frames;
}

const frame = (kind: number, tag: number, opcode: number): readonly number[] => {
  const message = { category: 'request', tag, opcode, background: false, returnCode: 0, vendorStatus: 0 } as const;
  return [kind, HEADER_SIZE, ...encodeMessage({ ...message, payload: new Uint8Array(0) })];
};

export const target: Target = {
  name: 'stream-frames',
  oracle:
    'every binary frame with a header is answered once under its tag, a tag in flight is refused, others end the stream',
  covers: ['src/edge/http/stream-session.ts', 'src/edge/http/request-handles.ts', 'src/cci/header.ts'],
  kind: 'bytes',
  maxLength: 400,
  seeds: () =>
    [
      frame(0, 1, 0x5100),
      [...frame(0, 1, 0x5100), ...frame(0, 1, 0x5101), ...frame(1, 2, 1), ...frame(0, 1, 2)],
      [...frame(1, 3, 0x0666), ...frame(0, 3, 0x0666)],
      [...frame(0, 1, 1), 0xff, 3, 65, 66, 67, ...frame(0, 9, 9)],
      [...frame(0, 1, 1), 0, 3, 1, 2, 3],
    ].map((one) => Uint8Array.from(one)),
  open() {
    const metrics = createEdgeMetrics();
    const core = fakeCore();
    const submit: typeof core.submit = async (...call) => {
      const [, , request] = call;
      // What a core may do as well: answer without a message, refuse, fail.
      const opcode = request.kind === 'message' ? (request.bytes[3] ?? 0) : 0;
      await undefined;
      if (opcode === 0x66) throw new Error('a core that fails');
      if (opcode === 0x67) return refused('EBUSY', { returnCode: 6 });
      return core.submit(...call);
    };
    return {
      async run(bytes) {
        core.calls.length = 0;
        const socket = new FakeWebSocket();
        new StreamSession(
          socket as unknown as WebSocket,
          { ...core, submit },
          {
            switch: 'sw0',
            tenant: 'acme',
            credential: { token: GOOD_TOKEN, source: 'x' },
            carrier: { cork() {}, uncork() {} },
            bufferBytes: 1 << 20,
            pingMs: 1_000_000,
            metrics,
            onEnd: () => {},
          },
        );
        const due: number[] = [];
        for (const { bytes: data, isBinary, waits } of framesOf(bytes)) {
          if (socket.closed !== undefined) break;
          socket.emit('message', data, isBinary);
          if (isBinary && data.length >= HEADER_SIZE) due.push(data[1] ?? 0);
          if (waits) await setImmediate();
        }
        await setImmediate();
        socket.emit('close');
        const tags = socket.sent.map((reply) => {
          const message = decodeResponseMessage(reply);
          demand(message.ok, 'a reply that nobody can read');
          return message.value.tag;
        });
        const isWhole = socket.closed === undefined;
        demand(
          !isWhole || tags.toSorted().join() === due.toSorted().join(),
          `due ${due.join()}, answered ${tags.join()}`,
        );
        for (const tag of tags) demand(due.includes(tag), `an answer to nothing: tag ${tag}`);
        demand(tags.length <= due.length, 'more answers than messages');
        demand(socket.closed === undefined || [1003, 1007].includes(socket.closed), `closed with ${socket.closed}`);
      },
    };
  },
};
