import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { encodeMessage, encodeRoute, type Hop, ldId, portId } from '../../../src/cci/index.ts';
import { createHttpEdge, type HttpEdge } from '../../../src/edge/index.ts';
import { SeededRandom } from '../../cci/seeded-random.ts';
import { RequestGenerator } from '../../support/request-generator.ts';
import { type Broker, startTestBroker } from '../../support/running-broker.ts';

/** The same requests as without a core, but against a real one with the shipped configuration. */
const CASES = Number(process.env.FUZZ_BROKER ?? 4000);
const SEED = Number(process.env.FUZZ_SEED ?? 0x0c2);

let broker: Broker;
let edge: HttpEdge;
let token = '';
beforeAll(async () => {
  broker = await startTestBroker('config/broker.yaml');
  edge = createHttpEdge(broker.core, { limits: { shutdownMs: 500 } });
  token = await broker.token({ tenant: 'acme', subject: 'alice', groups: ['operators'] });
});
afterAll(async () => {
  await edge.close();
  await broker.close();
});

// No 500, and no 503: neither the broker nor its journal nor its device may give way.
const STATUSES = new Set([200, 400, 401, 403, 404, 409, 413, 415, 426, 429]);

it(`${CASES} random and mutated requests to a whole broker: never a 500, and it still serves`, {
  timeout: 600_000,
}, async () => {
  const generator = new RequestGenerator(SEED, token);
  const seen = new Map<number, number>();
  for (let done = 0; done < CASES; done += 50) {
    const batch = Array.from({ length: Math.min(50, CASES - done) }, () => generator.request());
    const replies = await Promise.all(batch.map((request) => edge.inject(request)));
    replies.forEach((reply, i) => {
      seen.set(reply.statusCode, (seen.get(reply.statusCode) ?? 0) + 1);
      if (!STATUSES.has(reply.statusCode))
        expect.fail(`${reply.statusCode}: ${JSON.stringify(batch[i])} ${reply.body}`);
    });
  }
  expect(seen.get(200)).toBeGreaterThan(CASES / 50);
  expect(seen.get(403)).toBeGreaterThan(0);
  expect((await edge.inject('/readyz')).statusCode).toBe(200);
});

it(`${CASES} random and mutated messages on a stream: each has its reply, with its tag`, {
  timeout: 600_000,
}, async () => {
  const { url } = await edge.listen('127.0.0.1', 0);
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/switches/sw0/stream`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let ended: string | undefined;
  socket.once('close', (code, reason) => {
    ended = `${code} ${reason}`;
  });
  const random = new SeededRandom(SEED + 1);
  for (let done = 0; done < CASES && ended === undefined; done += 250) {
    const size = Math.min(250, CASES - done);
    const open = new Set(Array.from({ length: size }, (_, tag) => tag));
    const answered = new Promise<void>((resolve, reject) => {
      const take = (reply: Buffer): void => {
        if (reply[0] !== 1 || !open.delete(reply[1] ?? 0))
          reject(new Error(`${reply.toString('hex')} answers nothing`));
        if (open.size > 0) return;
        socket.off('message', take);
        resolve();
      };
      socket.on('message', take);
      socket.once('close', () => reject(new Error('the stream was closed')));
    });
    for (const tag of open) socket.send(message(random, tag));
    await answered;
    socket.removeAllListeners('close');
  }
  expect(ended).toBeUndefined();
  expect((await edge.inject('/readyz')).statusCode).toBe(200);
  socket.close();
});

const OPCODES = [
  0x0001, 0x0003, 0x0400, 0x0401, 0x4000, 0x5100, 0x5101, 0x5102, 0x5200, 0x5201, 0x5202, 0x5300, 0x5301, 0x5400,
  0x5401, 0xc010,
];

/** A message whose header and tunnels are mostly right, with a few bytes changed in every second one. */
function message(random: SeededRandom, tag: number): Uint8Array {
  const bytes = (most: number) => random.fill(new Uint8Array(random.below(most)));
  const hops: readonly Hop[] = [
    { kind: 'port', port: portId(random.below(9)) },
    { kind: 'ld', ld: ldId(random.below(5)) },
  ];
  const opcode = random.below(4) === 0 ? random.below(0x10000) : (OPCODES[random.below(OPCODES.length)] ?? 1);
  const depth = random.below(3);
  const inner = { hops: hops.slice(0, depth), tags: [7, 8].slice(0, depth), opcode, payload: bytes(40) };
  const request = { category: 'request', tag, background: false, returnCode: 0, vendorStatus: 0 } as const;
  const whole = encodeMessage({ ...request, ...encodeRoute(inner) });
  for (let n = random.below(2) * random.below(4); n > 0; n--) {
    const at = random.below(whole.length);
    // Byte 1 is the tag, by which the test knows its replies.
    if (at !== 1) whole[at] = random.below(256);
  }
  return whole;
}
