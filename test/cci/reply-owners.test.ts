import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { catalogue, type Field, isTyped, type ReplyRule, replyPlan, type TypedRow } from '../../src/cci/index.ts';

const rows = (catalogue as readonly TypedRow[]).filter((row) => isTyped(row));
const planned = (slug: string) => {
  const row = rows.find((one) => one.slug === slug);
  if (row === undefined) throw new Error(`no ${slug}`);
  return replyPlan(row);
};

function named(fields: readonly Field[], name: string): Field | undefined {
  return fields.find((field) => 'name' in field && field.name === name);
}

/** Fields that a rule speaks of, where the reply or the request has none of that name. */
function missing(row: TypedRow, rule: ReplyRule): readonly string[] {
  const reply = (name: string, inList?: string): string[] => {
    const fields = inList === undefined ? row.response.fields : elementFields(row, inList);
    return named(fields, name) === undefined ? [`reply ${name}`] : [];
  };
  const asked = (name: string): string[] => (named(row.request.fields, name) === undefined ? [`request ${name}`] : []);
  switch (rule.rule) {
    case 'keyed':
      return [...reply(rule.list), ...reply(rule.key, rule.list)];
    case 'positional':
      return [
        ...reply(rule.list),
        ...reply(rule.start),
        ...(rule.asked === undefined ? [] : [...asked(rule.start), ...asked(rule.asked.count)]),
        ...(rule.asked?.total === undefined ? [] : reply(rule.asked.total)),
      ];
    case 'bitmap':
    case 'name':
      return reply(rule.field, rule.in);
    case 'count':
    case 'generation':
      return [...reply(rule.field), ...reply(rule.list)];
    case 'left-over':
      return [...reply(rule.field), ...reply(rule.full)];
    case 'window':
      return [...reply(rule.list), ...asked(rule.start), ...asked(rule.count)];
  }
}

function elementFields(row: TypedRow, list: string): readonly Field[] {
  const field = named(row.response.fields, list);
  return field?.kind === 'list' && field.element.kind === 'struct' ? field.element.fields : [];
}

describe('whose objects a reply speaks of', () => {
  test.each(rows.map((row) => [row.slug, row] as const))(
    '%s: its rules name parts that the reply has',
    (_slug, row) => {
      const plan = replyPlan(row);
      expect(plan.kind === 'rules' ? plan.rules.flatMap((rule) => missing(row, rule)) : []).toEqual([]);
    },
  );

  test('every list of objects in sets 51h to 56h is ruled, and not passed on as it is', () => {
    const passed = rows.filter(({ opcode, response }) => {
      const set = opcode >> 8;
      const lists = response.fields.some(({ kind }) => kind === 'list' || kind === 'bitmap');
      return set >= 0x51 && set <= 0x56 && lists;
    });
    expect(passed.filter((row) => replyPlan(row).kind === 'own').map(({ slug }) => slug)).toEqual([
      // heads are the port owner's, all of them or none
      'get-head-info',
    ]);
  });

  test('what speaks of the whole component is for who owns all of it', () => {
    expect(planned('get-health-info')).toEqual({ kind: 'whole' });
    expect(planned('get-fw-info')).toEqual({ kind: 'whole' });
  });

  test('what nothing cuts down is refused, with a reason that the documentation gives', () => {
    const denied = readFileSync(new URL('../../docs/denied.md', import.meta.url), 'utf8');
    const refused = rows.filter((row) => replyPlan(row).kind === 'refused');
    expect(refused.length).toBeGreaterThan(0);
    for (const row of refused) {
      const plan = replyPlan(row);
      expect(plan.kind === 'refused' ? plan.why : '').not.toBe('');
      expect(denied).toContain(row.slug);
    }
    for (const row of rows) {
      const plan = replyPlan(row);
      if (plan.kind === 'rules' && plan.wholeOnly !== undefined) expect(denied).toContain(row.slug);
    }
  });

  test('a row that nobody has thought of is refused', () => {
    expect(replyPlan({ slug: 'made-up', opcode: 0x5a00 })).toMatchObject({ kind: 'refused' });
  });
});
