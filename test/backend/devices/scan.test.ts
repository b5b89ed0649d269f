import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { hostPathsBelow, scanDevices, waysTo } from '../../../src/backend/devices/index.ts';
import { layOut, type MachineTree, readMachine } from './machine-tree.ts';

let tree: MachineTree | undefined;
afterEach(() => tree?.remove());

async function scan(name: string) {
  tree = layOut(readMachine(name));
  return scanDevices(tree.paths);
}

test('a machine without any of the files is told as one, and nothing is thrown', async () => {
  expect(await scanDevices(hostPathsBelow('/nonexistent'))).toEqual({
    unreadable: 'ENOENT',
    unreadableFunctions: 0,
    switches: [],
    nodes: [],
    lockdown: 'not-shown',
    iommuGroups: 0,
    vfio: { isLoaded: false, hasContainer: false, hasIommufd: false },
  });
});

test('this very machine can be looked at', async () => {
  const { hostPaths } = await import('../../../src/backend/devices/index.ts');
  expect(Array.isArray((await scanDevices(hostPaths)).switches)).toBe(true);
});

test('every other member of a group is named, and only those that keep it from VFIO are in the way', async () => {
  const { switches } = await scan('shared-group');
  const group = switches[0]?.group;
  expect(group?.isViable).toBe(false);
  expect(group?.others.map(({ address, isInTheWay }) => [address, isInTheWay])).toEqual([
    ['0000:0d:00.0', false],
    ['0000:0e:00.0', false],
    ['0000:0f:00.0', true],
    ['0000:10:00.0', false],
  ]);
});

test('nothing that is not a PCI address gets into a command for a root shell', async () => {
  const report = await scan('two');
  expect(report.switches.map(({ address }) => address)).toEqual(['0000:01:00.0', '0001:01:00.0']);
  const commands = report.switches.flatMap((one) => waysTo(one, report)).flatMap((way) => way.commands);
  expect(commands.length).toBeGreaterThan(0);
  expect(commands.join('\n')).not.toContain('reboot');
});

test('a kernel text that is not one of the three levels is not believed', async () => {
  for (const [lockdown, level] of [
    ['integrity', 'integrity'],
    ['frog', 'not-shown'],
  ] as const) {
    tree = layOut({ lockdown });
    expect((await scanDevices(tree.paths)).lockdown).toBe(level);
    tree.remove();
  }
});

test('each machine of the folder says what it stands for', () => {
  const folder = join(import.meta.dirname, 'machines');
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.yaml')) expect(readFileSync(join(folder, name), 'utf8'), name).toMatch(/^about: /);
  }
});
