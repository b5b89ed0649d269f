import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { createHttpEdge } from '../../../src/edge/index.ts';
import { type Call, fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';
import { RequestGenerator } from '../../support/request-generator.ts';

/** Requests without a socket, and with one. Together with the seed they are the same in every run. */
const CASES = Number(process.env.FUZZ_HTTP ?? 20_000);
const SOCKET_CASES = Math.ceil(CASES / 50);
const SEED = Number(process.env.FUZZ_SEED ?? 0x0c1);

const STATUSES = new Set([200, 400, 401, 403, 404, 408, 413, 415, 426, 431, 501, 505]);

/** What reached the core is what the contract allows, however it was spelled. */
function checkCall(call: Call): void {
  const { request } = call;
  if (request?.kind === 'named') {
    expect(typeof request.command).toBe('string');
    expect(request.params === undefined || (typeof request.params === 'object' && request.params !== null)).toBe(true);
  }
  if (request?.kind === 'raw') {
    expect(Number.isInteger(request.opcode) && request.opcode >= 1 && request.opcode <= 0xffff).toBe(true);
    expect(request.payload).toBeInstanceOf(Uint8Array);
  }
  expect(Object.hasOwn(Object.prototype, 'via')).toBe(false);
}

it(`${CASES} random and mutated requests: no crash, no hang, never a 500`, { timeout: 180_000 }, async () => {
  const core = fakeCore();
  const edge = createHttpEdge(core);
  const generator = new RequestGenerator(SEED, GOOD_TOKEN);
  const seen = new Map<number, number>();
  let reached = 0;
  for (let done = 0; done < CASES; done += 100) {
    const batch = Array.from({ length: Math.min(100, CASES - done) }, () => generator.request());
    const replies = await Promise.all(batch.map((request) => edge.inject(request)));
    replies.forEach((reply, i) => {
      seen.set(reply.statusCode, (seen.get(reply.statusCode) ?? 0) + 1);
      if (!STATUSES.has(reply.statusCode))
        expect.fail(`${reply.statusCode}: ${JSON.stringify(batch[i])} ${reply.body}`);
      if (reply.statusCode >= 400 && batch[i]?.method !== 'HEAD') expect(reply.json().status).toBe(reply.statusCode);
    });
    for (const call of core.calls.splice(0)) {
      checkCall(call);
      reached += 1;
    }
  }
  await edge.close();
  // The generator is worth something only if it gets past the parser and is also refused by it.
  expect(reached).toBeGreaterThan(CASES / 20);
  expect(seen.get(400)).toBeGreaterThan(CASES / 20);
  expect(seen.get(200)).toBeGreaterThan(CASES / 50);
});

it(`${SOCKET_CASES} streams of bytes on a socket: each ends with an answer that is no 500, or with none`, {
  timeout: 120_000,
}, async () => {
  const edge = createHttpEdge(fakeCore(), {
    limits: { requestTimeoutMs: 300, headersTimeoutMs: 200, keepAliveMs: 200, shutdownMs: 500 },
  });
  const { port, url } = await edge.listen('127.0.0.1', 0);
  const generator = new RequestGenerator(SEED + 1, GOOD_TOKEN);
  const send = (bytes: Buffer): Promise<string> =>
    new Promise((resolve) => {
      const chunks: Uint8Array[] = [];
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
      socket.on('data', (chunk) => void chunks.push(Buffer.from(chunk)));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    });
  for (let done = 0; done < SOCKET_CASES; done += 250) {
    const batch = Array.from({ length: Math.min(250, SOCKET_CASES - done) }, () => generator.wire());
    const answers = await Promise.all(batch.map(send));
    answers.forEach((answer, i) => {
      for (const status of answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
        if (!STATUSES.has(Number(status[1])) && status[1] !== '101' && status[1] !== '417') {
          expect.fail(`${status[1]}: ${JSON.stringify(batch[i]?.toString('latin1'))}`);
        }
      }
    });
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  await edge.close();
});
