import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import {
  decodePayload,
  decodeRequestMessage,
  decodeResponseMessage,
  decodeRoute,
  decodeRoutedReply,
  encodeMessage,
  encodePayload,
  encodeRoute,
  encodeRoutedReply,
  formatVia,
  fromHex,
  fromJson,
  isTyped,
  type Json,
  parseVia,
  type Result,
  type RoutedCommand,
  rowByOpcode,
  type TypedRow,
  toJson,
} from '../../src/cci/index.ts';

interface Example {
  readonly name: string;
  readonly opcode: number;
  readonly tag: number;
  readonly innerTags?: readonly number[];
  readonly via: string;
  readonly request: { readonly bytes: string; readonly params: Json };
  readonly response: {
    readonly bytes: string;
    readonly returnCode?: number;
    readonly background?: boolean;
    readonly result: Json;
  };
}

const folder = new URL('./examples/', import.meta.url);
const examples = readdirSync(folder).map((file) => parse(readFileSync(new URL(file, folder), 'utf8')) as Example);

function good<T>(result: Result<T, { readonly message: string }>): T {
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function bytesOf(text: string): Uint8Array {
  return fromHex(text) ?? expect.fail('not hex');
}

function rowOf(opcode: number): TypedRow {
  const row = rowByOpcode(opcode);
  return row !== undefined && isTyped(row) ? row : expect.fail('no codec');
}

describe.each(examples)('$name', (example) => {
  const row = rowOf(example.opcode);
  const requestBytes = bytesOf(example.request.bytes);
  const responseBytes = bytesOf(example.response.bytes);
  const outer = good(decodeRequestMessage(requestBytes));
  const route: RoutedCommand = good(decodeRoute(outer.opcode, outer.payload));

  test('the request decodes to its path and parameters', () => {
    expect(outer.tag).toBe(example.tag);
    expect(route.opcode).toBe(example.opcode);
    expect(route.tags).toEqual(example.innerTags ?? []);
    expect(formatVia(route.hops)).toBe(example.via);
    expect(toJson(good(decodePayload(row.request, route.payload, { side: 'request' })))).toEqual(
      example.request.params,
    );
  });

  test('path and parameters encode to the request, byte by byte', () => {
    const params = good(fromJson(row.request, example.request.params));
    const payload = good(encodePayload(row.request, params));
    const hops = example.via === '' ? [] : (parseVia(example.via) ?? expect.fail('not a path'));
    const sent = encodeRoute({ hops, tags: example.innerTags ?? [], opcode: example.opcode, payload });
    expect(encodeMessage({ ...outer, ...sent })).toEqual(requestBytes);
  });

  test('the reply decodes to its result, and encodes to the same bytes', () => {
    const reply = good(decodeResponseMessage(responseBytes));
    const routed = good(decodeRoutedReply(route, reply));
    const last = routed.layers.at(-1);
    expect(last?.returnCode).toBe(example.response.returnCode ?? 0);
    expect(last?.background).toBe(example.response.background ?? false);
    const result = good(decodePayload(row.response, routed.payload, { side: 'reply' }));
    expect(toJson(result)).toEqual(example.response.result);
    const payload = encodeRoutedReply(route, {
      ...routed,
      payload: good(encodePayload(row.response, result, 'reply')),
    });
    expect(encodeMessage({ ...reply, payload })).toEqual(responseBytes);
  });
});
