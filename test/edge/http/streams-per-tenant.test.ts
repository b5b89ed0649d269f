import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createHttpEdge, type HttpEdge, type HttpLimits } from '../../../src/edge/index.ts';
import { fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';

let edge: HttpEdge | undefined;
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await edge?.close();
});

/** How each of many streams that are asked for at once comes out: `open`, a status, or a close code. */
async function ask(count: number, limits: Partial<HttpLimits>, slowly = false): Promise<readonly string[]> {
  const core = fakeCore();
  const { whoami } = core;
  // A look at the token that takes a moment, so that all of them are looked at before any is counted.
  core.whoami = async (credential) => {
    if (slowly) await new Promise((done) => setTimeout(done, 50));
    return whoami(credential);
  };
  edge = createHttpEdge(core, { limits: { shutdownMs: 500, ...limits } });
  const { url } = await edge.listen('127.0.0.1', 0);
  const outcomes = Array.from({ length: count }, () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/switches/sw0/stream`, {
      headers: { authorization: `Bearer ${GOOD_TOKEN}` },
    });
    sockets.push(socket);
    return new Promise<string>((resolve) => {
      socket.once('unexpected-response', (_request, response) => resolve(String(response.statusCode)));
      socket.once('close', (code) => resolve(String(code)));
      socket.once('open', () => setTimeout(() => resolve('open'), 600));
      socket.on('error', () => 0);
    });
  });
  return Promise.all(outcomes);
}

it('one tenant cannot have all streams', async () => {
  const outcomes = await ask(6, { streams: 6, streamsPerTenant: 2 });
  expect(outcomes.filter((outcome) => outcome === 'open')).toHaveLength(2);
});

it('streams asked for at the same time are counted one by one', async () => {
  const outcomes = await ask(12, { streams: 3, streamsPerTenant: 12 }, true);
  expect(outcomes.filter((outcome) => outcome === 'open')).toHaveLength(3);
  expect(outcomes.filter((outcome) => outcome === '1013' || outcome === '429')).toHaveLength(9);
});
