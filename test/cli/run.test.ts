import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { catalogue, isTyped, rowBySlug } from '../../src/cci/index.ts';
import { type FakeBroker, fakeBroker, words } from '../support/command-line.ts';
import { answered, refused } from '../support/fake-core.ts';

let broker: FakeBroker;
beforeAll(async () => {
  broker = await fakeBroker();
});
beforeEach(() => void broker.core.calls.splice(0));
afterAll(() => broker.close());

const sent = () => broker.core.calls[0]?.request;

describe('fields become parameters', () => {
  it.each([
    [
      'run bind-vppb --vcs-id 0 --vppb-id 2 --physical-port-id 3 --ld-id 0xffff',
      { vcs_id: 0, vppb_id: 2, physical_port_id: 3, ld_id: 65535 },
    ],
    ['run get-physical-port-state --port-id-list 1,2,4-7', { port_id_list: [1, 2, 4, 5, 6, 7] }],
    [
      'run unbind-vppb --vcs-id 0 --vppb-id 1 --option managed-hot-remove',
      { vcs_id: 0, vppb_id: 1, option: 'managed-hot-remove' },
    ],
    ['run unbind-vppb --vcs-id=0 --vppb-id=1 --option=2', { vcs_id: 0, vppb_id: 1, option: 'surprise-hot-remove' }],
    [
      'run send-ppb-cxl-io-configuration-request --ppb-id 1 --request-control.register-number 4 --request-control.extended-register-number 0 --request-control.first-dword-byte-enable 15 --request-control.transaction-type write --transaction-data 0x10',
      {
        ppb_id: 1,
        request_control: {
          register_number: 4,
          extended_register_number: 0,
          first_dword_byte_enable: 15,
          transaction_type: 'write',
        },
        transaction_data: 16,
      },
    ],
    [
      'run generate-aer-event --vcs-id 0 --vppb-instance 1 --aer-error.error-bit-position 4 --aer-error.uncorrectable --aer-header 00',
      undefined,
    ],
    [
      `run generate-aer-event --vcs-id 0 --vppb-instance 1 --aer-error.error-bit-position 4 --aer-error.uncorrectable --aer-header ${'0a'.repeat(32)}`,
      {
        vcs_id: 0,
        vppb_instance: 1,
        aer_error: { error_bit_position: 4, uncorrectable: true },
        aer_header: '0a'.repeat(32),
      },
    ],
    [
      `run set-ld-allocations --via port:3 --start-ld-id 0 --ld-allocation-list '[{"range_1_allocation_multiplier":"0xffffffffffffffff","range_2_allocation_multiplier":0}]'`,
      {
        start_ld_id: 0,
        ld_allocation_list: [
          { range_1_allocation_multiplier: '0xffffffffffffffff', range_2_allocation_multiplier: '0x0' },
        ],
      },
    ],
    [
      `run bind-vppb --params '{"vcs_id":0,"vppb_id":1,"physical_port_id":2,"ld_id":3}'`,
      { vcs_id: 0, vppb_id: 1, physical_port_id: 2, ld_id: 3 },
    ],
    ['run set-feature --version 1', undefined],
  ])('cci %s', async (line, params) => {
    const ran = await broker.run(line);
    if (params === undefined) {
      expect(ran.code).toBe(2);
      expect(sent()).toBeUndefined();
      return;
    }
    expect(ran).toMatchObject({ code: 0 });
    expect(sent()).toMatchObject({ kind: 'named', params });
  });

  it('a tunnel path goes along, flags of the program may stand anywhere', async () => {
    await broker.run('run --via port:3/ld:1 identify --json');
    expect(sent()).toMatchObject({ command: 'identify', via: 'port:3/ld:1' });
    await broker.run('--json run identify --switch sw0 --via port:3');
    expect(broker.core.calls[1]?.request).toMatchObject({ command: 'identify', via: 'port:3' });
  });

  it('every command of the catalogue has help, whose example is a command line that works', async () => {
    let tried = 0;
    for (const { slug } of catalogue) {
      const row = rowBySlug(slug);
      if (row === undefined || !isTyped(row)) continue;
      const help = await broker.run(['run', slug, '--help']);
      expect(help.code).toBe(0);
      expect(help.err).toBe('');
      expect(help.out).toContain(row.name);
      const example = /\$ cci (.+)\n/.exec(help.out)?.[1] ?? '';
      broker.core.calls.splice(0);
      const ran = await broker.run(words(example));
      expect({ example, ...ran }).toMatchObject({ code: 0 });
      expect(sent()).toMatchObject({ kind: 'named', command: slug });
      tried += 1;
    }
    expect(tried).toBeGreaterThan(90);
  });

  it('help of a command names ranges, codes and what is required', async () => {
    const { out } = await broker.run('run unbind-vppb --help');
    expect(out).toContain('--vcs-id <n>');
    expect(out).toContain('0 to 255 (required)');
    expect(out).toContain('one of wait-for-link-down, managed-hot-remove, surprise-hot-remove');
    expect((await broker.run('can unbind-vppb --help')).out).toContain('$ cci can unbind-vppb');
  });
});

