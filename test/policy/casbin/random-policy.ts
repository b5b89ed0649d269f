import { type CommandRow, catalogue, hex16 } from '../../../src/cci/index.ts';
import { parseCommandColumn } from '../../../src/policy/casbin/mandatory-columns.ts';
import type { GrantRule, MandatoryRule, PolicyRules, RoleLink } from '../../../src/policy/casbin/rules.ts';
import { isProblem, parseSelector } from '../../../src/policy/casbin/selector.ts';
import { type CommandRef, conditions, type MandatoryFacts } from '../../../src/policy/engine.ts';
import type { Fabric, Principal, ResourcePath } from '../../../src/policy/types.ts';
import { callerOf } from '../load/fixture.ts';

/** A small seeded generator: a failing case can be run again by its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `below` - 1. */
  int(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.int(values.length)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  }

  some<T>(values: readonly T[], among: number): T[] {
    return values.filter(() => this.int(among) === 0);
  }
}

const rows: readonly CommandRow[] = catalogue;
/** Few commands and few resources, so that rules and requests meet often. */
const busy = rows.filter(
  ({ opcode }) =>
    opcode >> 8 === 0x52 || opcode >> 8 === 0x51 || [0x4301, 0x0202, 0x4500, 0x0301, 0x0701].includes(opcode),
);
const roles = ['role:a', 'role:b', 'role:c', 'role:d', 'role:e'];
const groups = ['one', 'two', 'three'];

export function randomSelector(random: Random): string {
  const row = random.int(3) === 0 ? random.pick(rows) : random.pick(busy);
  const opcode = random.int(4) === 0 ? random.pick([0xc000, 0xc000, 0x4500, 0x46f8]) + random.int(8) : row.opcode;
  switch (random.int(7)) {
    case 0:
      return `set:${row.set}`;
    case 1:
      return random.pick(['class:allowlisted', 'class:audited', 'class:raw']);
    case 2:
      return `scope:${random.pick(['', '<=', '>='])}${random.int(4)}`;
    case 3:
      return `opcode:${hex16(opcode)}`;
    case 4:
      return `opcode:${hex16(Math.max(0, opcode - random.int(300)))}-${hex16(Math.min(0xffff, opcode + random.int(300)))}`;
    default:
      return row.slug;
  }
}

function randomPattern(random: Random, fabric: Fabric): string {
  const kind = random.int(6);
  if (kind < 2) return 'own';
  const path = random.pick(fabric.objects);
  if (kind === 2) return path;
  const steps = path.split('/');
  return `${steps.slice(0, 2 + random.int(steps.length - 1)).join('/')}/*`;
}

export function randomRules(random: Random, fabric: Fabric): PolicyRules {
  const grants: GrantRule[] = [];
  const seen = new Set<string>();
  // Now and then many rows of one role about one resource, which the engine files instead of looking through.
  const isCrowded = random.int(5) === 0;
  for (let count = isCrowded ? 60 : 4 + random.int(28); count > 0; count -= 1) {
    const text = randomSelector(random);
    const selector = parseSelector(text);
    if (isProblem(selector)) throw new Error(selector.message);
    const tenant = random.pick(['acme', 'acme', 'acme', 'globex', 'fabric']);
    const place = isCrowded
      ? (['role:a', tenant, 'own'] as const)
      : ([random.pick(roles), tenant, randomPattern(random, fabric)] as const);
    const row = [...place, text, random.int(isCrowded ? 15 : 5) === 0 ? 'deny' : 'allow'] as const;
    // The loader refuses a row that stands there already.
    if (seen.has(row.join())) continue;
    seen.add(row.join());
    grants.push({ order: grants.length, file: `tenants/${tenant}.csv`, line: grants.length + 1, row, selector });
  }
  const links: RoleLink[] = [];
  for (const tenant of fabric.tenants) {
    for (const [index, role] of roles.entries()) {
      for (const higher of roles.slice(index + 1))
        if (random.int(5) === 0) links.push({ name: role, role: higher, tenant });
      for (const name of callerOf(tenant, { groups }).names)
        if (random.int(5) === 0) links.push({ name, role, tenant });
    }
  }
  return { grants, links, mandatory: [], loosened: [] };
}

