import { isDeepStrictEqual } from 'node:util';
import { safe, safeJson } from '../../src/cli/safe-text.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { json } from '../support/text-mutators.ts';

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

export const target: Target = {
  name: 'safe-text',
  oracle: 'no text of a device or token moves the cursor, and JSON that is shown still means the same',
  covers: ['src/cli/safe-text.ts'],
  kind: 'text',
  maxLength: 200,
  dictionary: ['\u001b[2J', '\u202e', '\u2028', '\u0085', '\ud800', '\\ud800', '\u{e0001}', '\\u0000', '\u00ad'],
  seeds: () => ['{"a":"x\\u001b[31m"}', '["\\u202e",{"\\u0000k":1}]', 'plain', '"\\ud800"'].map(bytesOf),
  mutators: [json],
  open: () => ({
    run(bytes) {
      const text = textOf(bytes);
      demand(!UNSAFE.test(safe(text)), () => JSON.stringify(safe(text)));
      let value: unknown = text;
      try {
        value = JSON.parse(text);
      } catch {
        // A text is a value as well.
      }
      const shown = safeJson(value);
      demand(!UNSAFE.test(shown.replaceAll('\n', '')), () => JSON.stringify(shown));
      // What JSON cannot say, such as 1e999, is said as by JSON.
      demand(
        isDeepStrictEqual(JSON.parse(shown), JSON.parse(JSON.stringify(value))),
        () => `${shown} means something else`,
      );
    },
  }),
};
