import { expect, it } from 'vitest';
import { ldId, portId } from '../../../src/cci/index.ts';
import { assumedPosture, fabricTopology } from '../../../src/policy/tools.ts';
import { exampleSpec, fakeFabric } from '../../support/fake-policy.ts';

const fabric = fakeFabric(exampleSpec);

it('shows the switch of the fabric file with everything there and nothing bound', () => {
  const topology = fabricTopology(fabric, 'sw0');
  expect(topology?.known).toBe(true);
  expect(topology?.ports.get(5)).toEqual({ id: 5, role: 'dsp', device: 'mld', ldCount: 4 });
  expect(topology?.ports.get(3)).toEqual({ id: 3, role: 'dsp', device: 'sld', ldCount: 0 });
  expect(topology?.vcss.get(1)?.vppbs).toEqual(Array.from({ length: 4 }, () => ({ kind: 'unbound' })));
  expect(topology?.vcss.get(1)?.usp).toBe(-1);
  expect(topology?.switchCci).toBe('fm-interface');
  expect(topology?.neverSend.size).toBe(0);
  expect(topology?.tagOwner).toBeUndefined();
  expect(topology?.cel([])?.get(0xffff)).toBe(0);
});

it('has no picture of a switch that the file does not list', () => {
  expect(fabricTopology(fabric, 'sw9')).toBeUndefined();
});

it('shows what is assumed instead', () => {
  const topology = fabricTopology(fabric, 'sw0', {
    switchCci: 'host-mailbox',
    devices: new Map([[6, 'other']]),
    usps: new Map([[0, 1]]),
    bindings: new Map([[0, new Map([[2, { kind: 'ld', port: 5, ld: 1 }]])]]),
    neverSend: new Map([[0x0300, 'it crashes']]),
    tagOwners: new Map([['5/abc', 'acme']]),
  });
  expect(topology?.ports.get(6)?.device).toBe('other');
  expect(topology?.ports.get(1)).toEqual({ id: 1, role: 'usp', device: 'none', ldCount: 0 });
  expect(topology?.vcss.get(0)?.usp).toBe(1);
  expect(topology?.vcss.get(0)?.vppbs[2]).toEqual({ kind: 'ld', port: 5, ld: 1 });
  expect(topology?.switchCci).toBe('host-mailbox');
  expect(topology?.neverSend.get(0x0300)).toBe('it crashes');
  expect(topology?.tagOwner?.(5, 'abc')).toBe('acme');
  expect(topology?.tagOwner?.(5, 'abd')).toBeUndefined();
});

it('knows nothing where nothing is to be known', () => {
  const topology = fabricTopology(fabric, 'sw0', { known: false });
  expect(topology?.known).toBe(false);
  expect(topology?.ports.size).toBe(0);
  expect(topology?.vcss.size).toBe(0);
});

it('tells what executes at the end of a path', () => {
  const topology = fabricTopology(fabric, 'sw0', { devices: new Map([[6, 'other']]) });
  expect(topology?.component([])).toBe('switch');
  expect(topology?.component([{ kind: 'ldpool' }])).toBe('unknown');
  expect(topology?.component([{ kind: 'port', port: portId(3) }])).toBe('sld');
  expect(topology?.component([{ kind: 'port', port: portId(5) }])).toBe('fm-owned-ld');
  expect(topology?.component([{ kind: 'port', port: portId(6) }])).toBe('unknown');
  expect(
    topology?.component([
      { kind: 'port', port: portId(3) },
      { kind: 'ld', ld: ldId(0) },
    ]),
  ).toBe('unknown');
  expect(
    topology?.component([
      { kind: 'port', port: portId(5) },
      { kind: 'ld', ld: ldId(0) },
    ]),
  ).toBe('ld');
  expect(topology?.component([{ kind: 'port', port: portId(5) }, { kind: 'ldpool' }])).toBe('ld-pool-cci');
});

it('makes a posture that is lax unless something is assumed', () => {
  const lax = assumedPosture({ profile: 'host' });
  expect(lax.lockdown.effective).toBe('none');
  expect([lax.rawCommands, lax.rawAllowAll, lax.underLockdown, lax.taint.letters]).toEqual([
    'off',
    false,
    'allow',
    '-',
  ]);
  const strict = assumedPosture({
    profile: 'bmc',
    lockdown: 'integrity',
    rawCommands: 'taints-this-switch',
    rawAllowAll: true,
    underLockdown: 'reads',
    taint: [
      { letter: 'X', scope: '/switches/sw0' },
      { letter: 'R', scope: '/switches/sw0/ports/3' },
    ],
  });
  expect(strict.lockdown.effective).toBe('integrity');
  expect([strict.rawCommands, strict.rawAllowAll, strict.underLockdown]).toEqual(['taints-this-switch', true, 'reads']);
  expect(strict.taint.letters).toBe('RX');
  expect(strict.taint.mask).toBe((1 << 0) | (1 << 7));
  expect(strict.taint.entries).toHaveLength(2);
});
