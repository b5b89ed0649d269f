import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the server does instead of sending the answer: other text (as it is, with its line ends), or closing. */
export type Tampering = { readonly text: string } | 'close' | 'silence' | undefined;

/** The far end of a qtest socket, answering from a function, with faults on demand. */
export class FakeQtestServer {
  readonly path: string;
  /** Consulted with each request, numbered from 0 per server. */
  tamper: (index: number, line: string, answer: string) => Tampering = () => undefined;
  /** Answers leave in pieces of this many bytes. */
  chunkBytes = Number.POSITIVE_INFINITY;
  readonly #directory: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #index = 0;

  private constructor(answer: (line: string) => string) {
    this.#directory = mkdtempSync(join(tmpdir(), 'fake-qtest-'));
    this.path = join(this.#directory, 'qtest');
    this.#server = createServer((socket) => this.#serve(socket, answer));
  }

  static async start(answer: (line: string) => string): Promise<FakeQtestServer> {
    const server = new FakeQtestServer(answer);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(server.path, resolve);
    });
    return server;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #serve(socket: Socket, answer: (line: string) => string): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let unsent = '';
    const send = (text: string) => {
      const isSending = unsent !== '';
      unsent += text;
      if (!isSending) drain();
    };
    const drain = () => {
      socket.write(unsent.slice(0, this.chunkBytes), 'latin1');
      unsent = unsent.slice(this.chunkBytes);
      if (unsent !== '') setImmediate(drain);
    };
    let partial = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (partial + text).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) {
        const normal = answer(line);
        const tampering = this.tamper(this.#index++, line, normal);
        if (tampering === 'close') {
          socket.destroy();
          return;
        }
        if (tampering === undefined) send(`${normal}\n`);
        else if (tampering !== 'silence') send(tampering.text);
      }
    });
  }
}
