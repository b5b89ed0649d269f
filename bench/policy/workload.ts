import { readFileSync } from 'node:fs';
import { type CommandRow, catalogue, isTyped } from '../../src/cci/index.ts';
import { commandRefOf } from '../../src/policy/decide/command-ref.ts';
import type { CommandRef, Principal, ResourcePath } from '../../src/policy/index.ts';
import { Dice } from '../../test/isolation/seeded.ts';

/** Tenants are few and their rows many, so that what grows is what one decision could have to look at. */
const TENANTS = 10;
const PORTS = 8;
const LDS = 4;
const ISSUER = 'https://bench.example';
const policies = new URL('../../policies/', import.meta.url);

/** One question for an engine. */
export interface Question {
  readonly principal: Principal;
  readonly resource: ResourcePath;
  readonly slug: string;
  readonly command: CommandRef;
}

/** A policy of a given size, and questions about it. The same size gives the same workload. */
export interface Workload {
  /** Rows of all files: grants, role rows and the shipped mandatory ones. */
  readonly rules: number;
  readonly fabric: string;
  /** Names and contents of a policy directory. */
  readonly files: Readonly<Record<string, string>>;
  /** `role, tenant, resource, command, effect`. */
  readonly grants: readonly (readonly [string, string, string, string, string])[];
  /** `name, role, tenant`. */
  readonly links: readonly (readonly [string, string, string])[];
  /** No two alike; about each at least one row speaks. */
  readonly questions: readonly Question[];
}

const slugs = (catalogue as readonly CommandRow[])
  .filter((row) => isTyped(row) && row.grant === undefined && row.claimed === undefined && row.notOffered === undefined)
  .filter(({ slug }) => slug !== 'tunnel-management-command')
  .map(({ slug }) => slug);

/** @param rules grants and role rows in all, one role row to ten grants */
export function workloadOf(rules: number, questions: number): Workload {
  const dice = new Dice(rules);
  const random = (below: number): number => dice.int(0, below - 1);
  const perTenant = Math.floor(rules / TENANTS);
  const linksEach = Math.max(1, Math.floor(perTenant / 11));
  const rolesEach = Math.max(2, Math.min(40, Math.floor(linksEach / 2)));
  const grants: (readonly [string, string, string, string, string])[] = [];
  const links: (readonly [string, string, string])[] = [];
  const files: Record<string, string> = {
    'model.conf': readFileSync(new URL('model.conf', policies), 'utf8'),
    'mandatory.csv': readFileSync(new URL('mandatory.csv', policies), 'utf8'),
  };
  for (let t = 0; t < TENANTS; t++) {
    const tenant = `tenant${t}`;
    const lines: string[] = [];
    const seen = new Set<string>();
    while (seen.size < perTenant - linksEach) {
      const resource = resources[random(resources.length)]?.replace('SWITCH', `sw${t}`) ?? '';
      const row = [`role:r${random(rolesEach)}`, tenant, resource, slugs[random(slugs.length)] ?? ''] as const;
      const key = row.join(', ');
      if (seen.has(key)) continue;
      seen.add(key);
      const effect = random(20) === 0 ? 'deny' : 'allow';
      grants.push([...row, effect]);
      lines.push(`p, ${key}, ${effect}`);
    }
    for (let i = 0; i < linksEach; i++) {
      const link = [`user:${ISSUER}#u${i}`, `role:r${i % rolesEach}`, tenant] as const;
      links.push(link);
      lines.push(`g, ${link.join(', ')}`);
    }
    files[`tenants/${tenant}.csv`] = `${lines.join('\n')}\n`;
  }
  const usersOf = new Map<string, string[]>();
  for (const [name, role, tenant] of links) {
    // As many callers at every size: what a first look at a caller costs does not depend on the rules.
    if (!name.endsWith('#u0') && !name.endsWith('#u1')) continue;
    const key = `${tenant} ${role}`;
    usersOf.set(key, [...(usersOf.get(key) ?? []), name]);
  }
  const asked = new Map<string, Question>();
  const reachable = grants.filter(([role, tenant]) => usersOf.has(`${tenant} ${role}`));
  for (let tries = 0; asked.size < questions && tries < questions * 4; tries++) {
    const [role, tenant, resource, slug] = reachable[random(reachable.length)] ?? [];
    const users = usersOf.get(`${tenant} ${role}`) ?? [];
    const name = users[random(users.length)] ?? '';
    if (tenant === undefined || resource === undefined || slug === undefined) continue;
    asked.set(`${tenant} ${name} ${resource} ${slug}`, {
      principal: principalOf(tenant, name),
      resource: resource as ResourcePath,
      slug,
      command: commandRefOf(slug),
    });
  }
  const switches = Array.from(
    { length: TENANTS },
    (_, t) =>
      `  sw${t}:\n    ports:\n      - { ids: 0-${PORTS - 1}, lds: ${LDS} }\n    vcss:\n      - { ids: 0, vppbs: 4 }\n`,
  );
  const owners = Array.from(
    { length: TENANTS },
    (_, t) =>
      `  tenant${t}:\n    owns:\n${Array.from({ length: PORTS }, (_, p) => `      - /switches/sw${t}/ports/${p}\n`).join('')}`,
  );
  return {
    rules: grants.length + links.length,
    fabric: `switches:\n${switches.join('')}tenants:\n${owners.join('')}`,
    files,
    grants,
    links,
    questions: [...asked.values()],
  };
}

const resources: readonly string[] = Array.from({ length: PORTS }, (_, port) => [
  `/switches/SWITCH/ports/${port}`,
  ...Array.from({ length: LDS }, (_, ld) => `/switches/SWITCH/ports/${port}/lds/${ld}`),
]).flat();

function principalOf(tenant: string, name: string): Principal {
  return {
    name,
    names: [name, `group:tenant/${tenant}`],
    tenant,
    scopes: ['cci:read'],
    issuer: ISSUER,
    subject: name,
    tokenId: 'bench',
    expiresAtMs: Number.MAX_SAFE_INTEGER,
  };
}
