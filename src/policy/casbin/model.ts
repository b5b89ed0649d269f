/**
 * The casbin model, section by section: the truth that `policies/model.conf` is held against. The index and the memo rest on
 * what these lines mean, so a policy directory brings the same ones or none. Both effects need an `allow` to allow (a
 * deny-only effect would allow everything where no row matches), comparisons are strict, and the one function is ours.
 */
export const model = [
  {
    section: 'request_definition',
    lines: [
      ['r', 'principal, tenant, resource, command'],
      ['r2', 'level, taint, profile, class, scope, reach, command, facts'],
    ],
  },
  {
    section: 'policy_definition',
    lines: [
      ['p', 'role, tenant, resource, command, eft'],
      ['p2', 'id, level, taint, profile, class, scope, reach, command, eft, reason'],
    ],
  },
  {
    section: 'role_definition',
    lines: [
      ['g', '_, _, _'],
      ['g2', '_, _, _'],
    ],
  },
  {
    section: 'policy_effect',
    lines: [
      ['e', 'some(where (p.eft == allow)) && !some(where (p.eft == deny))'],
      ['e2', 'some(where (p.eft == allow)) && !some(where (p.eft == deny))'],
    ],
  },
  {
    section: 'matchers',
    lines: [
      [
        'm',
        'r.tenant === p.tenant && g(r.principal, p.role, r.tenant) && (selects("resource", p.resource, r.resource, p.eft) || g2(r.resource, p.resource, r.tenant)) && selects("command", p.command, r.command, p.eft)',
      ],
      [
        'm2',
        'selects("level", p2.level, r2.level, p2.eft) && selects("taint", p2.taint, r2.taint, p2.eft) && selects("profile", p2.profile, r2.profile, p2.eft) && selects("class", p2.class, r2.class, p2.eft) && selects("scope", p2.scope, r2.scope, p2.eft) && selects("reach", p2.reach, r2.reach, p2.eft) && selects("rule", p2.command, r2.command, p2.eft) && selects("facts", p2.command, r2.facts, p2.eft)',
      ],
    ],
  },
] as const satisfies readonly {
  readonly section: string;
  readonly lines: readonly (readonly [key: string, value: string])[];
}[];

/** The model as casbin reads it. */
export const modelText = model
  .map(({ section, lines }) => `[${section}]\n${lines.map(([key, value]) => `${key} = ${value}\n`).join('')}`)
  .join('\n');
