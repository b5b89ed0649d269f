import { readFileSync } from 'node:fs';
import { formatLoadError, loadFabric, readPolicy } from '../../../src/policy/index.ts';
import { type Finding, review } from '../../../src/policy/tools.ts';

/** Two tenants on one switch: acme has an SLD, half of a shared MLD and a host; globex the other halves. */
export const fabricText = `switches:
  sw0:
    ports:
      - { ids: 0-1 }
      - { ids: 2, lds: 2 }
      - { ids: 3 }
    vcss:
      - { ids: 0-1, vppbs: 2 }
tenants:
  acme:
    owns:
      - /switches/sw0/ports/0
      - /switches/sw0/ports/2/lds/0
      - /switches/sw0/vcss/0
  globex:
    owns:
      - /switches/sw0/ports/1
      - /switches/sw0/ports/2/lds/1
      - /switches/sw0/vcss/1
  fabric:
    owns:
      - /switches/sw0/ports/3
`;

/** Rows that nobody has anything to ask about. */
export const quiet = {
  acme: 'p, role:reader, acme, own, class:allowlisted, allow\ng, group:tenant/acme, role:reader, acme\n',
  globex: 'p, role:reader, globex, own, class:allowlisted, allow\ng, group:tenant/globex, role:reader, globex\n',
  fabric:
    'p, role:reader, fabric, /switches/*, class:allowlisted, allow\ng, group:tenant/fabric, role:reader, fabric\n',
};

export interface Reviewed {
  readonly tenants?: Readonly<Record<string, string>>;
  readonly fabric?: string;
  readonly profile?: 'host' | 'bmc';
  readonly mandatory?: string;
}

/** What a reviewer says of quiet files with these instead. */
export async function reviewed({
  tenants,
  fabric = fabricText,
  profile = 'host',
  mandatory = '',
}: Reviewed): Promise<readonly Finding[]> {
  const loaded = loadFabric({ text: fabric });
  if (!loaded.ok) throw new Error(loaded.error.map(formatLoadError).join('\n'));
  const files: Record<string, string> = {
    'model.conf': readFileSync('policies/model.conf', 'utf8'),
    'mandatory.csv': readFileSync('policies/mandatory.csv', 'utf8') + mandatory,
  };
  for (const [tenant, text] of Object.entries({ ...quiet, ...tenants }))
    if (text !== '') files[`tenants/${tenant}.csv`] = text;
  const policy = await readPolicy({ files, fabric: loaded.value, profile });
  if (!policy.ok) throw new Error(policy.error.map(formatLoadError).join('\n'));
  return review({
    policy: policy.value,
    fabric: loaded.value,
    fabricText: { name: 'fabric.yaml', text: fabric },
    profile,
  });
}

/** `tenants/acme.csv:1:28 never-applies`, those that no comment silences. */
export function told(findings: readonly Finding[]): readonly string[] {
  return findings
    .filter(({ silenced }) => silenced === undefined)
    .map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`);
}
