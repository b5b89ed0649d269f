import { afterEach, describe, expect, it } from 'vitest';
import type { CoreApi } from '../../src/broker/core-api.ts';
import { paint } from '../../src/cli/paint.ts';
import { safe, safeJson } from '../../src/cli/safe-text.ts';
import { table } from '../../src/cli/table.ts';
import { type FakeBroker, fakeBroker } from '../support/command-line.ts';
import { answered, GOOD_TOKEN, refused } from '../support/fake-core.ts';

let broker: FakeBroker | undefined;
afterEach(() => broker?.close());
const start = async (replace: Partial<CoreApi> = {}): Promise<FakeBroker> => {
  broker = await fakeBroker(replace);
  return broker;
};

/** Clears the screen, sets the title, turns the line round, ends a line, and more. */
const HOSTILE = 'a\u001b[2J\u001b]0;pwned\u0007\u202eb\u2028c\r\nd\u009b31m\u200be\u0000\ud800f\u{e0041}';
// Everything that a terminal could obey, but for the line feeds that we print ourselves.
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

describe('text from the server is never obeyed by a terminal', () => {
  it('is escaped, and nothing else is', () => {
    expect(safe('plain ünïcode 漢字 😀')).toBe('plain ünïcode 漢字 😀');
    expect(safe(HOSTILE)).toBe(
      'a\\u{1b}[2J\\u{1b}]0;pwned\\u{7}\\u{202e}b\\u{2028}c\\u{d}\\u{a}d\\u{9b}31m\\u{200b}e\\u{0}\\u{d800}f\\u{e0041}',
    );
    expect(JSON.parse(safeJson({ [HOSTILE]: HOSTILE }))).toEqual({ [HOSTILE]: HOSTILE });
    expect(safeJson({ [HOSTILE]: HOSTILE })).not.toMatch(OBEYED);
  });

  const hostile: Partial<CoreApi> = {
    submit: async () =>
      answered({
        requestId: HOSTILE,
        returnCodeName: HOSTILE,
        result: {
          [HOSTILE]: HOSTILE,
          list: [{ [HOSTILE]: [HOSTILE] }],
          port_information_list: [
            { port_id: 1, connected_device_type: HOSTILE, current_port_configuration_state: { state: HOSTILE } },
          ],
          vcs_information_list: [
            { vcs_id: 0, vcs_state: HOSTILE, vppb_information_list: [{ binding_status: HOSTILE }] },
          ],
          number_of_vcss: 1,
          number_of_physical_ports: 1,
        },
      }),
    decide: async () => ({
      ok: true,
      value: {
        requestId: HOSTILE,
        verdict: 'deny',
        command: HOSTILE,
        class: HOSTILE,
        reach: HOSTILE,
        touched: [HOSTILE],
        grants: [{ resource: HOSTILE, allowed: false, rule: HOSTILE, source: HOSTILE }],
        reasons: [{ step: HOSTILE, rule: HOSTILE, errno: HOSTILE, text: HOSTILE, source: HOSTILE }],
        wouldNeed: [HOSTILE],
        outward: { code: HOSTILE, detail: HOSTILE },
        snapshot: HOSTILE,
      },
    }),
    whoami: async () => ({
      ok: true,
      value: {
        principal: HOSTILE,
        tenant: HOSTILE,
        issuer: HOSTILE,
        subject: HOSTILE,
        names: [HOSTILE],
        scopes: [HOSTILE],
        expiresAtMs: Number.MAX_VALUE,
        owns: [HOSTILE],
        roles: [HOSTILE],
        limits: { weight: 1, concurrent: { limit: 256, used: 0 } },
      },
    }),
    switches: async () => ({
      ok: true,
      value: [{ name: HOSTILE, backend: HOSTILE, state: 'serving', resources: [HOSTILE] }],
    }),
    commands: async () => ({
      ok: true,
      value: [{ opcode: 1, slug: HOSTILE, name: HOSTILE, class: HOSTILE, scope: 0, allowed: true }],
    }),
    operations: async () => ({
      ok: true,
      value: [
        { id: HOSTILE, switch: HOSTILE, command: HOSTILE, opcode: 1, state: 'running', percent: 1, startedAtMs: 1e300 },
      ],
    }),
    posture: async () => ({
      ok: true,
      value: [
        {
          switch: HOSTILE,
          profile: HOSTILE,
          lockdown: { effective: 'none', kernel: HOSTILE, config: 'none', runTime: 'none' },
          rawCommands: HOSTILE,
          rawAllowAll: true,
          underLockdown: HOSTILE,
          taint: { mask: 1, letters: HOSTILE },
        },
      ],
    }),
    taint: async () => ({
      ok: true,
      value: [
        {
          switch: HOSTILE,
          mask: 1,
          letters: HOSTILE,
          entries: [
            {
              letter: HOSTILE,
              bit: 0,
              meaning: HOSTILE,
              atMs: 0,
              by: HOSTILE,
              record: HOSTILE,
              scope: HOSTILE,
              reason: HOSTILE,
              acknowledged: false,
            },
          ],
        },
      ],
    }),
    raiseLockdown: async () =>
      refused('EPERM', {
        detail: HOSTILE,
        requestId: HOSTILE,
        reasons: [{ step: HOSTILE, rule: HOSTILE, errno: HOSTILE, text: HOSTILE }],
      }),
  };

  it.each([
    'whoami',
    'switches',
    'show switch',
    'show ports',
    'show vcs',
    'show lds',
    'show commands',
    'show operations',
    'show lockdown',
    'show taint',
    'run identify',
    'can identify',
    'lockdown raise integrity',
  ])('cci %s', async (line) => {
    const fake = await start(hostile);
    for (const more of ['', ' --json']) {
      const { out, err } = await fake.run(line + more);
      expect(out).not.toMatch(OBEYED);
      expect(err).not.toMatch(OBEYED);
      expect(out + err).not.toBe('');
      if (more !== '' && out !== '') JSON.parse(out);
    }
  });

  it('an answer of the wrong shape is refused as a whole, not printed in part', async () => {
    const fake = await start({
      // A core that breaks its own types, as a hostile server could.
      whoami: async () => ({ ok: true, value: { principal: ['x'] } }) as never,
    });
    expect(await fake.run('whoami')).toMatchObject({ code: 5, out: '' });
  });
});

