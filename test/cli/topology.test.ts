import { afterEach, describe, expect, it } from 'vitest';
import type { CoreApi, TopologyAnswer } from '../../src/broker/core-api.ts';
import { type FakeBroker, fakeBroker } from '../support/command-line.ts';

let broker: FakeBroker | undefined;
afterEach(() => broker?.close());
const start = async (replace: Partial<CoreApi> = {}): Promise<FakeBroker> => {
  broker = await fakeBroker(replace);
  return broker;
};

const HOSTILE = 'a\u001b[2Jb';
// Everything that a terminal could obey, but for the line feeds that we print ourselves.
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}]/u;

const answer: TopologyAnswer = {
  switch: 'sw0',
  known: true,
  accepted: false,
  picture: '0901b3c21c4fff93',
  ports: [
    { id: 2, role: 'dsp', device: 'sld', lds: 0, serial: HOSTILE },
    { id: 3, role: HOSTILE, device: 'mld', lds: 4 },
  ],
  vcss: [
    {
      id: 0,
      usp: 0,
      vppbs: [{ kind: 'port', port: 2 }, { kind: 'ld', port: 3, ld: 1 }, { kind: 'unbound' }, { kind: 'unknown' }],
    },
  ],
  differences: [{ what: 'vPPB 1 of VCS 0', before: 'unbound', after: HOSTILE, atMs: 1_700_000_000_000 }],
};

describe('cci topology', () => {
  it('show says what is where and what moved, and obeys nothing in it', async () => {
    const fake = await start({ topology: async () => ({ ok: true, value: answer }) });
    const { code, out } = await fake.run('topology show');
    expect(code).toBe(0);
    expect(out).toContain('sw0: moved without the broker (picture 0901b3c21c4fff93)');
    for (const text of ['mld of 4', 'port 2', 'LD 1 of port 3', 'unbound', 'not known', 'vPPB 1 of VCS 0']) {
      expect(out).toContain(text);
    }
    expect(out).not.toMatch(OBEYED);
    const json = await fake.run('topology show --json');
    expect(JSON.parse(json.out)).toMatchObject({ accepted: false });
    expect(json.out).not.toMatch(OBEYED);
  });

  it('show says so where nothing is known, and where everything is as it should be', async () => {
    const empty = { ...answer, ports: [], vcss: [], differences: [] };
    const { picture: _, ...tenants } = empty;
    let fake = await start({ topology: async () => ({ ok: true, value: { ...tenants, known: false } }) });
    expect((await fake.run('topology show')).out).toBe('sw0: not known now\n');
    await fake.close();
    fake = await start({ topology: async () => ({ ok: true, value: { ...tenants, accepted: true } }) });
    expect((await fake.run('topology show')).out).toBe('sw0: accepted\n');
  });

  it('accept takes what is there now and no other picture, with a reason', async () => {
    const fake = await start({
      topology: async () => ({ ok: true, value: answer }),
      acceptTopology: async () => ({ ok: true, value: { ...answer, accepted: true, differences: [] } }),
    });
    expect((await fake.run('topology accept')).code).toBe(2);
    expect((await fake.run('topology accept --reason ""')).code).toBe(2);
    expect(fake.core.calls).toEqual([]);
    expect((await fake.run('topology accept --reason "by hand"')).out).toContain('sw0: accepted');
    await fake.run('topology accept --reason "by hand" --picture 0000000000000000');
    const accepted = fake.core.calls.filter(({ method }) => method === 'acceptTopology');
    expect(accepted.map((call) => call.arguments)).toEqual([
      ['by hand', '0901b3c21c4fff93'],
      ['by hand', '0000000000000000'],
    ]);
  });

  it('accept is refused like anything else', async () => {
    const fake = await start();
    expect((await fake.run('topology accept --reason x')).code).toBe(3);
  });
});

describe('cci taint acknowledge', () => {
  const register = { switch: 'sw0', mask: 64, letters: 'M', entries: [] };

  it('hands letter, path and reason on; without a path the switch is meant', async () => {
    const fake = await start({ acknowledgeTaint: async () => ({ ok: true, value: [register] }) });
    expect((await fake.run('taint acknowledge M --reason seen')).out).toContain('sw0: 64 (M)');
    await fake.run('taint acknowledge X --scope /switches/sw0/ports/3 --reason seen');
    expect(fake.core.calls.map((call) => call.arguments)).toEqual([
      ['M', '/switches/sw0', 'seen'],
      ['X', '/switches/sw0/ports/3', 'seen'],
    ]);
    expect(JSON.parse((await fake.run('taint acknowledge M --reason seen --json')).out)).toEqual([register]);
  });

  it.each([
    'taint acknowledge',
    'taint acknowledge M',
    'taint acknowledge MX --reason x',
    'taint acknowledge m --reason x',
  ])('%s is a slip, found before anything is sent', async (line) => {
    const fake = await start();
    expect((await fake.run(line)).code).toBe(2);
    expect(fake.core.calls).toEqual([]);
  });

  it.each(['/switches/sw0/../x', 'ports/3', '/switches/SW0'])('the path %s is refused', async (path) => {
    const fake = await start();
    expect((await fake.run(`taint acknowledge M --scope ${path} --reason x`)).code).toBe(2);
    expect(fake.core.calls).toEqual([]);
  });

  it('the register alone is still shown by `cci taint`', async () => {
    const fake = await start();
    expect((await fake.run('taint')).out).toContain('sw0: 0 (-)');
  });
});
