import { readFileSync } from 'node:fs';
import { type CommandRow, rowBySlug } from '../../../src/cci/index.ts';
import type { CommandRef, RuleEngine } from '../../../src/policy/engine.ts';
import { loadFabric } from '../../../src/policy/fabric/index.ts';
import { formatLoadError, type LoadError, loadPolicy, type PolicySource } from '../../../src/policy/load/index.ts';
import { groupName, tenantGroup, userName } from '../../../src/policy/names.ts';
import type { Fabric, Principal } from '../../../src/policy/types.ts';

/** The files as shipped, by their names in a policy directory. */
export const shipped: Readonly<Record<string, string>> = Object.fromEntries(
  ['model.conf', 'mandatory.csv', 'tenants/acme.csv', 'tenants/globex.csv', 'tenants/fabric.csv'].map((name) => [
    name,
    readFileSync(`policies/${name}`, 'utf8'),
  ]),
);

export const fabric: Fabric = fabricOf(readFileSync('config/fabric.yaml', 'utf8'));

export function fabricOf(text: string): Fabric {
  const loaded = loadFabric({ text });
  if (!loaded.ok) throw new Error(loaded.error.map(formatLoadError).join('\n'));
  return loaded.value;
}

type Overrides = {
  readonly tenants?: Readonly<Record<string, string>>;
  readonly mandatory?: string;
  readonly model?: string;
  readonly fabric?: Fabric;
  readonly profile?: PolicySource['profile'];
};

/** The shipped model and mandatory rows with other tenants' files. */
export function sourceOf({ tenants, mandatory, model, ...rest }: Overrides): PolicySource {
  const files: Record<string, string> = {
    'model.conf': model ?? shipped['model.conf'] ?? '',
    'mandatory.csv': mandatory ?? shipped['mandatory.csv'] ?? '',
  };
  const given = tenants ?? { acme: 'p, role:reader, acme, own, class:allowlisted, allow\n' };
  for (const [tenant, text] of Object.entries(given)) files[`tenants/${tenant}.csv`] = text;
  return { files, fabric: rest.fabric ?? fabric, profile: rest.profile ?? 'host' };
}

export async function engineOf(overrides: Overrides): Promise<RuleEngine> {
  const loaded = await loadPolicy(sourceOf(overrides));
  if (!loaded.ok) throw new Error(loaded.error.map(formatLoadError).join('\n'));
  return loaded.value;
}

/** The mistakes that a policy is refused for; none when it is not. */
export async function mistakesOf(overrides: Overrides): Promise<readonly LoadError[]> {
  const loaded = await loadPolicy(sourceOf(overrides));
  return loaded.ok ? [] : loaded.error;
}

export const ISSUER = 'https://cci-broker.local/dev';

/** A caller as the authenticator would name him. */
export function callerOf(
  tenant: string,
  { subject = 'alice', groups = [] as readonly string[], issuer = ISSUER } = {},
): Principal {
  const name = userName(issuer, subject);
  return {
    name,
    names: [name, ...groups.map((group) => groupName(issuer, group)), tenantGroup(tenant)],
    tenant,
    scopes: [],
    issuer,
    subject,
    tokenId: 'token-1',
    expiresAtMs: Number.MAX_SAFE_INTEGER,
  };
}

/** A catalogued command as the decision refers to it. */
export function commandOf(slug: string, commandClass?: CommandRef['class']): CommandRef {
  const row: CommandRow | undefined = rowBySlug(slug);
  if (row === undefined) throw new Error(`no ${slug}`);
  const asRow = row.allowlisted === undefined ? 'audited' : 'allowlisted';
  return {
    opcode: row.opcode,
    slug: row.slug,
    set: row.set,
    class: commandClass ?? asRow,
    scope: row.scope,
    ...(row.grant === undefined ? {} : { grant: row.grant }),
  };
}

/** An opcode submitted raw. */
export function rawOf(opcode: number): CommandRef {
  return { opcode, class: 'raw', scope: 3 };
}
