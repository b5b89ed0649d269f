import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createEmulator, loadTopology, parseTopology, TopologyError } from '../../../src/backend/emulator/index.ts';
import { topologyPath } from './rig.ts';

function problems(text: string): readonly string[] {
  try {
    parseTopology(text, 'f.yaml');
  } catch (error) {
    if (error instanceof TopologyError) return error.message.split('\n');
    throw error;
  }
  return [];
}

/** A whole file with some parts of its own. */
function file(devices: string, ports: string, vcss = ''): string {
  return `switch: { serial: 1 }\ndevices:\n${devices}\nports:\n  - { ids: 0, role: usp }\n${ports}\n${vcss === '' ? '' : `vcss:\n${vcss}\n`}`;
}

const MLD = '  m: { kind: mld, serial: 9, capacity: 4GiB, lds: 4 }';
const SLD = '  s: { kind: sld, serial: 9, capacity: 1GiB }';

describe('the topologies that ship', () => {
  it.each([
    ['small', 8, 2, 5],
    ['default-32', 32, 4, 20],
    ['max-255', 255, 16, 239],
    ['dcd-pool', 8, 4, 3],
    ['conformance', 4, 1, 2],
  ] as const)('%s has %i ports, %i VCSs, %i devices', (name, ports, vcss, devices) => {
    const topology = loadTopology(topologyPath(name));
    expect([topology.ports.length, topology.vcss.length, topology.devices.length]).toEqual([ports, vcss, devices]);
    expect(createEmulator(topology).execute(0x5100, new Uint8Array(0)).payload).toHaveLength(73);
  });

  it('small is the switch of the default configuration', () => {
    const { ports, vcss, devices } = loadTopology(topologyPath('small'));
    const kinds = ports.map((port) => (port.device === null ? port.role : devices[port.device]?.kind));
    expect(kinds).toEqual(['usp', 'usp', 'sld', 'mld', 'sld', 'sld', 'dsp', 'mld']);
    expect(vcss.map((vcs) => vcs.bindings)).toEqual([
      [
        { vppb: 0, port: 2, ld: null },
        { vppb: 1, port: 3, ld: 0 },
      ],
      [
        { vppb: 0, port: 4, ld: null },
        { vppb: 1, port: 3, ld: 2 },
      ],
    ]);
  });

  it('give every component a serial number of its own', () => {
    const { state } = createEmulator(loadTopology(topologyPath('default-32'))).machine;
    const ccis = [
      state.cci,
      ...state.devices.flatMap((device) => [
        device.cci,
        ...(device.pool ? [device.pool] : []),
        ...device.lds.map((ld) => ld.cci),
      ]),
    ];
    expect(new Set(ccis.map((cci) => cci.serial)).size).toBe(ccis.length);
  });
});

describe('what is wrong with a topology file is said with line and column', () => {
  it.each([
    ['a tab where YAML has none', 'switch: {serial: 1}\nports:\n\t- x', 'f.yaml:3:'],
    [
      'a key that is not known',
      'switch: { serial: 1, colour: red }\nports: [{ ids: 0, role: usp }]',
      'f.yaml:1:22: `switch.colour` is not a known key',
    ],
    ['a key twice', 'switch: { serial: 1 }\nswitch: { serial: 1 }\nports: []', 'f.yaml:2:1: map keys must be unique'],
    ['no ports', 'switch: { serial: 1 }\n', 'f.yaml:1:1: the file must have `ports`'],
    [
      'a device that is not there',
      file(SLD, '  - { ids: 2, role: dsp, device: t }'),
      'f.yaml:6:26: there is no device `t`',
    ],
    [
      'a range that runs backwards',
      file(SLD, '  - { ids: 9-2, role: dsp }'),
      'f.yaml:6:7: `9-2` is not a range of ids 0 to 255',
    ],
    ['a port twice', file(SLD, '  - { ids: 0-3, role: dsp }'), 'f.yaml:6:7: port `0` is described twice'],
    [
      'a device in an upstream port',
      file(SLD, '  - { ids: 1, role: usp, device: s }'),
      'f.yaml:6:26: a device is plugged into a `usp` port',
    ],
    [
      'a head that is not there',
      file(SLD, '  - { ids: 1, role: dsp, device: s, head: 1 }'),
      'f.yaml:6:37: device `s` has 1 head(s), no head `1`',
    ],
    [
      'allocations over the capacity',
      file(
        '  m: { kind: mld, serial: 9, capacity: 1GiB, allocations: [1GiB, 1GiB] }',
        '  - { ids: 1, role: dsp, device: m }',
      ),
      'f.yaml:3:46: the allocations are more than `capacity`',
    ],
    [
      'an LD count on an SLD',
      file('  s: { kind: sld, serial: 9, capacity: 1GiB, lds: 2 }', '  - { ids: 1, role: dsp, device: s }'),
      'f.yaml:3:46: an sld has no `lds`',
    ],
    [
      'a capacity that is no multiple of 256 MiB',
      file('  s: { kind: sld, serial: 9, capacity: 100MiB }', '  - { ids: 1, role: dsp, device: s }'),
      'f.yaml:3:30: `capacity` must be a multiple of 256MiB',
    ],
    [
      'a VCS below a port that is no USP',
      file(SLD, '  - { ids: 1, role: dsp }', '  - { ids: 0, usp: 1, vppbs: 2 }'),
      'f.yaml:8:15: port `1` is not a usp',
    ],
    [
      'an MLD bound as a whole',
      file(
        MLD,
        '  - { ids: 1, role: dsp, device: m }',
        '  - { ids: 0, usp: 0, vppbs: 2, bindings: [{ vppb: 0, port: 1 }] }',
      ),
      'f.yaml:8:44: port `1` carries an mld: name one of its lds',
    ],
    [
      'an LD bound twice',
      file(
        MLD,
        '  - { ids: 1, role: dsp, device: m }',
        '  - { ids: 0, usp: 0, vppbs: 2, bindings: [{ vppb: 0, port: 1, ld: 1 }, { vppb: 1, port: 1, ld: 1 }] }',
      ),
      'f.yaml:8:73: the vppb, port or ld of this binding is bound already',
    ],
    [
      'an LD that is not there',
      file(
        MLD,
        '  - { ids: 1, role: dsp, device: m }',
        '  - { ids: 0, usp: 0, vppbs: 2, bindings: [{ vppb: 0, port: 1, ld: 4 }] }',
      ),
      'f.yaml:8:44: there is no ld `4` on that port',
    ],
    [
      'a serial number twice',
      file('  s: { kind: sld, serial: 1, capacity: 1GiB }', '  - { ids: 1, role: dsp, device: s }'),
      'f.yaml:2:1: serial number of `s` is not its own',
    ],
  ])('%s', (_what, text, message) => {
    expect(problems(text)[0]).toContain(message);
  });

  it('as the page for users shows it', () => {
    const page = readFileSync(new URL('../../../docs/emulator.md', import.meta.url), 'utf8');
    const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const shown = problems(example).join('\n').replaceAll('f.yaml', 'my.yaml');
    expect(shown).not.toBe('');
    expect(page).toContain(`\n${shown}\n`);
  });

  it('names the file that was read', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'topology-')), 'mine.yaml');
    writeFileSync(path, 'switch: { serial: 1 }\nports: [{ ids: 0, role: up }]\n');
    expect(() => loadTopology(path)).toThrow(`${path}:2:19: \`ports.0.role\``);
  });
});
