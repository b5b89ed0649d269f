import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type CodecError,
  type Dialect,
  decodePayload,
  decodeRequestMessage,
  decodeResponseMessage,
  decodeRoute,
  decodeRoutedReply,
  encodeMessage,
  encodePayload,
  encodeRoute,
  encodeRoutedReply,
  fromHex,
  isTyped,
  parseVia,
  type Result,
  rowBySlug,
  TUNNEL_OPCODE,
  type TypedRow,
  toHex,
} from '../../src/cci/index.ts';

// Inputs that a decoder once got wrong, or could: one folder for each decoder, one small file for each input.
//   # row: slug       which row's payload it is
//   # expect: ...     `ok` (and encodes to the same bytes), `two forms` (encodes to others), or code and field of the error

interface Input {
  readonly file: string;
  readonly row: string;
  readonly expect: string;
  readonly bytes: Uint8Array;
}

/** What a decoder says of some bytes, and the bytes that its value encodes to. */
type Target = (input: Input) => Result<Uint8Array, CodecError>;

const folder = new URL('./corpus/', import.meta.url);

function inputsOf(target: string): readonly Input[] {
  return readdirSync(new URL(`${target}/`, folder)).map((file) => {
    const lines = readFileSync(new URL(`${target}/${file}`, folder), 'utf8').split('\n');
    const note = (key: string): string =>
      lines.find((line) => line.startsWith(`# ${key}: `))?.slice(key.length + 4) ?? '';
    const bytes = fromHex(lines.filter((line) => !line.startsWith('#')).join('')) ?? expect.fail(`${file} is not hex`);
    return { file, row: note('row'), expect: note('expect'), bytes };
  });
}

function mapped<T>(result: Result<T, CodecError>, encode: (value: T) => Uint8Array): Result<Uint8Array, CodecError> {
  return result.ok ? { ok: true, value: encode(result.value) } : result;
}

function rowOf({ row: slug }: Input): TypedRow {
  const row = rowBySlug(slug);
  return row !== undefined && isTyped(row) ? row : expect.fail(`no codec for ${slug}`);
}

const route =
  (dialect: Dialect): Target =>
  ({ bytes }) =>
    mapped(decodeRoute(TUNNEL_OPCODE, bytes, dialect), (value) => encodeRoute(value, dialect).payload);

const payload =
  (part: 'request' | 'response'): Target =>
  (input) => {
    const side = part === 'request' ? 'request' : 'reply';
    const layout = rowOf(input)[part];
    const decoded = decodePayload(layout, input.bytes, { side });
    if (!decoded.ok) return decoded;
    return encodePayload(layout, decoded.value, side);
  };

/** The command that every routed reply of the corpus answers: Identify on LD 1 below port 3. */
const sent = {
  hops: parseVia('port:3/ld:1') ?? [],
  tags: [0x22, 0x33],
  opcode: 0x0001,
  payload: new Uint8Array(0),
};

const targets: { readonly [name: string]: Target } = {
  'request-message': ({ bytes }) => mapped(decodeRequestMessage(bytes), (value) => encodeMessage(value)),
  'response-message': ({ bytes }) => mapped(decodeResponseMessage(bytes), (value) => encodeMessage(value)),
  route: route('spec'),
  'route-jackrabbit': route('jackrabbit'),
  'routed-reply': ({ bytes }) => {
    const outer = { returnCode: 0, vendorStatus: 0, background: false, payload: bytes };
    return mapped(decodeRoutedReply(sent, outer), (value) => encodeRoutedReply(sent, value));
  },
  'request-payload': payload('request'),
  'reply-payload': payload('response'),
};

test('every folder of the corpus has its decoder', () => {
  expect(readdirSync(folder).sort()).toEqual(Object.keys(targets).sort());
});

describe.each(Object.entries(targets))('%s', (name, target) => {
  test.each(inputsOf(name))('$file: $expect', (input) => {
    const result = target(input);
    if (!result.ok) return expect(`${result.error.code} ${result.error.field}`.trim()).toBe(input.expect);
    expect(toHex(result.value) === toHex(input.bytes) ? 'ok' : 'two forms').toBe(input.expect);
  });
});
