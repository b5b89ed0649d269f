import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { devices } from '../../src/cli/devices.ts';
import { layOut, type MachineTree, readMachine } from '../backend/devices/machine-tree.ts';
import { cli } from '../support/command-line.ts';

const MACHINES = join(import.meta.dirname, '../backend/devices/machines');
let tree: MachineTree | undefined;
afterEach(() => tree?.remove());

async function run(name: string, json: boolean) {
  tree = layOut(readMachine(name));
  let out = '';
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: () => expect.fail('it said something beside the data'),
    env: {},
    outIsTerminal: false,
    errIsTerminal: false,
    untilTold: () => AbortSignal.abort(),
  };
  return { code: await devices(io, { json }, tree.paths), out };
}

const names = readdirSync(MACHINES)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.slice(0, -'.yaml'.length));

describe('what `cci devices` says about a machine stands beside it in a file', () => {
  test.each(names)('%s', async (name) => {
    const { code, out } = await run(name, false);
    await expect(out).toMatchFileSnapshot(join(MACHINES, `${name}.txt`));
    expect(code).toBe(name === 'closed' ? 1 : 0);
    expect(out).not.toContain(tree?.root);
  });
});

test('the page about devices shows what the command really says', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/devices.md'), 'utf8');
  expect(page).toContain(readFileSync(join(MACHINES, 'shared-group.txt'), 'utf8'));
});

test('--json holds the same facts', async () => {
  const { code, out } = await run('shared-group', true);
  expect(code).toBe(0);
  const data = JSON.parse(out) as {
    switches: {
      address: string;
      group: { isViable: boolean };
      ways: { transport: string; state: string; commands: string[] }[];
    }[];
  };
  expect(data.switches.map(({ address, group }) => [address, group.isViable])).toEqual([['0000:0d:00.1', false]]);
  expect(data.switches[0]?.ways.map(({ transport, state }) => [transport, state])).toEqual([
    ['vfio', 'after-commands'],
    ['sysfs', 'ready'],
  ]);
});

test('`cci devices` looks at this machine and needs neither broker nor token', async () => {
  const { code, out, err } = await cli(['devices', '--json']);
  expect([0, 1]).toContain(code);
  expect(err).toBe('');
  expect(Object.keys(JSON.parse(out) as object)).toContain('lockdown');
});
