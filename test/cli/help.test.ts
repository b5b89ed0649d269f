import { describe, expect, it } from 'vitest';
import { cli } from '../support/command-line.ts';

const LEAVES = [
  'serve',
  'token issue',
  'whoami',
  'switches',
  'show',
  'run',
  'raw',
  'can',
  'lockdown raise',
  'taint',
  'taint acknowledge',
  'topology show',
  'topology accept',
  'policy check',
  'policy test',
  'policy explain',
  'audit tail',
  'audit show',
  'audit verify',
  'audit key',
  'audit schema',
  'emulate',
  'completion',
];

describe('--help', () => {
  it('of cci lists every command, the environment and the exit statuses', async () => {
    const { code, out, err } = await cli(['--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const leaf of LEAVES) expect(out).toContain(`\n  ${leaf.split(' ')[0]}`);
    expect(out).toContain('CCI_TOKEN');
    expect(out).toContain('Status: 0 done, 1 failed, 2 usage, 3 denied, 4 the device');
    expect(out).not.toContain('complete [');
  });

  it.each(LEAVES)('of cci %s has an example and the common flags', async (leaf) => {
    const { code, out, err } = await cli([...leaf.split(' '), '--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`Usage: cci ${leaf}`);
    expect(out).toMatch(/\nExample:\n {2}\$ .*cci /);
    expect(out).toContain('--token-file <file>');
  });

  it.each(['token', 'lockdown', 'audit'])('of the group cci %s has the examples of its commands', async (group) => {
    const { code, out } = await cli([group, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/\nExamples:\n {2}\$ /);
  });

  it('cci --version is the version of the package', async () => {
    expect((await cli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('completion', () => {
  const complete = async (...words: string[]) =>
    (await cli(['complete', '--', ...words])).out.split('\n').filter(Boolean);

  it.each([
    [['wh'], ['whoami']],
    [
      ['show', 'l'],
      ['lds', 'lockdown'],
    ],
    [
      ['audit', ''],
      ['key', 'schema', 'show', 'tail', 'verify'],
    ],
    [
      ['lockdown', 'raise', ''],
      ['confidentiality', 'integrity'],
    ],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
    [['run', 'bind'], ['bind-vppb']],
    [['can', 'ra'], ['raw']],
    [['policy', 'explain', 'bind'], ['bind-vppb']],
    [
      ['run', 'bind-vppb', '--v'],
      ['--vcs-id', '--via', '--vppb-id'],
    ],
    [['run', '--via', 'port:3', 'get-ld-i'], ['get-ld-info']],
    [['run', 'unbind-vppb', '--option', 's'], ['surprise-hot-remove']],
    [
      ['emulate', '--dialect', ''],
      ['jackrabbit', 'spec'],
    ],
    [['whoami', '--j'], ['--json']],
    [['run', 'no-such', '--x'], []],
    [['--switch', 'sw0', 'sho'], ['show']],
  ])('%j', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  it('of a first word offers every command and no hidden one', async () => {
    const all = await complete('');
    expect(all).toContain('serve');
    expect(all).not.toContain('complete');
  });

  it.each(['bash', 'zsh', 'fish'])('prints a script for %s', async (shell) => {
    const { code, out } = await cli(['completion', shell]);
    expect(code).toBe(0);
    expect(out).toContain('cci complete --');
  });
});
