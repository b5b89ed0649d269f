import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { answered, compared, type Described, described, laidOut, opened } from './told.ts';

interface Told {
  readonly policies: { readonly [name: string]: Described };
  readonly answers: readonly { readonly policy: Described; readonly ask: string; readonly told: string }[];
  readonly matrices: readonly {
    readonly name: string;
    readonly policy: Described;
    readonly filter: { readonly tenant?: string; readonly command?: string; readonly resource?: string };
    readonly told: string;
  }[];
  readonly diffs: readonly {
    readonly name: string;
    readonly before: Described;
    readonly after: Described;
    readonly told: string;
  }[];
}

const { policies, answers, matrices, diffs } = parse(readFileSync(`${import.meta.dirname}/told.yaml`, 'utf8')) as Told;

describe('a question is answered to the last word:', () => {
  test.each(answers)('$ask ($policy)', async ({ policy, ask, told }) => {
    const given = described(policies, policy);
    expect(await answered(await opened(given), ask, given.profile)).toBe(told);
  });
});

describe('a matrix shows', () => {
  test.each(matrices)('$name', async ({ policy, filter, told }) => {
    const given = described(policies, policy);
    expect(await laidOut(await opened(given), given.profile, filter)).toBe(told);
  });
});

describe('of two policies is told', () => {
  test.each(diffs)('$name', async ({ before, after, told }) => {
    const [was, is] = [before, after].map((one) => opened(described(policies, one)));
    if (was === undefined || is === undefined) throw new Error('two policies');
    expect(await compared(await was, await is)).toBe(told);
  });
});
