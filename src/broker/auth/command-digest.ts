import { hash } from 'node:crypto';
import type { CommandRequest } from '../core-api.ts';

/**
 * What a request asks for, in the form that a proof is made for with `require: dpop-command`. `operation` is the last
 * words of the route.
 */
export type Wish = readonly [operation: string, switchName: string | null, body: unknown];

/** Names what the digest is over, so that no other digest of the same bytes can stand for it. */
const DOMAIN = 'switch-cci-command/1';

/**
 * `cci` of a proof: SHA-256, base64url, over the canonical JSON (RFC 8785) of
 * `["switch-cci-command/1", OPERATION, SWITCH or null, BODY]`. The body is that of the HTTP request.
 */
export function wishDigest([operation, switchName, body]: Wish): string {
  return hash('sha256', canonicalJson([DOMAIN, operation, switchName, body]), 'base64url');
}

/** A command as its HTTP body says it, hex and numbers in one spelling; a CCI message as its bytes. */
export function commandWish(operation: 'commands' | 'decisions', switchName: string, request: CommandRequest): Wish {
  return [operation, switchName, bodyOf(request)];
}

function bodyOf(request: CommandRequest): unknown {
  if (request.kind === 'message') return { message: hex(request.bytes) };
  const { via } = request;
  if (request.kind === 'named') return { command: request.command, params: request.params, via };
  return { raw: { opcode: request.opcode, payload: hex(request.payload) }, via };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/**
 * JSON by RFC 8785: no white space, members in the order of their UTF-16 code units, numbers and strings as ECMAScript
 * writes them. Members that are undefined are left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, one]) => one !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${canonicalJson(one)}`).join(',')}}`;
}
