import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadPolicy } from '../../../src/policy/load/index.ts';
import { cpuTimeMs } from '../../support/cpu-time.ts';
import { callerOf, commandOf, fabric, shipped } from './fixture.ts';

/** Random inputs tried in a normal run; set for a longer one. */
const CASES = Number(process.env.FUZZ_CASES ?? 2000);

/** Loads, and if that is possible asks: neither may throw or take long, and a refusal says why and where. */
async function survives(files: Record<string, string | Uint8Array>): Promise<void> {
  const started = cpuTimeMs();
  const loaded = await loadPolicy({ files, fabric, profile: 'bmc' });
  if (loaded.ok) {
    loaded.value.grant(callerOf('acme', { groups: ['operators'] }), '/switches/sw0/vcss/0', commandOf('bind-vppb'));
  } else {
    expect(loaded.error.length).toBeGreaterThan(0);
    for (const error of loaded.error) {
      expect(error.line).toBeGreaterThan(0);
      expect(error.column).toBeGreaterThan(0);
      expect(error.message).not.toBe('');
      expect(error.help).not.toBe('');
      // What is shown of a file can't move a terminal's cursor.
      expect(`${error.message}${error.help}${error.text}`).not.toMatch(/\p{Cc}/u);
    }
  }
  expect(cpuTimeMs() - started).toBeLessThan(3000);
}

const names = Object.keys(shipped);
const pieces = [
  'p',
  'g',
  'g2',
  'p2',
  ',',
  ', ',
  '"',
  '""',
  '#',
  '\n',
  '\r\n',
  'role:a',
  'role:b',
  'acme',
  'own',
  '/switches/sw0/ports/2',
  '/*',
  'bind-vppb',
  'set:',
  'class:raw',
  'scope:<=1',
  'opcode:0xc000-0xc0ff',
  'allow',
  'deny',
  'group:tenant/acme',
  'user:x#y',
  '*',
  '|',
  ' if ',
  ' and ',
  'bound',
  '>=',
  '\0',
  '\u202e',
  '[matchers]',
  'm = ',
  'eval(p.x)',
];
const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(''));
const rows = fc
  .array(
    fc.tuple(
      fc.constantFrom('role:a', 'role:b', 'x'),
      fc.constantFrom('own', '/switches/sw0/*', '/x'),
      fc.constantFrom('bind-vppb', 'scope:3', 'opcode:0x0101', '?'),
      fc.constantFrom('allow', 'deny', 'Deny'),
    ),
    { maxLength: 20 },
  )
  .map((list) =>
    list.map(([role, resource, command, effect]) => `p, ${role}, acme, ${resource}, ${command}, ${effect}`).join('\n'),
  );

describe('no input makes the loader throw, hang or accept in silence', () => {
  test(`${CASES} mutations of the shipped files`, async () => {
    const mutation = fc.tuple(
      fc.constantFrom(...names),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(30),
      fc.oneof(fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom(...pieces)),
    );
    await fc.assert(
      fc.asyncProperty(mutation, async ([name, at, cut, insert]) => {
        const text = shipped[name] ?? '';
        const from = Math.floor(at * text.length);
        await survives({ ...shipped, [name]: text.slice(0, from) + insert + text.slice(from + cut) });
      }),
      { numRuns: CASES },
    );
  });

  test(`${CASES} files of random text and bytes`, async () => {
    const content = fc.oneof(soup, rows, fc.string({ unit: 'binary' }), fc.uint8Array({ maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names, 'tenants/x.csv', '\0', ''), content, async (name, bytes) => {
        await survives({ ...shipped, [name]: bytes });
      }),
      { numRuns: CASES },
    );
  });

  test.each(readdirSync(`${import.meta.dirname}/corpus`))('corpus: %s', async (name) => {
    const bytes = readFileSync(`${import.meta.dirname}/corpus/${name}`);
    await survives({ ...shipped, 'tenants/acme.csv': bytes });
    await survives({ ...shipped, 'mandatory.csv': bytes });
    await survives({ ...shipped, 'model.conf': bytes });
  });

  test.each([
    ['line ends', '\n'.repeat(4 << 20)],
    ['commas', ','.repeat(4 << 20)],
    ['quotes', '"'.repeat(4 << 20)],
    ['zeros', '\0'.repeat(4 << 20)],
    ['short lines of nonsense', 'x\n'.repeat(1 << 20)],
  ])('megabytes of %s', async (_name, text) => {
    await survives({ ...shipped, 'tenants/acme.csv': text });
  });
});

describe('a large policy', () => {
  const rules = Array.from(
    { length: 110_000 },
    (_, i) => `p, role:r${i}, acme, /switches/sw0/ports/${i % 8}/*, ${i % 2 ? 'bind-vppb' : 'scope:<=1'}, allow`,
  ).join('\n');

  const links = Array.from({ length: 50_000 }, (_, i) => `g, user:https://idp#${i}, role:r${i}, acme`).join('\n');

  test('is loaded in slices: the event loop is never held up for long', async () => {
    let longest = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const started = cpuTimeMs();
    const loaded = await loadPolicy({
      files: { ...shipped, 'tenants/acme.csv': `${rules}\n${links}` },
      fabric,
      profile: 'host',
    });
    const took = cpuTimeMs() - started;
    clearInterval(watch);
    expect(loaded.ok).toBe(true);
    console.info(
      `110,000 rules and 50,000 callers: loaded in ${took.toFixed(0)} ms of processor time, longest pause ${longest.toFixed(0)} ms`,
    );
    // The promise is 1 s and 20 ms (docs/benchmarks.md measures it on an idle machine); a loaded CI gets room.
    expect(took).toBeLessThan(10_000);
    expect(longest).toBeLessThan(2000);
  });
});
