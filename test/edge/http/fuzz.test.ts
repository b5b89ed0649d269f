import { connect } from 'node:net';
import type { InjectOptions } from 'fastify';
import { expect, it } from 'vitest';
import { createHttpEdge } from '../../../src/edge/index.ts';
import { SeededRandom } from '../../cci/seeded-random.ts';
import { type Call, fakeCore, GOOD_TOKEN } from '../../support/fake-core.ts';

/** Requests without a socket, and with one. Together with the seed they are the same in every run. */
const CASES = Number(process.env.FUZZ_HTTP ?? 100_000);
const SOCKET_CASES = Math.ceil(CASES / 50);
const SEED = Number(process.env.FUZZ_SEED ?? 0x0c1);

const ROUTES = [
  '/v1/switches/sw0/commands',
  '/v1/switches/sw0/decisions',
  '/v1/posture/lockdown',
  '/v1/policy/reload',
  '/v1/whoami',
  '/v1/switches',
  '/v1/switches/sw0/operations',
  '/v1/switches/sw0/operations/op-1',
  '/v1/switches/sw0/stream',
  '/v1/posture',
  '/v1/taint',
  '/healthz',
  '/readyz',
];
const BODIES = [
  '{"command":"bind-vppb","params":{"vcs_id":0,"vppb_id":1,"physical_port_id":3,"ld_id":65535},"via":"port:3/ld:1"}',
  '{"command":"get-physical-port-state","params":{"port_id_list":"0-7"}}',
  '{"raw":{"opcode":"0xc010","payload":"00ff10"},"via":"port:3"}',
  '{"raw":{"opcode":20736,"payload":""}}',
  '{"level":"integrity","reason":"incident"}',
  '{}',
];
const PIECES = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  'null',
  '1e999',
  '-0',
  '\u0000',
  '\ud800',
  '"__proto__":{}',
  '0x',
  'é',
];
const METHODS = ['POST', 'POST', 'POST', 'POST', 'GET', 'GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'] as const;
const TYPES = ['application/json', 'application/json', 'application/json; charset=utf-8', 'text/plain', 'a', '', ';'];

class Generator {
  readonly #random: SeededRandom;
  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  below(bound: number): number {
    return this.#random.below(bound);
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new Error('nothing to pick from');
    return one;
  }

  bytes(length: number): Buffer {
    return Buffer.from(this.#random.fill(new Uint8Array(length)));
  }

  /** A text with some of it cut out, doubled, replaced or put in. */
  mutated(text: string): string {
    let result = text;
    for (let n = this.below(4); n > 0; n--) {
      const at = this.below(result.length + 1);
      const size = this.below(6);
      const rest = result.slice(at + (this.below(2) === 0 ? 0 : size));
      const put = this.pick([
        this.pick(PIECES),
        result.slice(at, at + size),
        this.bytes(this.below(3)).toString('latin1'),
        '',
      ]);
      result = result.slice(0, at) + put + rest;
    }
    return result;
  }

  body(): Buffer | undefined {
    switch (this.below(8)) {
      case 0:
        return undefined;
      case 1:
        return this.bytes(this.below(200));
      case 2:
        return Buffer.from(this.pick(['[', '{"a":', '"', '[{"a":', '\\']).repeat(this.below(2000)));
      default:
        return Buffer.from(this.mutated(this.pick(BODIES)), this.below(4) === 0 ? 'latin1' : 'utf8');
    }
  }

  path(): string {
    const route = this.below(3) === 0 ? this.mutated(this.pick(ROUTES)) : this.pick(ROUTES);
    // A client library may send any visible character; what is no URL at all comes over the socket.
    const path = `/${route.replace(/[^\x21-\x7e]/g, '%').replace(/^\/+/, '')}`;
    return URL.canParse(path, 'http://x') ? path : '/%';
  }

  request(): InjectOptions {
    const headers: { [name: string]: string } = {};
    if (this.below(8) !== 0)
      headers.authorization = `Bearer ${this.below(8) === 0 ? this.bytes(9).toString('hex') : GOOD_TOKEN}`;
    if (this.below(10) !== 0) headers['content-type'] = this.pick(TYPES);
    if (this.below(50) === 0) headers['content-length'] = String(this.below(100));
    if (this.below(50) === 0) headers.accept = this.bytes(20).toString('hex');
    const payload = this.body();
    return { method: this.pick(METHODS), url: this.path(), headers, ...(payload === undefined ? {} : { payload }) };
  }
}

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
  const generator = new Generator(SEED);
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
  const generator = new Generator(SEED + 1);
  const send = (bytes: Buffer): Promise<string> =>
    new Promise((resolve) => {
      const chunks: Uint8Array[] = [];
      const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
      socket.on('data', (chunk) => void chunks.push(Buffer.from(chunk)));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    });
  for (let done = 0; done < SOCKET_CASES; done += 250) {
    const batch = Array.from({ length: Math.min(250, SOCKET_CASES - done) }, () => wire(generator));
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

/** A request as bytes, mutated as bytes. */
function wire(generator: Generator): Buffer {
  const body = generator.body() ?? Buffer.alloc(0);
  const upgrade =
    generator.below(8) === 0
      ? 'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
      : '';
  const head =
    `${generator.pick(METHODS)} ${generator.path()} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${GOOD_TOKEN}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n${upgrade}\r\n`;
  const bytes = Buffer.concat([Buffer.from(generator.below(2) === 0 ? generator.mutated(head) : head, 'latin1'), body]);
  for (let n = generator.below(4); n > 0 && bytes.length > 0; n--)
    bytes[generator.below(bytes.length)] = generator.below(256);
  return generator.below(20) === 0 ? generator.bytes(generator.below(300)) : bytes;
}
