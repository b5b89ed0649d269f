import { describe, expect, test } from 'vitest';
import { builtinCommands } from '../../../src/cci/index.ts';
import { type Effect, parseSelector, type Selector } from '../../../src/policy/casbin/selector.ts';
import { Forms, type Given, isWithin } from '../../../src/policy/review/forms.ts';

const forms = new Forms(builtinCommands);

function given(text: string, effect: Effect = 'allow'): Given {
  return forms.givenBy(text, parseSelector(text) as Selector, effect);
}

const slugs = ({ forms: found }: Given): readonly string[] => found.map(({ row }) => row.slug);

describe('what a row gives or takes', () => {
  test.each<[string, Effect, Given['raw']]>([
    ['opcode:0xc010', 'allow', { first: 0xc010, last: 0xc010 }],
    ['opcode:0xc000-0xc0ff', 'deny', { first: 0xc000, last: 0xc0ff }],
    ['class:raw', 'deny', { first: 0, last: 0xffff }],
    ['class:raw', 'allow', undefined],
    ['class:audited', 'deny', undefined],
    ['class:audited', 'allow', undefined],
    ['set:logs', 'deny', undefined],
    ['bind-vppb', 'deny', undefined],
    ['scope:3', 'deny', undefined],
  ])('%s, %s: raw opcodes %j', (text, effect, raw) => {
    expect(given(text, effect).raw).toEqual(raw);
  });

  test('never a tunnel, what is offered to nobody, or what has no layout', () => {
    const all = [...slugs(given('class:allowlisted', 'deny')), ...slugs(given('class:audited', 'deny'))];
    expect(all).toContain('bind-vppb');
    for (const slug of ['tunnel-management-command', 'event-notification', 'get-domain-validation-sv-state'])
      expect(all).not.toContain(slug);
    expect(all.filter((slug) => builtinCommands.rowBySlug(slug)?.status !== 'verified')).toEqual([]);
    expect(given('set:gfd-component-management', 'deny')).toEqual({ bits: 0n, forms: [], raw: undefined });
  });

  test('a log in two ways, and what only a slug grants by its slug alone', () => {
    expect(given('get-log').forms.map(({ ref }) => [ref.class, ref.scope])).toEqual([
      ['allowlisted', 0],
      ['audited', 1],
    ]);
    expect(given('class:allowlisted').forms.find(({ row }) => row.slug === 'get-log')?.ref.scope).toBe(0);
    expect(given('identify').forms.map(({ ref }) => ref)).toEqual([
      { opcode: 1, slug: 'identify', set: 'information-and-status', class: 'allowlisted', scope: 0 },
    ]);
    expect(slugs(given('scope:3'))).not.toContain('sanitize');
    expect(slugs(given('scope:3', 'deny'))).toContain('sanitize');
    expect(slugs(given('sanitize'))).toEqual(['sanitize']);
  });

  test('knows what changes state, and that what the broker answers itself does not', () => {
    const changing = given('class:audited', 'deny').forms.filter(({ isMutating }) => isMutating);
    expect(changing.map(({ row }) => row.slug)).toEqual(expect.arrayContaining(['bind-vppb', 'sanitize']));
    for (const slug of ['clear-event-records', 'set-timestamp', 'get-log', 'send-ld-cxl-io-memory-request'])
      expect(changing.map(({ row }) => row.slug)).not.toContain(slug);
  });

  test('remembers an answer by its text and effect', () => {
    expect(given('set:logs')).toBe(given('set:logs'));
    expect(given('set:logs')).not.toBe(given('set:logs', 'deny'));
  });
});

describe('a row is within another', () => {
  test.each<[string, string, boolean]>([
    ['bind-vppb', 'set:virtual-switch', true],
    ['set:virtual-switch', 'bind-vppb', false],
    ['set:virtual-switch', 'set:virtual-switch', true],
    ['bind-vppb', 'set:physical-switch', false],
    ['opcode:0xc010', 'opcode:0xc010', true],
    ['opcode:0xc010', 'opcode:0xc010-0xc011', true],
    ['opcode:0xc010', 'opcode:0xc00f-0xc010', true],
    ['opcode:0xc010', 'opcode:0xc011-0xc0ff', false],
    ['opcode:0xc010', 'opcode:0xc000-0xc00f', false],
    ['opcode:0xc000-0xc0ff', 'opcode:0xc001-0xc0ff', false],
    ['opcode:0xc000-0xc0ff', 'opcode:0xc000-0xc0fe', false],
    ['opcode:0xc010', 'class:audited', false],
    ['bind-vppb', 'opcode:0x5201', true],
    ['bind-vppb', 'opcode:0x5202', false],
  ])('%s in %s: %s', (inner, outer, expected) => {
    expect(isWithin(given(inner), given(outer))).toBe(expected);
  });

  test('in one that takes all raw commands, and no typed one', () => {
    expect(isWithin(given('opcode:0xc000-0xffff'), given('class:raw', 'deny'))).toBe(true);
    expect(isWithin(given('bind-vppb'), given('class:raw', 'deny'))).toBe(false);
  });
});
