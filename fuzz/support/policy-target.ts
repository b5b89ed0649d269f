import { isDeepStrictEqual } from 'node:util';
import { loadFabric } from '../../src/policy/fabric/index.ts';
import { type ReadPolicy, readPolicy } from '../../src/policy/load/index.ts';
import type { Fabric } from '../../src/policy/types.ts';
import { bytesOf, demand, type Mutator, type Target, textOf } from '../engine/target.ts';
import { projectFile, withoutComments } from './files.ts';
import { checkLoadErrors, lineCountOf } from './load-errors.ts';

const FABRIC = projectFile('config/fabric.yaml');
const MODEL = projectFile('policies/model.conf');
const MANDATORY = projectFile('policies/mandatory.csv');
const ACME = 'p, role:reader, acme, own, class:allowlisted, allow\n';

/** One file of a policy is mutated, the others are good. */
export interface PolicyFile {
  readonly name: string;
  readonly file: string;
  readonly oracle: string;
  readonly seeds: readonly string[];
  readonly mutators: readonly Mutator[];
  readonly maxLength: number;
  readonly profile?: 'host' | 'bmc';
  /** What must hold of a policy that was accepted with such a file. @throws Violation */
  readonly accepted: (policy: ReadPolicy, text: string, fabric: Fabric) => void;
}

export function policyTarget({
  name,
  file,
  oracle,
  seeds,
  mutators,
  maxLength,
  profile,
  accepted,
}: PolicyFile): Target {
  return {
    name,
    oracle,
    covers: [
      'src/policy/load',
      'src/policy/casbin',
      'src/policy/fabric',
      'src/policy/names.ts',
      'src/cci/command-table.ts',
    ],
    kind: 'text',
    maxLength,
    seeds: () => seeds.map((text) => bytesOf(withoutComments(text))),
    mutators,
    open() {
      const fabric = loadFabric({ text: FABRIC });
      if (!fabric.ok) throw new Error('the fabric of the example does not load');
      const files = { 'mandatory.csv': MANDATORY, 'model.conf': MODEL, 'tenants/acme.csv': ACME };
      const read = (bytes: Uint8Array) =>
        readPolicy({
          files: { ...files, [file]: bytes },
          fabric: fabric.value,
          profile: profile ?? 'host',
          today: '2026-11-23',
        });
      return {
        async run(bytes) {
          const policy = await read(bytes);
          const text = textOf(bytes);
          if (!policy.ok) {
            checkLoadErrors(policy.error, Math.max(1, lineCountOf(text)));
            return;
          }
          accepted(policy.value, text, fabric.value);
          // What a person would not call a change changes nothing but the name of the snapshot.
          const again = await read(bytesOf(`${text}\n\n`));
          demand(again.ok, 'two line ends behind a good file make it a bad one');
          const [before, after] = [policy.value.rules, again.value.rules];
          demand(isDeepStrictEqual(after.grants, before.grants), 'other grants');
          demand(
            isDeepStrictEqual(
              after.mandatory.map(({ row }) => row),
              before.mandatory.map(({ row }) => row),
            ),
            'other rules',
          );
        },
      };
    },
  };
}
