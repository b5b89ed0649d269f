import type { ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import type { FabricEvent } from '../../broker/core-api.ts';
import type { EventSink } from './routes-events-stream.ts';

/** How soon a reader that lost his connection comes back. */
const RETRY_MS = 2000;

/** Server-sent events over a response that was begun. */
export function sseSink(response: ServerResponse): EventSink {
  response.write(`retry: ${RETRY_MS}\n\n`);
  return {
    position(id) {
      response.write(`id: ${id}\n\n`);
    },
    event(event) {
      response.write(`id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
    },
    heartbeat() {
      response.write(': nothing new\n\n');
      return true;
    },
    taken(ms) {
      if (!response.writableNeedDrain) return Promise.resolve(true);
      return within(ms, (done) => response.once('drain', done));
    },
    end(end) {
      // No id: whoever comes back goes on behind the last event that he has.
      response.end(`event: end\ndata: ${JSON.stringify(end)}\n\n`);
      // A reader who takes nothing does not take the end either.
      if (response.writableNeedDrain) response.destroy();
    },
  };
}

/** Close codes of a WebSocket of events. */
const closeCodes: { readonly [status: number]: number } = { 401: 4401, 403: 4403, 404: 4404, 408: 4408, 429: 1013 };
const GOING_AWAY = 1001;
/** Bytes that may wait in the socket before the reader counts as behind. */
const BEHIND_BYTES = 64 * 1024;
const LOOK_MS = 20;

/** JSON messages over a WebSocket, one event each. */
export function webSocketSink(socket: WebSocket): EventSink {
  let alive = true;
  socket.on('pong', () => {
    alive = true;
  });
  return {
    position: (id) => socket.send(JSON.stringify({ kind: 'position', id })),
    event: (event: FabricEvent) => socket.send(JSON.stringify(event)),
    heartbeat() {
      if (!alive) return false;
      alive = false;
      socket.ping();
      return true;
    },
    async taken(ms) {
      const until = performance.now() + ms;
      while (socket.readyState === socket.OPEN && socket.bufferedAmount > BEHIND_BYTES) {
        if (performance.now() > until) return false;
        await new Promise((done) => setTimeout(done, LOOK_MS));
      }
      return true;
    },
    end(end) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(JSON.stringify({ kind: 'end', ...end }));
      socket.close(closeCodes[end.status] ?? GOING_AWAY, end.code);
      if (socket.bufferedAmount > BEHIND_BYTES) socket.terminate();
    },
  };
}

function within(ms: number, wait: (done: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    timer.unref();
    wait(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
