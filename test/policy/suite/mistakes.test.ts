import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readSuite } from '../../../src/policy/tools.ts';
import { formatProblem } from '../../../src/yaml/index.ts';
import { fabric, fabricOf } from '../load/fixture.ts';

const head = `
issuer: https://cci-broker.local/dev
principals:
  reader: { tenant: acme }
  operator: { tenant: acme, groups: [operators] }
  guest: { tenant: globex, subject: greta, issuer: https://idp.example, scopes: ['cci:read'] }
`;

interface Mistake {
  readonly name: string;
  /** A whole suite. */
  readonly suite?: string;
  /** What stands below the principals above. */
  readonly below?: string;
  readonly says: readonly string[];
}

const mistakes = parse(readFileSync(`${import.meta.dirname}/mistakes.yaml`, 'utf8')) as readonly Mistake[];

function saidOf(text: string, of = fabric): readonly string[] {
  const read = readSuite(text, 'suite.yaml', of);
  return read.ok ? [] : read.problems.map(formatProblem);
}

describe('a malformed suite', () => {
  test.each(mistakes)('($name) is told with its place', ({ suite, below, says }) => {
    expect(saidOf(suite ?? `${head}${below}`)).toEqual(says);
  });

  test('of broken YAML is told with its place', () => {
    expect(saidOf('cases: [').join()).toMatch(/^suite\.yaml:1:9: flow sequence/);
  });

  test('for a switch that is not there is told which ones are, and nothing that follows from it', () => {
    const two = fabricOf(
      'switches: { a: { ports: [{ ids: 0 }] }, b: { ports: [{ ids: 0 }] } }\ntenants: { acme: {} }\n',
    );
    const cases = 'cases:\n  - { name: c, for: nobody, command: nothing }\n';
    expect(saidOf(`${head}switch: c\n${cases}`, two)).toEqual([
      'suite.yaml:7:1: the fabric file has no switch `c`: it has a, b',
    ]);
    expect(saidOf(`${head}${cases}`, two)).toEqual([
      'suite.yaml:2:1: the fabric file has no switch `sw0`: it has a, b',
    ]);
  });
});

describe('a word of a suite', () => {
  const isTaken = (member: string, value: string, below?: 'posture' | 'state'): boolean => {
    const pair = `${member}: ${value}`;
    const more = below === undefined ? pair : `${below}: { ${pair} }`;
    return saidOf(`${head}cases:\n  - { name: c, for: reader, command: identify, ${more} }\n`).length === 0;
  };

  test.each<['posture' | 'state' | undefined, string, readonly string[], readonly string[]]>([
    ['posture', 'profile', ['host', 'bmc'], ['guest', "''"]],
    ['posture', 'lockdown', ['none', 'integrity', 'confidentiality'], ['all', "''"]],
    ['posture', 'under_lockdown', ['allow', 'reads', "'off'"], ['writes', "''"]],
    ['posture', 'raw_commands', ["'off'", 'taints-this-switch'], ["'on'", "''"]],
    ['posture', 'raw_allow_all', ['true', 'false'], ['1']],
    ['posture', 'taint', ['[]', '[X, R]'], ['X', "['']"]],
    ['state', 'known', ['true', 'false'], ['1']],
    ['state', 'cci', ['fm-interface', 'host-mailbox'], ['mailbox', "''"]],
    ['state', 'devices', ['{ 0: none, 1: sld, 2: mld, 3: other, 4: unknown }', '{}'], ['{ 0: gfd }', "{ 0: '' }"]],
    ['state', 'usps', ['{ 0: 0, 1: 7 }'], ['{ 0: -1 }', '{ 0: 256 }', '{ 0: x }']],
    [
      'state',
      'bindings',
      ['{ 0/0: 2, 0/1: 3/3, 0/2: unbound, 0/3: unknown }'],
      ['{ 0/0: 256 }', '{ 0/0: -1 }', "{ 0/0: '' }"],
    ],
    ['state', 'never_send', ["{ '0x0001': a, '0xFFFF': b, '65535': c, '1': d }"], ["{ '0x0001': '' }"]],
    [
      'state',
      'tags',
      ['{ 2/0da9c0b5-bf41-4b78-8f79-96b1623b3f17: acme, 0/0da9c0b5-bf41-4b78-8f79-96b1623b3f18: fabric }'],
      [],
    ],
    [undefined, 'expect', ['allow', 'deny'], ['maybe', "''"]],
    [undefined, 'rule', ['x', '[x, y]'], ["''", '[]']],
    [
      undefined,
      'errno',
      ['EPERM', 'ENOTTY', 'EBUSY', 'EINVAL', 'ENOMEM', 'EAGAIN', 'EIO', 'ETIMEDOUT'],
      ['ENOENT', "''"],
    ],
    [undefined, 'class', ['allowlisted', 'audited', 'raw'], ['open', "''"]],
    [undefined, 'scope', ['0', '3'], ['-1', '4', '1.5']],
    [undefined, 'reach', ['query', 'own', 'cross-tenant', 'switch', 'opaque'], ['far', "''"]],
    [undefined, 'touches', ['[]', '[/switches/sw0]'], ["['']", '/switches/sw0']],
    [undefined, 'visible', ['[]', '[0, 65535]'], ['[-1]', '[65536]']],
    [undefined, 'via', ['port:2', 'port:3/ld:1'], ["''"]],
    [undefined, 'params', ['{}'], ['[]', 'x']],
  ])('%s %s may be %j and not %j', (below, member, right, wrong) => {
    expect(right.filter((value) => !isTaken(member, value, below))).toEqual([]);
    expect(wrong.filter((value) => isTaken(member, value, below))).toEqual([]);
  });

  test.each([
    ['for', ['reader', '[reader, operator]'], ["''", '[]']],
    ['name', ['c'], ["''", `'${'x'.repeat(2001)}'`]],
    ['commands', ['[identify]', "[{ command: identify, via: 'port:2' }]"], ['[]', "['']"]],
    [
      'raw',
      ['{ opcode: 1 }', '{ opcode: 65535 }', "{ opcode: '0xc010', payload: '' }"],
      ['{ opcode: 0 }', '{ opcode: 65536 }', '{}'],
    ],
  ])('%s may be %j and not %j', (member, right, wrong) => {
    const isWhole = (value: string): boolean => {
      const members = {
        name: 'c',
        for: 'reader',
        ...(member === 'commands' || member === 'raw' ? {} : { command: 'identify' }),
        [member]: value,
      };
      const pairs = Object.entries(members).map(([key, text]) => `${key}: ${text}`);
      return saidOf(`${head}cases:\n  - { ${pairs.join(', ')} }\n`).length === 0;
    };
    expect(right.filter((value) => !isWhole(value))).toEqual([]);
    expect(wrong.filter(isWhole)).toEqual([]);
  });

  test('may be as long as two thousand characters, and bytes as many as a tunnel of a switch carries', () => {
    const raw = (digits: number) =>
      saidOf(
        `${head}cases:\n  - { name: c, for: reader, raw: { opcode: 0xc010, payload: '${'0'.repeat(digits)}' } }\n`,
      );
    expect(raw(1 << 17)).toEqual([]);
    expect(raw((1 << 17) + 2)).toHaveLength(1);
    expect(saidOf(`${head}cases:\n  - { name: '${'x'.repeat(2000)}', for: reader, command: identify }\n`)).toEqual([]);
  });
});
