import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { FunctionMap, newEnforcer, newModelFromString, StringAdapter } from 'casbin';
import { commandOf, commandText } from '../../src/policy/casbin/command.ts';
import { modelText } from '../../src/policy/casbin/model.ts';
import { createSelects } from '../../src/policy/casbin/selects.ts';
import { loadFabric, loadPolicy } from '../../src/policy/index.ts';
import type { Engine } from './measure.ts';

/** The engine of the broker, from the strict loader on. */
const ours: Engine = {
  name: 'ours',
  remembers: true,
  load: async ({ fabric: text, files }) => {
    const fabric = loadFabric({ name: 'fabric.yaml', text });
    if (!fabric.ok) throw new Error(JSON.stringify(fabric.error[0]));
    const loaded = await loadPolicy({ files, fabric: fabric.value, profile: 'host' });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.error[0]));
    return ({ principal, resource, command }) => loaded.value.grant(principal, resource, command).allowed;
  },
};

/** casbin's own enforcer over all rows: the same model and the same matcher function, without index and memo. */
const casbin: Engine = {
  name: 'casbin',
  remembers: false,
  load: async ({ grants, links }) => {
    const rows = [
      ...grants.map((row) => `p, ${row.join(', ')}`),
      ...links.map((row) => `g, ${row.join(', ')}`),
      'g2, /nothing, own, nobody',
    ];
    const enforcer = await newEnforcer(newModelFromString(modelText), new StringAdapter(rows.join('\n')));
    const selects = createSelects();
    Object.assign(enforcer, { fm: new FunctionMap() });
    await enforcer.addFunction('selects', selects);
    return ({ principal, resource, command }) =>
      enforcer.enforceSync(principal.name, principal.tenant, resource, commandText(commandOf(command)));
  },
};

/** Cedar in WebAssembly, policies parsed once; roles and objects as entities, one policy for each grant. */
const cedar: Engine = {
  name: 'cedar',
  remembers: false,
  load: async ({ grants, links }) => {
    const quoted = (text: string) => JSON.stringify(text);
    const policies = grants.map(
      ([role, tenant, resource, command, effect]) =>
        `${effect === 'allow' ? 'permit' : 'forbid'}(principal in Role::${quoted(`${tenant}/${role}`)}, action == Action::${quoted(command)}, resource == Path::${quoted(resource)});`,
    );
    const parsed = preparsePolicySet('bench', {
      staticPolicies: policies.join('\n'),
      templates: {},
      templateLinks: [],
    });
    if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
    const roles = new Map<string, { type: string; id: string }[]>();
    for (const [name, role, tenant] of links) {
      const key = `${tenant}/${name}`;
      roles.set(key, [...(roles.get(key) ?? []), { type: 'Role', id: `${tenant}/${role}` }]);
    }
    return ({ principal, resource, slug }) => {
      const id = `${principal.tenant}/${principal.name}`;
      const answer = statefulIsAuthorized({
        principal: { type: 'User', id },
        action: { type: 'Action', id: slug },
        resource: { type: 'Path', id: resource },
        context: {},
        preparsedPolicySetId: 'bench',
        entities: [{ uid: { type: 'User', id }, attrs: {}, parents: roles.get(id) ?? [] }],
      });
      if (answer.type !== 'success') throw new Error(JSON.stringify(answer));
      return answer.response.decision === 'allow';
    };
  },
};

export const engines: readonly Engine[] = [ours, casbin, cedar];
