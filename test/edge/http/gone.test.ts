import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { CoreApi } from '../../../src/broker/core-api.ts';
import { createHttpEdge, type HttpEdge } from '../../../src/edge/index.ts';
import { authority } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';
import { turns } from '../../support/turns.ts';

const ca = authority();
const SESSION = 'a session';
const EVENTS = '/v1/switches/sw0/events';
type Protocol = 'HTTP/1.1' | 'HTTP/2';

let edge: HttpEdge | undefined;
afterEach(async () => {
  await edge?.close();
  edge = undefined;
});

/** Something that is answered when the test says so. */
function gate() {
  let open = (): void => {};
  let entered = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const isThere = new Promise<void>((resolve) => {
    entered = resolve;
  });
  const wait = (): Promise<void> => {
    entered();
    return opened;
  };
  return { wait, open, isThere };
}

async function listen(replace: Partial<CoreApi>): Promise<number> {
  const core = fakeCore(replace);
  const tls = { material: ca.issue(), clientCertificates: 'none' } as const;
  edge = createHttpEdge(core, { tls, limits: { shutdownMs: 100, eventHeartbeatMs: 20, eventStreamsPerTenant: 1 } });
  return (await edge.listen('127.0.0.1', 0)).port;
}

/** Asks, and goes away when told. */
function ask(protocol: Protocol, port: number, path: string, headers: { readonly [name: string]: string }): () => void {
  if (protocol === 'HTTP/2') {
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: ca.certificate });
    session.on('error', () => {});
    session.request({ ':path': path, ...headers }).on('error', () => {});
    return () => session.destroy();
  }
  const socket = connectTls({ port, host: '127.0.0.1', ca: ca.certificate });
  socket.on('error', () => {});
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return () => socket.destroy();
}

describe.each<Protocol>(['HTTP/1.1', 'HTTP/2'])(
  'over %s, a caller who goes away while the core is asked',
  (protocol) => {
    it('leaves no session of his proof behind', async () => {
      const asked = gate();
      const ended: string[] = [];
      const port = await listen({
        begin: async ({ source }) => {
          await asked.wait();
          return { ok: true, value: { token: GOOD_TOKEN, source, scheme: 'dpop', session: SESSION } };
        },
        end: async (session) => void ended.push(session),
      });
      const goAway = ask(protocol, port, '/metrics', { authorization: `DPoP ${GOOD_TOKEN}`, dpop: 'a.b.c' });
      await asked.isThere;
      goAway();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await turns(20);
      asked.open();
      await eventually(() => ended).toEqual([SESSION]);
    });

    it('leaves no stream of events behind that reads on for nobody, in the place of another', async () => {
      const asked = gate();
      let reads = 0;
      const port = await listen({
        events: async () => {
          reads += 1;
          if (reads === 1) await asked.wait();
          return { ok: true, value: { events: [], next: 'here', more: false } };
        },
      });
      const headers = { authorization: `Bearer ${GOOD_TOKEN}`, accept: 'text/event-stream' };
      const goAway = ask(protocol, port, EVENTS, headers);
      await asked.isThere;
      goAway();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await turns(20);
      asked.open();
      await new Promise((resolve) => setTimeout(resolve, 150));
      expect(reads).toBe(1);
      // His tenant may have one stream, and that one is free.
      const leave = ask(protocol, port, EVENTS, headers);
      await eventually(() => reads).toBeGreaterThan(3);
      leave();
    });
  },
);
