import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/broker/config/index.ts';

const parse = (section: string) =>
  parseConfig(
    `
profile: bmc
http: { host: 127.0.0.1, port: 0 }
state_directory: state
fabric: fabric.yaml
policy: { directory: policies }
issuers: [{ kind: development, tenants: ['*'] }]
raw_commands: taints-this-switch
switches: { sw0: { backend: { kind: emulator, topology: t.yaml } } }
${section}
`,
    '/etc/cci/broker.yaml',
  );
const of = (program: string, more = '') => parse(`console: { programs: { tool: { ${program} } }${more} }`);
const problems = (parsed: ReturnType<typeof parse>) =>
  parsed.ok ? '' : parsed.problems.map(({ line, message }) => `${line}: ${message}`).join('\n');

describe('the section `console`', () => {
  it('is not there unless somebody writes it', () => {
    const parsed = parse('');
    expect(parsed.ok && parsed.config.console).toBeUndefined();
  });

  it('has every bound written out', () => {
    const parsed = of('switch: sw0, path: /opt/tool');
    expect(parsed.ok ? parsed.config.console : problems(parsed)).toEqual({
      programs: new Map([
        [
          'tool',
          {
            name: 'tool',
            title: 'tool',
            path: '/opt/tool',
            arguments: [],
            environment: {},
            workingDirectory: '/',
            switch: 'sw0',
            tenant: 'fabric',
            limits: {
              timeMs: 3_600_000,
              idleMs: 900_000,
              outputBytes: 2 ** 28,
              memoryBytes: 2 ** 30,
              processes: 64,
              files: 256,
            },
          },
        ],
      ]),
      approval: 'none',
      approvalMs: 600_000,
      watcher: 'none',
      watcherMs: 60_000,
      whileOpen: 'wait',
      resumeMs: 60_000,
      recording: { directory: undefined, publicKeyFile: undefined },
    });
  });

  it('takes relative paths from the file itself, and names its tenants', () => {
    const recording = ', recording: { directory: tapes, public_key_file: tapes.pem }, approval: required';
    const parsed = of('switch: sw0, path: /opt/tool, user: tool, group: tool, tenant: acme', recording);
    if (!parsed.ok) throw new Error(problems(parsed));
    expect(parsed.config.console?.recording).toEqual({
      directory: '/etc/cci/tapes',
      publicKeyFile: '/etc/cci/tapes.pem',
    });
    expect(parsed.config.tenantsNamed).toEqual(['acme']);
    expect(parsed.config.console?.programs.get('tool')).toMatchObject({ user: 'tool', group: 'tool', tenant: 'acme' });
  });

  it.each([
    ['a path that is not absolute', 'switch: sw0, path: tool', ''],
    ['a switch that is not there', 'switch: sw1, path: /opt/tool', 'there is no switch `sw1`'],
    ['a group without a user', 'switch: sw0, path: /opt/tool, group: x', '`group` means nothing without `user`'],
    ['a user that could be an option', "switch: sw0, path: /opt/tool, user: '-x'", ''],
    ['a user by number', "switch: sw0, path: /opt/tool, user: '0'", ''],
    ['the mark of a session', 'switch: sw0, path: /opt/tool, environment: { CCI_CONSOLE_SESSION: x }', 'is the mark'],
    ['a variable with a strange name', "switch: sw0, path: /opt/tool, environment: { 'A=B': x }", ''],
    ['a limit of nothing', 'switch: sw0, path: /opt/tool, limits: { processes: 0 }', ''],
    ['an unknown key', 'switch: sw0, path: /opt/tool, shell: true', 'shell'],
  ])('refuses %s', (_what, program, told) => {
    const found = problems(of(program));
    expect(found).not.toBe('');
    expect(found).toContain(told);
  });

  it('refuses programs whose name no grant could have', () => {
    expect(problems(parse('console: { programs: { Tool: { switch: sw0, path: /opt/tool } } }'))).not.toBe('');
  });
});
