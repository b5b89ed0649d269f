import { connect, type Socket } from 'node:net';
import type { Answer } from './ask.ts';
import type { Running } from './broker-process.ts';

/** A connection that a client misuses as it likes. */
export interface Raw {
  readonly socket: Socket;
  /** Bytes that the kernel took. */
  readonly written: () => number;
  /** When the broker has ended it: its answer, if there was one, else `closed`. */
  readonly end: Promise<Answer>;
}

/** @param isDeaf reads nothing and does not close when the broker does */
export function raw(broker: Running, bytes: string | Uint8Array, isDeaf = false): Raw {
  const began = performance.now();
  const socket = connect({ port: broker.port, host: '127.0.0.1', allowHalfOpen: isDeaf });
  let got = '';
  socket.on('error', () => undefined);
  if (!isDeaf) {
    socket.on('data', (data: Buffer) => {
      got += data.toString('latin1');
    });
  }
  const end = new Promise<Answer>((resolve) => {
    socket.on('close', () => resolve(answerIn(got, Math.round(performance.now() - began))));
  });
  socket.write(bytes);
  return { socket, written: () => socket.bytesWritten - socket.writableLength, end };
}

function answerIn(got: string, tookMs: number): Answer {
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(got)?.[1]);
  if (Number.isNaN(status)) return { socket: 'closed', tookMs };
  const body: { readonly code?: string; readonly detail?: string } = JSON.parse(got.slice(got.indexOf('\r\n\r\n') + 4));
  return { status, ...body, tookMs };
}
