import { expect, it } from 'vitest';
import { toHex } from '../../../src/cci/index.ts';
import { opaque, openRig, portError, recordOf } from './rig.ts';

// Row L7: under confidentiality operators see that something happened to others, not the details.

const secrets = '5a'.repeat(8);

it.each([
  ['an error message', portError(1, 0x5a), ''],
  ['a record that nobody can read', opaque(0x5a), 'port:4'],
] as const)('%s of a tenant is a pseudonym to operators, and itself to him', async (_what, body, path) => {
  const rig = await openRig({ hidesOthers: true, components: true });
  rig.device.raise(body, 'warning', path);
  rig.device.raise(body, 'warning', path);
  await rig.drained();
  const shown = (tenant: string) =>
    rig.feed(tenant).events.map((event) => (event.kind === 'record' ? event.record : ''));
  expect(shown('acme').every((record) => record.includes(secrets))).toBe(true);
  expect(shown('fabric')).toHaveLength(2);
  expect(shown('fabric').some((record) => record.includes(secrets))).toBe(false);
  // The same detail has the same pseudonym, so that operators can tell one fault from two.
  const data = shown('fabric').map((record) => record.slice(96));
  expect(data[0]).toBe(data[1]);
  const open = await openRig({ fileSystem: rig.files });
  expect(open.feed('fabric').events.map((event) => event.kind === 'record' && event.record.includes(secrets))).toEqual([
    true,
    true,
  ]);
});

it('what concerns nobody else operators read in full', async () => {
  const rig = await openRig({ hidesOthers: true });
  rig.device.raise(portError(0, 0x5a));
  await rig.drained();
  expect(rig.feed('fabric').events[0]).toMatchObject({ record: expect.stringContaining(secrets) });
});

it('a record that refers to another does so by the reader’s own handle, or not at all', async () => {
  const rig = await openRig();
  const first = rig.device.raise(portError(2));
  rig.device.raise(portError(1));
  rig.device.raise(portError(2), 'informational', '', first);
  rig.device.raise(portError(1), 'informational', '', first);
  await rig.drained();
  const related = (tenant: string) =>
    rig.feed(tenant).events.map((event) => (event.kind === 'record' ? event.record.slice(0x16 * 2, 0x18 * 2) : ''));
  expect(related('globex')).toEqual(['0000', '0100']);
  expect(related('acme')).toEqual(['0000', '0000']);
  expect(toHex(recordOf(portError(1))).slice(0, 32)).toBe('8dc443630c964710b7bf04bb99534c3f');
});
