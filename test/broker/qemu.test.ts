import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CommandAnswer, CoreResult } from '../../src/broker/index.ts';
import { isTyped, rowBySlug, type Slug, toHex } from '../../src/cci/index.ts';
import { describeWithQemu } from '../support/qemu.ts';
import { type Broker, startTestBroker } from '../support/running-broker.ts';

const CONFIG = new URL('../../config/qemu.yaml', import.meta.url).pathname;

describeWithQemu("the broker on QEMU's emulated Switch CCI", () => {
  let broker: Broker;
  let operator: (command: Slug, params?: unknown, via?: string) => Promise<CoreResult<CommandAnswer>>;
  let tenant: typeof operator;

  beforeAll(async () => {
    broker = await startTestBroker(CONFIG);
    const asOperator = await broker.token({ tenant: 'fabric', subject: 'olga', groups: ['fabric-admins'] });
    const asTenant = await broker.token({ tenant: 'lab', subject: 'lena', groups: ['operators'] });
    const as = (token: string) => (command: Slug, params?: unknown, via?: string) =>
      broker.core.submit({ token, source: 'test' }, 'sw0', { kind: 'named', command, params, ...(via ? { via } : {}) });
    operator = as(asOperator);
    tenant = as(asTenant);
  }, 30_000);

  afterAll(() => broker?.close());

  async function answerOf(result: Promise<CoreResult<CommandAnswer>>): Promise<CommandAnswer> {
    const value = await result;
    if (!value.ok) throw new Error(`${value.problem.code}: ${value.problem.detail}`);
    return value.value;
  }

  it('identifies the switch', async () => {
    const answer = await answerOf(operator('identify'));
    expect(answer).toMatchObject({ returnCode: 0, class: 'allowlisted' });
    expect(toHex(answer.payload)).toBe('e51928a10000000088776655443322110900');
  });

  it('reads the Command Effects Log', async () => {
    const log = { log_identifier: '0da9c0b5-bf41-4b78-8f79-96b1623b3f17', offset: 0, length: 36 };
    const answer = await answerOf(operator('get-log', log));
    expect(toHex(answer.payload)).toContain('00510000' + '01510000');
  });

  it('tells ports and their state', async () => {
    const answer = await answerOf(operator('identify-switch-device'));
    expect(answer.result).toMatchObject({ number_of_physical_ports: 4, active_port_bitmask: [0, 1, 2, 3] });
    const ports = await answerOf(operator('get-physical-port-state', { port_id_list: [0, 1, 2, 3] }));
    expect(ports.result).toMatchObject({
      port_information_list: [
        { port_id: 0, current_port_configuration_state: { state: 'usp' } },
        { port_id: 1, connected_device_type: 'type-3-mld' },
        { port_id: 2, connected_device_type: 'type-3-mld' },
        { port_id: 3, connected_device_type: 'none' },
      ],
    });
  });

  it.each([
    [1, '0xc0ffee01'],
    [2, '0xc0ffee02'],
  ])('identifies the memory device behind port %i through a tunnel', async (port, serial) => {
    const answer = await answerOf(operator('identify', {}, `port:${port}`));
    expect(answer).toMatchObject({ returnCode: 0, layers: [0, 0], result: { device_serial_number: serial } });
  });

  it('identifies an LD through two tunnels', async () => {
    const answer = await answerOf(operator('identify', {}, 'port:1/ld:0'));
    expect(answer.layers).toEqual([0, 0, 0]);
  });

  it.each([
    ['get-timestamp', undefined],
    ['set-timestamp', { timestamp: 1 }],
  ] as const)(
    'answers %s itself, which the device offers and which would kill it, and QEMU lives on',
    async (slug, params) => {
      const own = await answerOf(operator(slug, params));
      expect(own.returnCode).toBe(0);
      const answer = await answerOf(operator('identify'));
      expect(answer.returnCode).toBe(0);
    },
  );

  it('refuses it raw, and sends it behind no spelling', async () => {
    const token = await broker.token({ tenant: 'fabric', subject: 'olga', groups: ['fabric-admins'] });
    const row = rowBySlug('get-timestamp');
    expect(row !== undefined && isTyped(row)).toBe(true);
    const raw = await broker.core.submit({ token, source: 'test' }, 'sw0', {
      kind: 'raw',
      opcode: 0x0300,
      payload: new Uint8Array(0),
    });
    expect(raw.ok).toBe(false);
    const message = Uint8Array.of(0, 1, 0, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0);
    const bytes = await broker.core.submit({ token, source: 'test' }, 'sw0', { kind: 'message', bytes: message });
    // The caller's own clock, as by name.
    expect(bytes).toMatchObject({ ok: true, value: { returnCode: 0 } });
    expect((await answerOf(operator('identify'))).returnCode).toBe(0);
  });

  it('passes a tunnelled Get Timestamp to a memory device, which can do it', async () => {
    const answer = await answerOf(operator('get-timestamp', {}, 'port:1'));
    expect(answer).toMatchObject({ returnCode: 0, layers: [0, 0] });
  });

  it('shows a tenant his own port and device and nothing else', async () => {
    const switchView = await answerOf(tenant('identify-switch-device'));
    expect(switchView.result).toMatchObject({ active_port_bitmask: [1], active_vcs_bitmask: [] });
    const ports = await answerOf(tenant('get-physical-port-state', { port_id_list: [0, 1, 2, 3, 99] }));
    expect(ports.result).toMatchObject({ port_information_list: [{ port_id: 1 }] });
    expect((await answerOf(tenant('identify', {}, 'port:1'))).returnCode).toBe(0);
    const foreign = await tenant('identify', {}, 'port:2');
    const absent = await tenant('identify', {}, 'port:77');
    if (foreign.ok || absent.ok) throw new Error('a foreign device answered');
    expect({ ...foreign.problem, requestId: '' }).toEqual({ ...absent.problem, requestId: '' });
  });

  it("bind is forwarded to nobody: the device's CEL does not offer it", async () => {
    const refused = await operator('bind-vppb', { vcs_id: 0, vppb_id: 0, physical_port_id: 1, ld_id: 0xffff });
    expect(refused).toMatchObject({ ok: false, problem: { code: 'ENOTTY' } });
  });
});