describe('colours', () => {
  it('are for terminals that want them, and never in data for programs', async () => {
    const fake = await start();
    const colour = '\u001b[';
    expect((await fake.run('switches', { terminal: true })).out).toContain(colour);
    expect((await fake.run('switches')).out).not.toContain(colour);
    expect((await fake.run('switches', { terminal: true, env: { NO_COLOR: '1' } })).out).not.toContain(colour);
    expect((await fake.run('switches', { terminal: true, env: { TERM: 'dumb' } })).out).not.toContain(colour);
    expect((await fake.run('switches --json', { terminal: true })).out).not.toContain(colour);
    expect((await fake.run('run nope', { terminal: true })).err).toContain(colour);
  });

  it('do not move columns', () => {
    const io = {
      out: () => undefined,
      err: () => undefined,
      env: {},
      errIsTerminal: true,
      untilTold: () => AbortSignal.abort(),
    };
    const render = (outIsTerminal: boolean) =>
      table(
        [
          {
            title: 'A',
            cell: (row: number) => 'x'.repeat(row),
            paint: (_row, text) => colours(outIsTerminal).red(text),
          },
          { title: 'LONG', cell: (row: number) => row, align: 'right' },
        ],
        [1, 12],
        colours(outIsTerminal),
      );
    const colours = (outIsTerminal: boolean) => paint({ ...io, outIsTerminal });
    expect(render(false)).toBe(`A             LONG\nx                1\n${'x'.repeat(12)}    12\n`);
    expect(render(true).replace(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g'), '')).toBe(render(false));
  });
});

describe('views', () => {
  it('cci whoami and cci switches', async () => {
    const fake = await start();
    expect((await fake.run('whoami')).out).toContain('principal  user:local#alice\ntenant     acme\n');
    expect((await fake.run('whoami')).out).toContain('expires    2027-01-15T08:00:00Z\n');
    expect((await fake.run('switches')).out).toBe(
      'SWITCH  BACKEND   STATE    RESOURCES\nsw0     emulator  serving  /switches/sw0/ports/2\n',
    );
  });

  it('cci show commands', async () => {
    expect((await (await start()).run('show commands')).out).toBe(
      'OPCODE  COMMAND                 CLASS        SCOPE  ALLOWED  NAME\n' +
        '0x5100  identify-switch-device  allowlisted      0  yes      Identify Switch Device\n' +
        '0x5201  bind-vppb               audited          0  no       Bind vPPB\n',
    );
  });

  it('cci show ports asks for ports that are counted, active or owned, and lists what comes back', async () => {
    const fake = await start({
      submit: async (_credential, _name, request) => {
        if (request.kind !== 'named') return refused('EINVAL');
        if (request.command === 'identify-switch-device') {
          return answered({ result: { number_of_physical_ports: 1, active_port_bitmask: [5] } });
        }
        const port = {
          current_port_configuration_state: { state: 'dsp', gae_support: false },
          connected_device_type: 'type-3-mld',
        };
        return answered({
          result: {
            port_information_list: [
              {
                ...port,
                port_id: 2,
                supported_ld_count: 4,
                maximum_link_width: 16,
                negotiated_link_width: 8,
                link_state_flags: { perst_asserted: true },
              },
            ],
          },
        });
      },
    });
    const ran = await fake.run('show ports');
    expect(fake.core.calls.at(-1)?.request).toMatchObject({ params: { port_id_list: [0, 2, 5] } });
    expect(ran.out.split('\n')[1]).toBe('   2  dsp    type-3-mld    4  -     x8/x16  -      -     perst');
    expect(JSON.parse((await fake.run('show ports --json')).out)[0]).toMatchObject({ port_id: 2 });
  });

  it('cci show lds reads each MLD through its port, and leaves out the LDs of others', async () => {
    const mib = { range_1_allocation_multiplier: '0x40', range_2_allocation_multiplier: '0x0' };
    const fake = await start({
      switches: async () => ({
        ok: true,
        value: [
          {
            name: 'sw0',
            backend: 'switch',
            state: 'serving',
            resources: ['/switches/sw0/ports/3/lds/1', '/switches/sw0/ports/5'],
          },
        ],
      }),
      submit: async (_credential, _name, request) => {
        if (request.kind !== 'named') return refused('EINVAL');
        if (request.command === 'identify-switch-device') return answered({ result: { number_of_physical_ports: 0 } });
        if (request.command === 'get-physical-port-state') {
          return answered({ result: { port_information_list: [{ port_id: 5, connected_device_type: 'type-3-mld' }] } });
        }
        if (request.via === 'port:5') return refused('EBUSY', { detail: 'the device is busy' });
        if (request.command === 'get-ld-info') return answered({ result: { ld_count: 2 } });
        return answered({ result: { memory_granularity: '256-mib', start_ld_id: 0, ld_allocation_list: [mib, mib] } });
      },
    });
    const ran = await fake.run('show lds');
    expect(ran.code).toBe(0);
    expect(ran.out).toBe('PORT  LD  GRANULARITY  RANGE 1  RANGE 2\n   3   1  256-mib           64        0\n');
    expect(ran.err).toBe('port 5: the device is busy\n');
  });

  it('a view whose read the device refuses ends with 4, one that the broker refuses with 3', async () => {
    const device = await start({ submit: async () => answered({ returnCode: 6, returnCodeName: 'busy' }) });
    expect(await device.run('show vcs')).toMatchObject({ code: 4, out: '' });
    await device.close();
    expect(await (await start({ submit: async () => refused('EPERM') })).run('show switch')).toMatchObject({ code: 3 });
  });

  it('cci lockdown raise hands level and reason on, and shows what is in force', async () => {
    const fake = await start();
    const raised = await fake.run('lockdown raise integrity --reason "incident 4711"');
    expect(fake.core.calls[0]).toMatchObject({ method: 'raiseLockdown', arguments: ['integrity', 'incident 4711'] });
    expect(raised.code).toBe(3);
    expect((await fake.run('show lockdown')).out).toContain('sw0     none      not-consulted');
    expect((await fake.run('taint')).out).toBe('sw0: 0 (-)\n');
  });
});

describe('where the token comes from', () => {
  it('--token wins over the environment, and the environment has a file too', async () => {
    const fake = await start();
    await fake.run('whoami --token from.flag');
    await fake.run('whoami', { env: { CCI_TOKEN: `  ${GOOD_TOKEN}\n` } });
    expect(fake.core.calls.map(({ credential }) => credential?.token)).toEqual(['from.flag', GOOD_TOKEN]);
  });

  it('--switch and CCI_SWITCH name the switch', async () => {
    const fake = await start();
    await fake.run('show operations --switch a/b');
    await fake.run('show operations', { env: { CCI_SWITCH: 'sw7' } });
    expect(fake.core.calls.map((call) => call.switch)).toEqual(['a/b', 'sw7']);
  });
});
