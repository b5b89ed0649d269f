import Type from 'typebox';
import { describe, expect, test } from 'vitest';
import { formatProblem, parseYaml } from '../../src/yaml/index.ts';
import { cpuTimeMs } from '../support/cpu-time.ts';

const Numbers = Type.Record(Type.String(), Type.Integer());
const problemsOf = (text: string): readonly string[] => {
  const parsed = parseYaml(Numbers, text, 'f.yaml');
  return parsed.ok ? [] : parsed.problems.map(formatProblem);
};

describe('a YAML file', () => {
  test.each([
    ['a key twice', 'a: 1\nb: 2\na: 3\n', ['f.yaml:3:1: map keys must be unique']],
    // Both become one member, and the second would win unseen.
    ['a number and its text', '1: 1\n"1": 2\n', ['f.yaml:2:1: map keys must be unique']],
    ['a number in two spellings', '{ 0x10: 1, 16: 2 }', ['f.yaml:1:12: map keys must be unique']],
    ['nothing twice', '? \n: 1\n"": 2\n', ['f.yaml:3:1: map keys must be unique']],
    [
      'twice, further in',
      'a: 1\nb: [{ c: 1, c: 2 }]\na: 2\n',
      ['f.yaml:2:13: map keys must be unique', 'f.yaml:3:1: map keys must be unique'],
    ],
  ])('is refused where a mapping has %s', (_what, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  test.each([
    ['a list', '? [a, b]\n: 1\n', ['f.yaml:1:3: a key must be a single value']],
    ['a mapping', 'x: 1\n{ a: 1 }: 2\n', ['f.yaml:2:1: a key must be a single value']],
    ['an alias', 'a: &n 1\n*n : 2\n', ['f.yaml:2:1: a key must be a single value']],
    // Neither `.` nor `$` of a pattern sees what is behind the line end.
    ['more than a line', 'a: 1\n"b\\nc": x\n', ['f.yaml:2:1: a key must not hold control characters']],
  ])('is refused where a key is %s, and none of it is printed', async (_what, text, problems) => {
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on('warning', note);
    expect(problemsOf(text)).toEqual(problems);
    await new Promise(setImmediate);
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  test('that nests too deeply is one mistake', () => {
    expect(problemsOf('['.repeat(50_000))).toHaveLength(1);
  });

  test('with a mistake in each of many keys is read in seconds, not in hours', () => {
    const started = cpuTimeMs();
    const keys = Array.from({ length: 60_000 }, (_, i) => `k${i}: x\n`).join('');
    expect(problemsOf(keys)).toHaveLength(60_000);
    expect(cpuTimeMs() - started).toBeLessThan(20_000);
  });
});
