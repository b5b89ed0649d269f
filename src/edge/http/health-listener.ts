import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CoreApi } from '../../broker/core-api.ts';

// Not by an import: that looks at everything the module could lead to, a client for HTTP among it, and takes 35 ms of the start.
const { createServer } = process.getBuiltinModule('node:http');

const CONNECTIONS = 64;
const TIME_MS = 5000;
/** What strangers ask for is worked out at most once in that time. */
const FRESH_MS = 500;

export interface HealthListener {
  listen(host: string, port: number): Promise<{ readonly host: string; readonly port: number }>;
  close(): Promise<void>;
}

/**
 * `/healthz` and `/readyz` in plain HTTP and nothing else, for supervisors on other machines: one word, no names, no
 * reasons, and no token that could be read on the way.
 */
export function createHealthListener(core: Pick<CoreApi, 'readiness'>, isDraining: () => boolean): HealthListener {
  let asked: { readonly atMs: number; readonly ready: Promise<boolean> } | undefined;
  const isReady = (): Promise<boolean> => {
    const nowMs = performance.now();
    if (asked === undefined || nowMs - asked.atMs > FRESH_MS) {
      const ready = core.readiness().then(
        (said) => said.ready,
        () => false,
      );
      asked = { atMs: nowMs, ready };
    }
    return asked.ready;
  };
  const server: Server = createServer(
    { maxHeaderSize: 4096, headersTimeout: TIME_MS, requestTimeout: TIME_MS, connectionsCheckingInterval: 1000 },
    async (request, response) => {
      const answer = (status: number, word: string): void => {
        response.writeHead(status, {
          'content-type': 'text/plain; charset=utf-8',
          'cache-control': 'no-store',
          connection: 'close',
        });
        response.end(request.method === 'HEAD' ? undefined : `${word}\n`);
      };
      if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, 'GET only');
      if (request.url === '/healthz') return answer(200, 'ok');
      if (request.url !== '/readyz') return answer(404, 'nothing here');
      const ready = (await isReady()) && !isDraining();
      answer(ready ? 200 : 503, ready ? 'ready' : 'not ready');
    },
  );
  server.maxConnections = CONNECTIONS;
  server.maxHeadersCount = 32;
  server.on('clientError', (_error, socket) => socket.destroy());
  return {
    async listen(host, port) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          server.on('error', () => {});
          resolve();
        });
      });
      const bound = server.address() as AddressInfo;
      return { host: bound.address, port: bound.port };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
