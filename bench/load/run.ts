import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';

/** What a load came to. Times in microseconds. */
export interface Load {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers that were not the expected ones. */
  readonly failed: number;
}

/** One request after the other on each of `width` kept-alive connections, until `total` are answered. */
export async function loadHttp(
  url: string,
  options: {
    readonly path: string;
    readonly token: string;
    readonly body: (i: number) => string;
    readonly total: number;
    readonly width: number;
    /** Who signed the server's certificate, where it has TLS. */
    readonly ca?: string;
  },
): Promise<Load> {
  const { hostname, port } = new URL(url);
  const times: number[] = [];
  let next = 0;
  let failed = 0;
  const begin = performance.now();
  const one = () =>
    new Promise<void>((done, fail) => {
      const to = { host: hostname, port: Number(port), noDelay: true };
      const socket = options.ca === undefined ? connect(to) : connectTls({ ...to, ca: options.ca });
      let sent = 0;
      let got: Buffer = Buffer.alloc(0);
      const send = () => {
        if (next >= options.total) {
          socket.end();
          done();
          return;
        }
        const body = options.body(next++);
        sent = performance.now();
        socket.write(
          `POST ${options.path} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${options.token}\r\n` +
            `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        );
      };
      socket.on(options.ca === undefined ? 'connect' : 'secureConnect', send);
      socket.on('error', fail);
      socket.on('data', (chunk: Buffer) => {
        got = got.length === 0 ? chunk : Buffer.concat([got, chunk]);
        const head = got.indexOf('\r\n\r\n');
        if (head < 0) return;
        const text = got.toString('latin1', 0, head);
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (got.length < head + 4 + length) return;
        times.push((performance.now() - sent) * 1000);
        if (!text.startsWith('HTTP/1.1 200')) failed++;
        got = got.subarray(head + 4 + length);
        send();
      });
    });
  await Promise.all(Array.from({ length: options.width }, one));
  return figures(times, performance.now() - begin, failed);
}

/** One WebSocket, `outstanding` messages under way at once, until `total` are answered. The tag is byte 1. */
export async function loadStream(
  url: string,
  options: {
    readonly path: string;
    readonly token: string;
    readonly message: (tag: number, i: number) => Uint8Array;
    readonly total: number;
    readonly outstanding: number;
    readonly ca?: string;
  },
): Promise<Load> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${options.path}`, {
    headers: { authorization: `Bearer ${options.token}` },
    perMessageDeflate: false,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  await new Promise((done, fail) => {
    socket.once('open', done);
    socket.once('error', fail);
  });
  const sent = new Float64Array(256);
  const times: number[] = [];
  let next = 0;
  let failed = 0;
  const begin = performance.now();
  await new Promise<void>((done, fail) => {
    const send = (tag: number) => {
      sent[tag] = performance.now();
      socket.send(options.message(tag, next++));
    };
    socket.on('message', (data: Buffer) => {
      const tag = data[1] ?? 0;
      times.push((performance.now() - (sent[tag] ?? 0)) * 1000);
      // Return code: bytes 8 and 9 of the header.
      if (data[8] !== 0 || data[9] !== 0) failed++;
      if (next < options.total) send(tag);
      else if (times.length === options.total) done();
    });
    socket.once('close', () => fail(new Error('the stream was closed')));
    for (let tag = 0; tag < Math.min(options.outstanding, options.total); tag++) send(tag);
  });
  const took = performance.now() - begin;
  socket.removeAllListeners('close');
  socket.terminate();
  return figures(times, took, failed);
}

export function figures(times: number[], tookMs: number, failed: number): Load {
  times.sort((a, b) => a - b);
  const at = (q: number) => times[Math.floor(times.length * q)] ?? Number.NaN;
  return { perSecond: (times.length * 1000) / tookMs, p50: at(0.5), p99: at(0.99), failed };
}