describe('mistakes are found before anything is sent', () => {
  it.each([
    ['run bind-vppb --vcs-id 256 --vppb-id 0 --physical-port-id 0 --ld-id 0', '--vcs-id 256 is not 0 to 255'],
    ['run bind-vppb --vcs-id one --vppb-id 0 --physical-port-id 0 --ld-id 0', '--vcs-id must be a whole number'],
    ['run bind-vppb --vcs-id 0', '--vppb-id is missing'],
    ['run bind-vppb --vcs-id', 'argument missing'],
    ['run unbind-vppb --vcs-id 0 --vppb-id 0 --option gently', 'must be one of wait-for-link-down'],
    ['run get-physical-port-state --port-id-list 1,x', '--port-id-list must be a whole number'],
    ['run get-physical-port-state', '--number-of-ports'],
    ['run get-physical-port-state --port-id-list 0-999', '--port-id-list has more than 255 elements'],
    ['run set-ld-allocations --start-ld-id 0 --ld-allocation-list nonsense', 'is not JSON'],
    [`run bind-vppb --params '{"vcs_id":0}' --vcs-id 1`, 'exclude each other'],
    [`run bind-vppb --params '{"vcs_id":0,"vcsid":1}'`, 'is missing'],
    ['run bind-vppb --params nonsense', '--params is not JSON'],
  ])('cci %s', async (line, sentence) => {
    const ran = await broker.run(line);
    expect(ran.err).toContain(sentence);
    expect(ran.code).toBe(2);
    expect(broker.core.calls).toEqual([]);
  });

  it('a slug that this client does not know is left to the broker when its parameters are JSON', async () => {
    const ran = await broker.run(`run acme-blink-led --params '{"port":1}'`);
    expect(sent()).toMatchObject({ kind: 'named', command: 'acme-blink-led', params: { port: 1 } });
    expect(ran.code).toBe(2);
  });
});

describe('results', () => {
  const withAnswer = async (answer: ReturnType<typeof answered>, line: string, terminal = false) => {
    const fake = await fakeBroker({ submit: async () => answer });
    const ran = await fake.run(line, { terminal });
    await fake.close();
    return ran;
  };

  it('are lines for people and the whole answer with --json', async () => {
    const answer = answered({
      payload: Uint8Array.of(1),
      result: { vcs_id: 0, empty: [], ports: [1, 2], nested: { flag: true, text: '' }, list: [{ a: 1 }, { a: 2 }] },
    });
    expect((await withAnswer(answer, 'run identify')).out).toBe(
      'vcs_id  0\nempty   -\nports   1, 2\nnested\n  flag  yes\n  text  -\nlist\n  - a  1\n  - a  2\n',
    );
    const json = JSON.parse((await withAnswer(answer, 'run identify --json')).out);
    expect(json).toMatchObject({ requestId: 'req-1', payload: '01', result: { ports: [1, 2] } });
  });

  it('of a raw command are the payload as hex', async () => {
    const ran = await withAnswer(
      answered({ class: 'raw', payload: Uint8Array.of(0xca, 0xfe) }),
      'raw c010h --payload "00 ff"',
    );
    expect(ran).toMatchObject({ code: 0, out: 'cafe\n' });
  });

  it('of a command in the background name its operation; --wait follows it to its end', async () => {
    const started = answered({
      returnCode: 1,
      returnCodeName: 'background-command-started',
      background: { operation: 'op-7' },
    });
    const line = 'run bind-vppb --vcs-id 0 --vppb-id 0 --physical-port-id 0 --ld-id 0';
    const ran = await withAnswer(started, line);
    expect(ran).toMatchObject({ code: 0, err: 'runs on in the background as operation op-7\n' });
    for (const [end, code, sentence] of [
      [{ state: 'done', returnCode: 0 }, 0, 'ended: success'],
      [{ state: 'done', returnCode: 0x11 }, 4, 'ended: permanent-media-failure'],
      [{ state: 'unknown' }, 1, 'is not known'],
    ] as const) {
      let looks = 0;
      const view = { id: 'op-7', switch: 'sw0', command: 'bind-vppb', opcode: 0x5201, percent: 50, startedAtMs: 0 };
      const fake = await fakeBroker({
        submit: async () => started,
        operation: async () => ({
          ok: true,
          value: looks++ === 0 ? { ...view, state: 'running' } : { ...view, percent: 100, ...end },
        }),
      });
      const waited = await fake.run(`${line} --wait`, { terminal: true });
      await fake.close();
      expect(waited.code).toBe(code);
      expect(waited.err).toContain(sentence);
      expect(waited.err).toContain('[##########..........]  50%');
      expect(waited.out).toBe('');
    }
  });

  it("an operation that is not the caller's ends the waiting", async () => {
    const started = answered({ returnCode: 1, background: { operation: 'op-7' } });
    const fake = await fakeBroker({ submit: async () => started, operation: async () => refused('ENOENT') });
    const ran = await fake.run('run identify --wait');
    await fake.close();
    expect(ran.code).toBe(3);
  });
});

describe('cci raw and cci can raw', () => {
  it.each([
    ['raw 0xc010 --payload 00FF', 'submit', { kind: 'raw', opcode: 0xc010, payload: Uint8Array.of(0, 255) }],
    ['raw 49168', 'submit', { kind: 'raw', opcode: 0xc010, payload: new Uint8Array(0) }],
    ['raw C010h --via port:1', 'submit', { kind: 'raw', opcode: 0xc010, via: 'port:1' }],
    [
      'can raw 0xc010 --payload 0x00:ff --via port:1/ldpool',
      'decide',
      { kind: 'raw', opcode: 0xc010, payload: Uint8Array.of(0, 255), via: 'port:1/ldpool' },
    ],
    ['can identify', 'decide', { kind: 'named', command: 'identify' }],
  ])('cci %s', async (line, method, request) => {
    expect((await broker.run(line)).code).toBe(0);
    expect(broker.core.calls[0]).toMatchObject({ method, request });
  });
});
