import { demand, type Target } from '../engine/target.ts';
import { projectFile, withoutComments } from '../support/files.ts';
import { policyTarget } from '../support/policy-target.ts';
import { lines, words } from '../support/text-mutators.ts';

const plain = (text: string): string =>
  withoutComments(text)
    .replaceAll('\r', '')
    .replaceAll(/[^\S\n]+/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
const shipped = projectFile('policies/model.conf');
const definitions = (text: string): string =>
  plain(text)
    .split('\n')
    .filter((line) => !line.startsWith('[') && line !== '')
    .map((line) => line.replace(/\s*=\s*/, '='))
    .sort()
    .join('\n');

export const target: Target = policyTarget({
  name: 'policy-model',
  file: 'model.conf',
  oracle: 'a model that is accepted has the definitions of the shipped one, whatever its blanks and comments',
  seeds: [shipped],
  mutators: [lines, words],
  maxLength: 4000,
  accepted(_policy, text) {
    demand(definitions(text) === definitions(shipped), 'a model of another meaning was accepted');
  },
});
