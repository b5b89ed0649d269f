import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isLoopback, parseConfig } from '../../../src/broker/config/index.ts';

const shipped = readFileSync(new URL('../../../config/broker.yaml', import.meta.url), 'utf8');

function problemsOf(text: string): readonly string[] {
  const result = parseConfig(text, '/etc/cci/broker.yaml');
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line}: ${message}`);
}

describe('the configuration file', () => {
  it('accepts the shipped one and makes its paths absolute', () => {
    const result = parseConfig(shipped, '/etc/cci/broker.yaml');
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect(result.config).toMatchObject({
      profile: 'host',
      stateDirectory: '/etc/var',
      fabric: '/etc/cci/fabric.yaml',
      policyDirectory: '/etc/policies',
      rawCommands: 'off',
      rawAllowAll: false,
      discloseReasons: 'own',
      lockdown: { level: 'none', underLockdown: 'allow', kernelLockdown: 'read' },
    });
    expect(result.config.switches.get('sw0')?.backend).toMatchObject({ topology: '/etc/cci/topologies/small.yaml' });
  });

  it('accepts the shipped configuration for QEMU, with both timestamp commands kept from the device', () => {
    const text = readFileSync(new URL('../../../config/qemu.yaml', import.meta.url), 'utf8');
    const result = parseConfig(text, '/etc/cci/qemu.yaml');
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect([...(result.config.switches.get('sw0')?.neverSend.keys() ?? [])]).toEqual([0x0300, 0x0301]);
  });

  it.each([
    ['a mistyped key', shipped.replace('raw_commands:', 'raw_comands:'), 'raw_comands'],
    ['a word that is not one of the choices', shipped.replace('profile: host', 'profile: hosts'), 'profile'],
    ['an address that others can reach', shipped.replace('host: 127.0.0.1', 'host: 0.0.0.0'), 'use 127.0.0.1'],
    ['a name instead of an address', shipped.replace('host: 127.0.0.1', 'host: broker.example'), 'use 127.0.0.1'],
    ['raw commands in profile host', shipped.replace('raw_commands: off', 'raw_commands: taints-this-switch'), 'bmc'],
    ['an override without raw commands', `${shipped}\nraw_allow_all: true\n`, 'raw_allow_all'],
    ['no issuer', shipped.replace(/issuers:[\s\S]*?# The level/, 'issuers: []\n# The level'), 'issuers'],
    ['no switch', shipped.replace(/switches:[\s\S]*$/, 'switches: {}\n'), 'switches'],
    [
      'a switch under a name that no switch can have, whatever stands below it',
      shipped.replace(/^switches:$/m, 'switches:\n  SW1: { backend: { kind: nonsense }, never_send: 7 }'),
      '`switches.SW1` is not a known key',
    ],
    ['a switch without a name and without settings', shipped.replace(/^switches:$/m, 'switches:\n  "":'), 'switches'],
    [
      'a tenant under a name that no tenant can have',
      `${shipped}\ntenants: { Acme: { weight: -1 } }\n`,
      'tenants.Acme',
    ],
    ['a development issuer in production', `${shipped}\nproduction: true\n`, 'not for production'],
    ['an empty file', '', 'the file'],
    ['an alias that could stand for gigabytes', 'a: &a [x]\nb: *a\n', 'YAML'],
    ['a file that is not YAML', '{{{', ''],
  ])('refuses %s and says where', (_name, text, expected) => {
    const problems = problemsOf(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join('\n')).toContain(expected);
  });

  it('tells all problems of a step at once', () => {
    const text = shipped
      .replace('host: 127.0.0.1', 'host: 0.0.0.0')
      .concat('\nraw_allow_all: true\nproduction: true\n');
    expect(problemsOf(text).length).toBeGreaterThanOrEqual(3);
  });
});

describe('isLoopback', () => {
  it.each(['127.0.0.1', '127.255.255.254', '::1', 'localhost'])('%s stays on this machine', (host) => {
    expect(isLoopback(host)).toBe(true);
  });
  it.each(['0.0.0.0', '::', '127.0.0.1.example.org', '128.0.0.1', '10.0.0.1', ''])('%s does not', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});
