import { loadFabric, parsePath } from '../../src/policy/fabric/index.ts';
import { bytesOf, demand, type Target, textOf } from '../engine/target.ts';
import { projectFile, withoutComments } from '../support/files.ts';
import { checkLoadErrors, lineCountOf } from '../support/load-errors.ts';
import { lines, words, yaml } from '../support/text-mutators.ts';

const FABRIC = 'fabric';

export const target: Target = {
  name: 'fabric-file',
  oracle:
    'in a fabric that loads every object has one owner that it names, and parts of an owned port belong to its owner',
  covers: ['src/policy/fabric', 'src/policy/load', 'src/policy/names.ts', 'src/yaml'],
  kind: 'text',
  maxLength: 2000,
  seeds: () => [
    bytesOf(withoutComments(projectFile('config/fabric.yaml'))),
    bytesOf(
      'switches: { s: { ports: [{ids: 0-3, lds: 2}], vcss: [{ids: 0, vppbs: 1}] } }\ntenants: {a: {owns: [/switches/s/ports/0]}}\n',
    ),
  ],
  mutators: [yaml, lines, words],
  open: () => ({
    run(bytes) {
      const text = textOf(bytes);
      const fabric = loadFabric({ text });
      if (!fabric.ok) {
        checkLoadErrors(fabric.error, lineCountOf(text));
        return;
      }
      const tenants = new Set([...fabric.value.tenants, FABRIC]);
      // The reserved tenant is always there.
      demand(fabric.value.tenants.includes(FABRIC) || tenants.has(FABRIC), 'no operators');
      const seen = new Set<string>();
      for (const path of fabric.value.objects.slice(0, 5000)) {
        demand(!seen.has(path), `${path} twice`);
        seen.add(path);
        const parsed = parsePath(path);
        demand(parsed !== undefined, `${path} is no path`);
        const owner = fabric.value.ownerOf(path);
        demand(owner !== undefined && tenants.has(owner), `${path} belongs to ${owner}`);
        if (parsed.parent === undefined || parsed.kind === 'port' || parsed.kind === 'vcs') continue;
        const above = fabric.value.ownerOf(parsed.parent as typeof path);
        demand(above === FABRIC || above === owner, `${path} of ${owner} below what is ${above}'s`);
      }
    },
  }),
};
