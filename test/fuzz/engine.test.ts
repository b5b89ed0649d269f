import { expect, test } from 'vitest';
import { type Budget, type Report, supervise } from '../../fuzz/engine/supervise.ts';
import type { Target } from '../../fuzz/engine/target.ts';

async function fuzzed(name: string, budget: Budget): Promise<Report> {
  const module = new URL(`./planted/${name}.ts`, import.meta.url).href;
  const { target } = (await import(`./planted/${name}.ts`)) as { readonly target: Target };
  return supervise(module, target, [], budget);
}

test('a defect behind four bytes that must all be right is found', async () => {
  const { findings, executions } = await fuzzed('magic', { seed: 1, maxRuns: 300_000 });
  expect(findings.map(({ kind, message }) => [kind, message])).toEqual([['exception', 'Error: the word was said']]);
  // Shortened to what it takes.
  expect([...(findings[0]?.input ?? [])]).toEqual([0x5b, 0xc1, 0x07, 0xe9]);
  expect(executions).toBeGreaterThan(100);
}, 60_000);

test('an input that never ends is found by the watchdog, which goes on behind it', async () => {
  const { findings, executions } = await fuzzed('hang', { seed: 1, maxRuns: 3000 });
  expect(findings.map(({ kind }) => kind)).toEqual(['hang']);
  const [a = 0, b = 0] = findings[0]?.input ?? [];
  expect([a % 2, a + b]).toEqual([1, 255]);
  expect(executions).toBeGreaterThan(0);
}, 60_000);

test('an input that takes all memory ends its worker, not the run', async () => {
  const { findings } = await fuzzed('memory', { seed: 1, maxRuns: 150 });
  expect(findings.map(({ kind }) => kind)).toContain('memory');
}, 60_000);

test('a rejection that nobody waits for is a finding', async () => {
  const { findings } = await fuzzed('rejection', { seed: 1, maxRuns: 600 });
  expect(findings.map(({ message }) => message)).toEqual(['Error: nobody waits for this']);
}, 60_000);

test('the same seed gives the same run, another one does not', async () => {
  const once = await fuzzed('sound', { seed: 5, maxRuns: 1500 });
  const twice = await fuzzed('sound', { seed: 5, maxRuns: 1500 });
  const other = await fuzzed('sound', { seed: 6, maxRuns: 1500 });
  const hex = ({ inputs }: Report): readonly string[] => inputs.map((input) => Buffer.from(input).toString('hex'));
  expect(hex(once).length).toBeGreaterThan(3);
  expect(hex(twice)).toEqual(hex(once));
  expect(hex(other)).not.toEqual(hex(once));
  expect(once.findings).toEqual([]);
  expect(once.executions).toBe(1500);
}, 60_000);
