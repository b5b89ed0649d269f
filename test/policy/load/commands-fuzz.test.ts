import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodePayload,
  encodePayload,
  extendCommands,
  layoutProblems,
  rowBySlug,
  type VendorRow,
} from '../../../src/cci/index.ts';
import { readPolicy } from '../../../src/policy/load/index.ts';
import { cpuTimeMs } from '../../support/cpu-time.ts';
import { fabric, sourceOf } from './fixture.ts';

/** Random inputs tried in a normal run; set for a longer one. */
const CASES = Number(process.env.FUZZ_CASES ?? 1500);
const folder = `${import.meta.dirname}/commands`;
const sound: readonly (readonly [string, string])[] = readdirSync(folder).map((name) => [
  name.replace('.yaml', ''),
  readFileSync(`${folder}/${name}`, 'utf8'),
]);
const policy = sourceOf({});
const rest = 'files' in policy ? policy.files : {};

/** Loads: no throw, no hang, and either mistakes that can be found and mended, or a row that keeps all promises. */
async function survives(slug: string, content: string | Uint8Array): Promise<'accepted' | 'refused'> {
  const started = cpuTimeMs();
  const loaded = await readPolicy({
    files: { ...rest, [`commands.d/${slug}.yaml`]: content },
    fabric,
    profile: 'host',
    today: '2026-11-23',
  });
  expect(cpuTimeMs() - started).toBeLessThan(3000);
  if (loaded.ok) {
    const [row, ...more] = loaded.value.rules.commands?.reviewed ?? [];
    expect(more).toEqual([]);
    if (row === undefined) throw new Error('accepted in silence');
    keepsPromises(slug, row);
    return 'accepted';
  }
  expect(loaded.error.length).toBeGreaterThan(0);
  for (const error of loaded.error) {
    expect(error.line).toBeGreaterThan(0);
    expect(error.column).toBeGreaterThan(0);
    expect(error.message).not.toBe('');
    expect(error.help).not.toBe('');
    // What is shown of a file can't move a terminal's cursor.
    expect(`${error.file}${error.message}${error.help}${error.text}`).not.toMatch(/\p{Cc}/u);
  }
  return 'refused';
}

function keepsPromises(slug: string, row: VendorRow): void {
  expect(row.slug).toBe(slug);
  expect(rowBySlug(row.slug)).toBeUndefined();
  expect(row.opcode >= 0xc000 && row.opcode <= 0xffff).toBe(true);
  expect(() => extendCommands([row])).not.toThrow();
  expect([...layoutProblems(row.request), ...layoutProblems(row.response)]).toEqual([]);
  for (const text of [
    row.name,
    row.vendor.review.reviewer,
    row.vendor.review.reference,
    row.vendor.review.reason,
    row.vendor.review.date,
  ]) {
    expect(text.trim()).not.toBe('');
    expect(text).not.toMatch(/\p{C}/u);
  }
  if (row.mutating) expect(row.scope).toBeGreaterThanOrEqual(2);
  // The codecs take any bytes: what they accept has one byte form.
  for (const length of [0, row.request.min, row.request.max ?? 0, 7]) {
    const bytes = Uint8Array.from({ length: Math.min(length, 4096) }, (_, i) => i % 3);
    for (const [layout, side] of [
      [row.request, 'request'],
      [row.response, 'reply'],
    ] as const) {
      const value = decodePayload(layout, bytes, { side });
      if (!value.ok || side === 'reply') continue;
      const again = encodePayload(layout, value.value, side);
      expect(again.ok && [...again.value]).toEqual([...bytes]);
    }
  }
}

const pieces = [
  '*',
  '&a ',
  '!!str ',
  '{',
  '}',
  '[',
  ']',
  ': ',
  '- ',
  '\n',
  '\n  ',
  '# ',
  '"',
  "'",
  '|',
  '>',
  '<<',
  '0',
  '-1',
  '0xc011',
  '0x',
  '1-2',
  'rest',
  'none',
  'true',
  'switch',
  'path-end',
  'uint',
  'count',
  'list',
  'of',
  'enum',
  'optional',
  '\0',
  '\u202e',
  '\t',
  '__proto__',
  '99999999999999999999',
];

describe('no file of commands makes the loader throw, hang or accept in silence', () => {
  test('the sound ones are accepted', async () => {
    for (const [slug, text] of sound) expect(await survives(slug, text)).toBe('accepted');
  });

  test(`${CASES} mutations of them`, { timeout: 60_000 + CASES * 20 }, async () => {
    const seen = { accepted: 0, refused: 0 };
    const mutation = fc.tuple(
      fc.constantFrom(...sound),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(12),
      fc.oneof(fc.string({ unit: 'binary', maxLength: 4 }), fc.constantFrom(...pieces), fc.constant('')),
    );
    await fc.assert(
      fc.asyncProperty(mutation, async ([[slug, text], at, cut, insert]) => {
        const from = Math.floor(at * text.length);
        seen[await survives(slug, text.slice(0, from) + insert + text.slice(from + cut))] += 1;
      }),
      { numRuns: CASES, seed: 20_261_123 },
    );
    // Both ends are reached: comments and sentences may change, what a codec rests on may not.
    expect(seen.accepted).toBeGreaterThan(CASES / 50);
    expect(seen.refused).toBeGreaterThan(CASES / 4);
  });

  test(`${CASES} files of random text and bytes`, { timeout: 60_000 + CASES * 20 }, async () => {
    const soup = fc.array(fc.constantFrom(...pieces, 'slug', 'opcode', 'request', 'fields', 'name'), { maxLength: 60 });
    const content = fc.oneof(
      soup.map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
      fc.uint8Array({ maxLength: 200 }),
    );
    await fc.assert(
      fc.asyncProperty(content, async (bytes) => {
        expect(await survives('x', bytes)).toBe('refused');
      }),
      { numRuns: CASES, seed: 20_261_123 },
    );
  });

  test.each(readdirSync(`${import.meta.dirname}/corpus-commands`))('corpus: %s', async (name) => {
    const verdict = await survives(
      'northbay-get-port-temperature',
      readFileSync(`${import.meta.dirname}/corpus-commands/${name}`),
    );
    // Windows line ends are the only harmless ones.
    expect(verdict).toBe(name === 'carriage-returns.yaml' ? 'accepted' : 'refused');
  });
});
