import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const folder = fileURLToPath(new URL('../../packaging/systemd/', import.meta.url));
const page = readFileSync(new URL('../../docs/packaging.md', import.meta.url), 'utf8');
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

/** What `systemd-analyze security` says of the unit with a drop-in: 0.0 to 10.0. */
function exposureWith(dropIn: string): number {
  const directory = mkdtempSync(join(tmpdir(), 'cci-unit-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const unit = join(directory, 'cci-broker.service');
  cpSync(join(folder, 'cci-broker.service'), unit);
  if (dropIn !== 'none') {
    mkdirSync(`${unit}.d`);
    cpSync(join(folder, dropIn), join(`${unit}.d`, dropIn));
  }
  const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=yes', '--no-pager', unit], {
    encoding: 'utf8',
    env: { ...process.env, SYSTEMD_UNIT_PATH: `${directory}:` },
  });
  const told = /Overall exposure level for cci-broker\.service: ([\d.]+)/.exec(stdout)?.[1];
  if (told === undefined) throw new Error(stdout);
  return Number(told);
}

const rows = [...page.matchAll(/^\| [^|]+ \| (?:`([a-z]+\.conf)`|none) \| ([\d.]+) \|$/gm)];

test('the page has a row for each drop-in, and for none', () => {
  expect(rows.map(([, dropIn = 'none']) => dropIn)).toEqual(['none', 'vfio.conf', 'chardev.conf', 'sysfs.conf']);
});

// Each version of systemd counts a little differently; what is promised is the limit.
test.skipIf(!hasSystemd).each(rows.map(([, dropIn = 'none']) => dropIn))(
  'the unit with %s is exposed by 2.0 at most',
  (dropIn) => {
    expect(exposureWith(dropIn)).toBeLessThanOrEqual(2.0);
  },
);
