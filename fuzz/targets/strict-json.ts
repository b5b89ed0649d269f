import { isDeepStrictEqual } from 'node:util';
import { parseObject } from '../../src/broker/auth/strict-json.ts';
import { bytesOf, demand, type Target } from '../engine/target.ts';
import { strictlyRead } from '../support/plain-json.ts';
import { json } from '../support/text-mutators.ts';

export const target: Target = {
  name: 'strict-json',
  oracle:
    'exactly the JSON objects in UTF-8 without a repeated member and at most 16 deep are accepted, and mean the same',
  covers: ['src/broker/auth/strict-json.ts'],
  kind: 'text',
  maxLength: 300,
  dictionary: [
    '"a":',
    '"\\u0061":',
    '"__proto__":',
    '\\"',
    '\\\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    '"',
    '{"a":1,"a":2}',
    '\ufeff',
  ],
  seeds: () =>
    ['{}', '{"a":1,"b":[{"a":2},{"a":3}]}', '{"iss":"x","\\u0069ss":"y"}', '{"a":"}{\\"","b":null}', '[]'].map(bytesOf),
  mutators: [json],
  open: () => ({
    run(bytes) {
      const parsed = parseObject(bytes);
      const expected = strictlyRead(bytes, 16);
      demand(parsed.ok === (expected !== undefined), () => `${parsed.ok ? 'accepted' : `refused: ${parsed.error}`}`);
      demand(!parsed.ok || isDeepStrictEqual(parsed.value, expected?.value), 'read as something else');
    },
  }),
};
