import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ToldCase, told } from './told.ts';

const cases = parse(readFileSync(`${import.meta.dirname}/told.yaml`, 'utf8')) as readonly ToldCase[];

describe('an owner of the policy is told, to the last word, of', () => {
  test.each(cases)('$name', async (one) => {
    expect(await told(one)).toBe(one.told);
  });
});
