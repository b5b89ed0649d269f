import type { Server, Socket } from 'node:net';

/** Connections of a server, also those in a handshake, which no protocol above knows of yet. */
export class OpenSockets {
  private readonly open = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket) => {
      this.open.add(socket);
      socket.once('close', () => this.open.delete(socket));
    });
  }

  /** Ends them all: a server waits for each before it is closed. */
  destroy(): void {
    for (const socket of this.open) socket.destroy();
  }
}
