import type { InjectOptions } from 'fastify';
import { SeededRandom } from '../cci/seeded-random.ts';

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

/** Requests that are nearly right, or not at all: the same ones for the same seed. */
export class RequestGenerator {
  readonly #random: SeededRandom;
  readonly #token: string;
  constructor(seed: number, token: string) {
    this.#random = new SeededRandom(seed);
    this.#token = token;
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
      headers.authorization = `Bearer ${this.below(8) === 0 ? this.bytes(9).toString('hex') : this.#token}`;
    if (this.below(10) !== 0) headers['content-type'] = this.pick(TYPES);
    if (this.below(50) === 0) headers['content-length'] = String(this.below(100));
    if (this.below(50) === 0) headers.accept = this.bytes(20).toString('hex');
    const payload = this.body();
    return { method: this.pick(METHODS), url: this.path(), headers, ...(payload === undefined ? {} : { payload }) };
  }

  /** A request as bytes, mutated as bytes. */
  wire(): Buffer {
    const body = this.body() ?? Buffer.alloc(0);
    const upgrade =
      this.below(8) === 0
        ? 'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
        : '';
    const head =
      `${this.pick(METHODS)} ${this.path()} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${this.#token}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n${upgrade}\r\n`;
    const bytes = Buffer.concat([Buffer.from(this.below(2) === 0 ? this.mutated(head) : head, 'latin1'), body]);
    for (let n = this.below(4); n > 0 && bytes.length > 0; n--) bytes[this.below(bytes.length)] = this.below(256);
    return this.below(20) === 0 ? this.bytes(this.below(300)) : bytes;
  }
}
