import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { DurableRecord } from '../../../../src/broker/journal/index.ts';

/** A certificate for localhost that nobody but these tests trusts. */
export const certificate = readFileSync(new URL('loopback-cert.pem', import.meta.url), 'utf8');
const key = readFileSync(new URL('loopback-key.pem', import.meta.url), 'utf8');

export function record(sequence: number, more = ''): DurableRecord {
  const text = `{"v":1,"seq":${sequence},"at":"2026-01-01T00:00:00.${String(sequence % 1000).padStart(3, '0')}Z","mono":1,"kind":"decision","more":"${more}","hash":"x"}\n`;
  return { kind: 'decision', sequence, text, bytes: Buffer.byteLength(text) };
}

export const records = (from: number, to: number): DurableRecord[] =>
  Array.from({ length: to - from + 1 }, (_, i) => record(from + i));

/** What an octet counting receiver makes of a stream of bytes, whatever its pieces. */
export function counted(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString());
    if (space < 0 || space + 1 + length > bytes.length) break;
    messages.push(bytes.subarray(space + 1, space + 1 + length).toString());
    at = space + 1 + length;
  }
  return messages;
}

export interface Receiver {
  readonly port: number;
  /** Messages so far, over all connections. */
  messages(): string[];
  /** Ends all connections at once. */
  cut(): void;
  close(): Promise<void>;
}

/** A syslog receiver over TCP or TLS. `isDeaf`: takes connections and reads nothing. */
export async function streamReceiver({
  isTls = false,
  isDeaf = false,
  host = '127.0.0.1',
  port = 0,
}: {
  readonly isTls?: boolean;
  readonly isDeaf?: boolean;
  readonly host?: string;
  readonly port?: number;
} = {}): Promise<Receiver> {
  const streams: Buffer[][] = [];
  const sockets = new Set<Socket>();
  const take = (socket: Socket): void => {
    const pieces: Buffer[] = [];
    streams.push(pieces);
    sockets.add(socket);
    socket.on('error', () => undefined);
    if (isDeaf) socket.pause();
    else socket.on('data', (piece: Buffer) => pieces.push(piece));
  };
  const server: TcpServer = isTls ? createTlsServer({ key, cert: certificate }, take) : createTcpServer(take);
  await new Promise<void>((done) => server.listen(port, host, done));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const close = async (): Promise<void> => {
    cut();
    await new Promise((done) => server.close(done));
  };
  onTestFinished(close);
  return {
    port: (server.address() as AddressInfo).port,
    messages: () => streams.flatMap((pieces) => counted(Buffer.concat(pieces))),
    cut,
    close,
  };
}

/** A collector over HTTP that answers as it is told. */
export async function collector(
  answer: (body: string, attempt: number) => { readonly status: number; readonly body?: string } | 'hang',
): Promise<{ readonly url: string; readonly bodies: string[]; readonly headers: NodeJS.Dict<string | string[]>[] }> {
  const bodies: string[] = [];
  const headers: NodeJS.Dict<string | string[]>[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (piece: string) => {
      body += piece;
    });
    request.on('end', () => {
      bodies.push(body);
      headers.push({ ...request.headers, path: request.url, method: request.method });
      const said = answer(body, bodies.length);
      if (said === 'hang') return;
      response.writeHead(said.status, { 'content-type': 'application/json' }).end(said.body ?? '{}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs`, bodies, headers };
}

/** Sequences of the records in collected OTLP bodies. */
export function collected(bodies: readonly string[]): number[] {
  return bodies.flatMap((body) => {
    const { resourceLogs } = JSON.parse(body);
    return resourceLogs[0].scopeLogs[0].logRecords.map(
      (one: { readonly body: { readonly stringValue: string } }) => JSON.parse(one.body.stringValue).seq,
    );
  });
}
