import type { Server, Socket } from 'node:net';

/** Of the connections that are allowed, the part that is kept free for newcomers by ending idle ones: one in so many. */
const FREE_PART = 16;

/** What a request tells of its connection: over HTTP/2 that is not the socket itself. */
type Endpoint = Pick<Socket, 'remoteAddress' | 'remotePort'>;

/**
 * Connections without a whole request on them. Where nearly all that are allowed are open, the one that has been so for
 * longest is given up for a newcomer: whoever opens many, and asks for nothing or never finishes, shuts nobody out.
 */
export class IdleConnections {
  /** By address and port of the peer, longest idle first; the socket that TCP accepted, whatever runs on it. */
  private readonly idle = new Map<string, Socket>();
  /** Requests under way, where there are any. */
  private readonly busy = new Map<string, { readonly socket: Socket; requests: number }>();
  private readonly most: number;

  /** @param connections that the server lets in at all */
  constructor(server: Server, connections: number) {
    this.most = connections - Math.floor(connections / FREE_PART);
    server.on('connection', (socket: Socket) => this.opened(socket));
  }

  /** The headers of a request have come: others have been idle for longer. */
  touched(endpoint: Endpoint): void {
    const name = nameOf(endpoint);
    const socket = this.idle.get(name);
    if (socket === undefined) return;
    this.idle.delete(name);
    this.idle.set(name, socket);
  }

  /** A whole request has come. @returns what its end is told to */
  begin(endpoint: Endpoint): () => void {
    const name = nameOf(endpoint);
    const socket = this.idle.get(name);
    const known = this.busy.get(name);
    if (socket !== undefined) {
      this.idle.delete(name);
      this.busy.set(name, { socket, requests: 1 });
    } else if (known !== undefined) known.requests += 1;
    return () => this.end(name);
  }

  private end(name: string): void {
    const known = this.busy.get(name);
    if (known === undefined) return;
    known.requests -= 1;
    if (known.requests > 0) return;
    this.busy.delete(name);
    this.idle.set(name, known.socket);
  }

  private opened(socket: Socket): void {
    const name = nameOf(socket);
    this.idle.set(name, socket);
    socket.once('close', () => {
      this.idle.delete(name);
      this.busy.delete(name);
    });
    if (this.idle.size + this.busy.size <= this.most) return;
    const [longest] = this.idle.values();
    longest?.destroy();
  }
}

const names = new WeakMap<Endpoint, string>();

function nameOf(endpoint: Endpoint): string {
  const known = names.get(endpoint);
  if (known !== undefined) return known;
  const { remoteAddress, remotePort } = endpoint;
  const name = `${remoteAddress} ${remotePort}`;
  if (remoteAddress !== undefined) names.set(endpoint, name);
  return name;
}
