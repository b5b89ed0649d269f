import { demand, type Target } from '../engine/target.ts';
import { projectFile } from '../support/files.ts';
import { policyTarget } from '../support/policy-target.ts';
import { fields, lines, words } from '../support/text-mutators.ts';

const NAME = /^(?:user:[^\s#]+#.+|group:[^\s#]+#.+|group:tenant\/[a-z][a-z0-9-]*|role:[\w./-]+)$/;

export const target: Target = policyTarget({
  name: 'policy-tenant',
  file: 'tenants/acme.csv',
  oracle: 'a tenant file that is accepted grants within that tenant alone, on objects of the fabric, to typed names',
  seeds: [
    projectFile('policies/tenants/acme.csv'),
    'p, role:r, acme, own, scope:<=1, allow\ng, user:x#y, role:r, acme\n',
  ],
  mutators: [fields, fields, lines, words],
  maxLength: 2500,
  accepted({ rules }, _text, fabric) {
    demand(rules.grants.length > 0, 'a policy that grants nothing');
    for (const { row, file } of rules.grants) {
      const [role, tenant, resource, , effect] = row;
      demand(file === 'tenants/acme.csv' && tenant === 'acme', `a grant of tenant ${tenant}`);
      demand(role.startsWith('role:'), `a grant to ${role}`);
      demand(effect === 'allow' || effect === 'deny', `effect ${effect}`);
      const base = resource.replace(/\/\*$/, '');
      const known = resource === 'own' || fabric.objects.some((path) => path === base || path.startsWith(`${base}/`));
      demand(known, `a grant on ${resource}`);
    }
    for (const { name, role, tenant } of rules.links) {
      demand(tenant === 'acme', `a link of tenant ${tenant}`);
      demand(NAME.test(name) && role.startsWith('role:'), `${JSON.stringify(name)} has ${role}`);
    }
  },
});
