import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Pty, spawnOnTerminal } from './pty.ts';

/** A broker as far as its console route goes, with a real program on a real terminal; the test has all strings. */
export interface FakeConsole {
  readonly url: string;
  /** Messages and, as `bytes`, input of the client, in order. */
  readonly heard: { readonly type: string; readonly [name: string]: unknown }[];
  readonly program: Pty | undefined;
  /** Cuts the connection as a network does. */
  cut(): void;
  /** Takes no new connection, or takes them again. */
  refuse(isRefused: boolean): void;
  send(message: object): void;
  /** Bytes of output at an offset of the test's choice. */
  output(offset: number, bytes: Uint8Array): void;
  close(): Promise<void>;
}

export interface FakeOptions {
  /** Program and arguments; none: the test says what comes. */
  readonly run?: readonly string[];
  /** What is sent in answer to the first message instead of `opened`. */
  readonly first?: object;
  readonly resumeMs?: number;
}

export async function fakeConsole({ run, first, resumeMs = 60_000 }: FakeOptions = {}): Promise<FakeConsole> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  const heard: FakeConsole['heard'] = [];
  let socket: WebSocket | undefined;
  let program: Pty | undefined;
  let isRefused = false;
  let output = Buffer.alloc(0);
  let input = 0;
  let sent = 0;

  const send = (message: object): void => socket?.send(JSON.stringify(message));
  const piece = (offset: number, bytes: Uint8Array): void => {
    const frame = Buffer.alloc(8 + bytes.length);
    frame.writeBigUInt64LE(BigInt(offset));
    frame.set(bytes, 8);
    socket?.send(frame);
  };
  const pump = (): void => {
    if (socket === undefined) return;
    piece(sent, output.subarray(sent));
    sent = output.length;
  };
  const opened = (columns: number, rows: number): void => {
    send({
      type: 'opened',
      session: '0198f7c2-2b7e-7cc3-9c0c-3f5f6f0e1d2a',
      seat: 'seat-word',
      program: 'vendor-tool',
      principal: 'user:local#ann',
      offset: sent,
      input_offset: input,
      columns,
      rows,
      ends_at_ms: Date.now() + 3_600_000,
      resume_ms: resumeMs,
      recorded: true,
      watching: false,
    });
  };
  const state = (): void =>
    send({ type: 'state', state: 'running', columns: 80, rows: 24, watchers: 0, input_offset: input });

  server.on('request', (_request, reply) => {
    reply.setHeader('content-type', 'application/json');
    reply.end(JSON.stringify({ programs: [], requests: [], sessions: [] }));
  });
  server.on('upgrade', (request, carrier, head) => {
    if (isRefused) return carrier.destroy();
    sockets.handleUpgrade(request, carrier, head, (made) => {
      socket = made;
      made.on('close', () => {
        if (socket === made) socket = undefined;
      });
      made.on('message', (data: Buffer, isBinary: boolean) => {
        if (isBinary) {
          const offset = Number(data.readBigUInt64LE());
          const fresh = data.subarray(8 + Math.max(0, input - offset));
          heard.push({ type: 'bytes', offset, text: fresh.toString() });
          input += fresh.length;
          program?.write(fresh);
          state();
          return;
        }
        const message = JSON.parse(data.toString());
        heard.push(message);
        if (message.type === 'open') {
          if (first !== undefined) return send(first);
          opened(message.columns, message.rows);
          const [file, ...rest] = run ?? [];
          if (file === undefined) return;
          program = spawnOnTerminal(file, rest, { cols: message.columns, rows: message.rows });
          program.onData((chunk) => {
            output = Buffer.concat([output, Buffer.from(chunk)]);
            pump();
          });
          program.onExit(({ exitCode }) => {
            send({ type: 'ended', why: 'exited', detail: 'the program has ended', exit_code: exitCode });
          });
        } else if (message.type === 'resume') {
          sent = message.after;
          opened(80, 24);
          pump();
        } else if (message.type === 'resize') program?.resize(message.columns, message.rows);
        else if (message.type === 'close') {
          program?.kill();
          send({ type: 'ended', why: 'closed', detail: 'it was closed' });
        }
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard,
    get program() {
      return program;
    },
    cut: () => socket?.terminate(),
    refuse: (is) => {
      isRefused = is;
    },
    send,
    output: piece,
    async close() {
      program?.kill('SIGKILL');
      for (const one of sockets.clients) one.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
