import { describe, expect, it } from 'vitest';
import { cli } from '../../support/command-line.ts';

const explain = (line: string) => cli(['policy', 'explain', ...line.split(' ')]);
const bind = 'bind-vppb --vcs-id 0 --vppb-id 1 --physical-port-id 3 --ld-id 1 --tenant acme';

describe('cci policy explain', () => {
  it('ends with 0 when allowed and with 3 when denied, in sentences', async () => {
    const allowed = await explain(`${bind} --group operators`);
    expect(allowed).toMatchObject({ code: 0, err: '' });
    expect(allowed.out).toMatch(
      /^Allowed: a caller of tenant acme may run bind-vppb this way\.\n\nWhat was asked\n {2}/,
    );
    const denied = await explain(bind);
    expect(denied).toMatchObject({ code: 3, err: '' });
    expect(denied.out).toContain(
      'What would have to be granted, and by whom\n  On /switches/sw0/vcss/0/vppbs/1: role:operator',
    );
  });

  it('takes who asks and what holds from flags', async () => {
    const { out } = await explain(
      'unbind-vppb --vcs-id 0 --vppb-id 1 --option wait-for-link-down --tenant acme --subject bob --issuer https://idp.example --group a --group b --scope cci:config --lockdown integrity --under-lockdown reads --bind 0/0=2 --bind 0/1=3/1 --device 5=mld --usp 0=0 --taint X@/switches/sw0/ports/3 --profile bmc --raw-commands off',
    );
    expect(out).toContain('user:https://idp.example#bob, of tenant acme');
    expect(out).toContain('may be used for cci:config.');
    expect(out).toContain('profile bmc, under lockdown level integrity.');
    expect(out).toContain('logical device 1 behind port 3');
    expect(out).toContain('Taint there that nobody has acknowledged: X.');
    expect(out).toContain('L8');
  });

  it('knows what the configuration says must never be sent', async () => {
    const { code, out } = await explain('identify-switch-device --tenant lab --config config/qemu.yaml');
    expect({ code, out: out.split('\n')[0] }).toEqual({
      code: 0,
      out: 'Allowed: a caller of tenant lab may run identify-switch-device this way.',
    });
  });

  it('explains raw commands, through tunnels too', async () => {
    const { code, out } = await explain('raw 0xc010 --payload 00ff --via port:2 --tenant acme --group operators');
    expect(code).toBe(3);
    expect(out).toContain('sends command 0xc010, to switch sw0 through the tunnel port:2 down the raw path.');
    expect(out).toContain('The gate for raw commands stands against it (R7.1): raw commands are switched off.');
  });

  it('gives tools the facts and every row that was looked at as JSON', async () => {
    const { code, out } = await explain(`${bind} --json`);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      verdict: 'deny',
      facts: { class: 'audited', scope: 0, reach: 'own' },
      resources: [{ owner: 'acme', rows: expect.arrayContaining([expect.objectContaining({ fits: false })]) }, {}],
      mandatory: expect.arrayContaining([expect.objectContaining({ id: 'L1', denies: false })]),
      roles: [{ role: 'role:reader' }],
      outward: { errno: 'EPERM' },
    });
  });

  it('takes all fields at once, and has help for each command', async () => {
    expect((await cli(['policy', 'explain', 'identify', '--params', '{}', '--tenant', 'acme'])).code).toBe(0);
    const help = await explain('bind-vppb --help');
    expect(help.code).toBe(0);
    expect(help.out).toContain('Usage: cci policy explain bind-vppb [fields]');
    expect(help.out).toContain('--tenant acme');
    expect((await cli(['policy', 'explain', '--help'])).out).toContain('--bind <vcs/vppb=port[/ld]>');
  });

  it.each([
    ['identify', '--tenant is missing'],
    ['identify --tenant umbrella', 'there is no tenant `umbrella`'],
    ['identify --tenant acme --switch sw9', 'the fabric file has no switch `sw9`'],
    ['identify --tenant acme --payload 00', '--payload is for `cci policy explain raw`'],
    ['identify --tenant acme --scope cci:all', '`cci:all` is nothing for --scope'],
    ['identify --tenant acme --lockdown high', '`high` is nothing for --lockdown'],
    ['identify --tenant acme --bind 0=1', '`0=1` is not a binding'],
    ['identify --tenant acme --bind 0/1', '`0/1` is not a binding'],
    ['identify --tenant acme --device x=mld', '`x=mld` is nothing for --device'],
    ['identify --tenant acme --usp 0=x', 'is nothing for --usp'],
    ['identify --tenant acme --taint Z', '`Z` is nothing for --taint'],
    ['identfy --tenant acme', 'did you mean `cci policy explain identify`?'],
    ['identify --via somewhere --tenant acme', 'is not a tunnel path'],
    ['raw --tenant acme', '`cci policy explain raw` needs one opcode'],
    ['raw 0x5300 --payload 00 --tenant acme', 'malformed'],
  ])('%s is a usage error', async (line, sentence) => {
    const ran = await explain(line);
    expect({ code: ran.code, out: ran.out }).toEqual({ code: 2, out: '' });
    expect(ran.err).toContain(sentence);
  });
});