export function randomCaller(random: Random): Principal {
  const tenant = random.pick(['acme', 'acme', 'acme', 'globex', 'fabric', 'nobody']);
  return callerOf(tenant, { groups: random.some(groups, 2), subject: random.pick(['alice', 'role:a', 'bob']) });
}

const strays: readonly ResourcePath[] = [
  '/switches/sw0/ports/99',
  '/switches/sw0/ports/3/tags/00000000-0000-0000-0000-00000000000a',
  '/switches/sw0/ports/2/heads/1',
  '/switches/sw00',
  '/switches/sw0/ports/30/lds/1',
  '/switches/sw1/ports/2',
];

export function randomResource(random: Random, fabric: Fabric): ResourcePath {
  return random.int(6) === 0 ? random.pick(strays) : random.pick(fabric.objects);
}

export function randomCommand(random: Random): CommandRef {
  const edge = random.pick([0xbff8, 0xbff8, 0x44f8, 0x45f8, 0x46f8]);
  if (random.int(6) === 0) return { opcode: edge + random.int(16), class: 'raw', scope: 3 };
  const { opcode, slug, set, scope, grant } = random.int(3) === 0 ? random.pick(rows) : random.pick(busy);
  const ref = { opcode, class: random.pick(['allowlisted', 'audited', 'audited', 'raw'] as const), scope };
  return {
    ...ref,
    ...(random.int(8) === 0 ? {} : { slug, set }),
    ...(grant === undefined || random.int(8) === 0 ? {} : { grant }),
    ...(random.int(40) === 0 ? { grant: random.pick(['slug-only', 'never'] as const) } : {}),
  };
}

const levels = ['none', 'integrity', 'confidentiality'] as const;
const letters = ['R', 'V', 'J', 'O', 'C', 'E', 'M', 'X', 'F', 'A', 'B'] as const;
const reaches = ['query', 'own', 'cross-tenant', 'switch', 'opaque'] as const;
const derived = ['caller-not-fabric', 'under-lockdown-reads', 'under-lockdown-off'];

export function randomFacts(random: Random): MandatoryFacts {
  return {
    level: random.pick(levels),
    underLockdown: random.pick(['allow', 'allow', 'reads', 'off']),
    taint: random.some(letters, 6),
    profile: random.pick(['host', 'bmc']),
    tenant: random.pick(['acme', 'fabric']),
    reach: random.pick(reaches),
    command: randomCommand(random),
    conditions: new Set(random.some(conditions, 4)),
  };
}

/** Rows of one's own beside the shipped ones. */
export function randomMandatory(random: Random, line: number): MandatoryRule {
  const alternatives = (words: readonly string[]): string =>
    random.int(2) === 0 ? '*' : random.some(words, 2).join('|') || '*';
  const wanted = random.some([...conditions, ...derived], 6);
  const selectors = Array.from({ length: 1 + random.int(3) }, () =>
    random.int(4) === 0 ? '*' : randomSelector(random),
  );
  const command = `${selectors.join('|')}${wanted.length === 0 ? '' : ` if ${wanted.join(' and ')}`}`;
  const parsed = parseCommandColumn(command);
  if ('code' in parsed) throw new Error(parsed.message);
  const row = [
    `L${line}`,
    random.pick(['*', 'integrity', 'confidentiality']),
    alternatives(letters),
    alternatives(['host', 'bmc']),
    alternatives(['allowlisted', 'audited', 'raw']),
    random.pick(['*', '*', '1', '<=2', '>=2']),
    random.int(2) === 0 ? `>=${random.pick(reaches)}` : alternatives(reaches),
    command,
    'deny',
    'a row of ours',
  ] as const;
  return { file: 'mandatory.csv', line, row, command: parsed };
}
