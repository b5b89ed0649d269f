import { afterEach, describe, expect, it } from 'vitest';
import type { CoreApi, EventPage, FabricEvent } from '../../src/broker/core-api.ts';
import { type FakeBroker, fakeBroker } from '../support/command-line.ts';
import { refused } from '../support/fake-core.ts';

let broker: FakeBroker | undefined;
afterEach(() => broker?.close());

const place = { log: 'informational', source: 'switch', timestamp: '1795398615850000000' } as const;
const record = (seq: number, type: string, details?: object, more: object = {}): FabricEvent => ({
  kind: 'record',
  id: `0a0b0c0d-${seq}`,
  ...place,
  handle: seq,
  record: '00',
  type,
  ...(details === undefined ? {} : { details }),
  ...more,
});
const vppb = (seq: number, vcs: number, status: string, port = 0, ld = 255): FabricEvent =>
  record(seq, 'virtual-switch', {
    vcs_id: vcs,
    vppb_id: 1,
    event_type: 'binding-change',
    vppb_binding_status: status,
    vppb_port_id: port,
    vppb_ld_id: ld,
  });

const every: readonly FabricEvent[] = [
  { kind: 'gap', id: '0a0b0c0d-0', lost: 3 },
  vppb(1, 0, 'bound-to-ld', 3, 1),
  vppb(2, 0, 'bound-to-physical-port', 2),
  vppb(3, 255, 'unbound'),
  record(4, 'physical-switch', {
    physical_port_id: 2,
    event_type: 'link-state-change',
    ltssm_state: 'l0',
    connected_device_type: 'type-3-sld',
  }),
  record(5, 'mld-port', { port_id: 4, event_type: 'fatal-error-message', error_message: '0102' }),
  record(6, 'dynamic-capacity', {
    host_id: 1,
    event_type: 'add-capacity',
    tag: '11',
    length: '0x10',
    starting_dpa: '0x0',
  }),
  record(7, 'unknown', undefined, { uuid: 'abababab-abab-abab-abab-abababababab' }),
  record(8, 'malformed'),
  { kind: 'overflow', id: '0a0b0c0d-9', ...place },
];

const fed =
  (all: readonly FabricEvent[], pageSize = 1000): CoreApi['events'] =>
  async (_credential, _name, { after, waitMs } = {}) => {
    const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
    const events = all.slice(from, from + pageSize);
    if (events.length === 0 && (waitMs ?? 0) > 0) await new Promise((done) => setTimeout(done, 20));
    const next = events.at(-1)?.id ?? after ?? '0a0b0c0d-0';
    const page: EventPage = { events, next, more: from + events.length < all.length };
    return { ok: true, value: page };
  };

describe('cci events', () => {
  it('tells each kind of event in one line that a person can read', async () => {
    broker = await fakeBroker({ events: fed(every) });
    const { out, code } = await broker.run('events');
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "ID          AT                        LOG            FROM    EVENT             WHAT
      0a0b0c0d-0  -                         -              -       gap               3 events are not kept any more
      0a0b0c0d-1  2026-11-23T01:50:15.850Z  informational  switch  virtual-switch    vcs 0 vppb 1: binding-change, bound-to-ld 3/1
      0a0b0c0d-2  2026-11-23T01:50:15.850Z  informational  switch  virtual-switch    vcs 0 vppb 1: binding-change, bound-to-physical-port 2
      0a0b0c0d-3  2026-11-23T01:50:15.850Z  informational  switch  virtual-switch    vcs ? vppb 1: binding-change, unbound
      0a0b0c0d-4  2026-11-23T01:50:15.850Z  informational  switch  physical-switch   port 2: link-state-change, ltssm l0, device type-3-sld
      0a0b0c0d-5  2026-11-23T01:50:15.850Z  informational  switch  mld-port          port 4: fatal-error-message 0102
      0a0b0c0d-6  2026-11-23T01:50:15.850Z  informational  switch  dynamic-capacity  host 1: add-capacity, tag 11, 0x10 bytes at 0x0
      0a0b0c0d-7  2026-11-23T01:50:15.850Z  informational  switch  unknown           kind abababab-abab-abab-abab-abababababab
      0a0b0c0d-8  2026-11-23T01:50:15.850Z  informational  switch  malformed         cannot be read
      0a0b0c0d-9  2026-11-23T01:50:15.850Z  informational  switch  overflow          some records lost: the log of the switch was full
      "
    `);
  });

  it('asks page by page until it has all that is kept', async () => {
    broker = await fakeBroker({ events: fed(every, 3) });
    const { out } = await broker.run('events --json');
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(every.map(({ id }) => id));
  });

  it('begins behind an event', async () => {
    broker = await fakeBroker({ events: fed(every) });
    const { out } = await broker.run('events --json --after 0a0b0c0d-8');
    expect(JSON.parse(out)).toMatchObject({ kind: 'overflow' });
  });

  it.each(['x', '0a0b0c0d', '0a0b0c0d-1;ls', "'\u001b[2J-1'"])('an id such as %j is a mistake of usage', async (id) => {
    broker = await fakeBroker({ events: fed(every) });
    const { code, err } = await broker.run(['events', '--after', id]);
    expect(code).toBe(2);
    expect(err).not.toContain('\u001b');
  });

  it('a refusal is told as any other', async () => {
    broker = await fakeBroker({ events: async () => refused('EPERM') });
    expect((await broker.run('events')).code).toBe(3);
  });

  it('goes on with what comes until it is told to stop', async () => {
    const all = [...every.slice(0, 2)];
    broker = await fakeBroker({ events: fed(all) });
    const stop = new AbortController();
    const onOut = (text: string): void => {
      if (text.includes('"0a0b0c0d-1"')) setTimeout(() => all.push(vppb(50, 0, 'unbound')), 60);
      if (text.includes('"0a0b0c0d-50"')) stop.abort();
    };
    const { out, code } = await broker.run('events --follow --json', { told: stop.signal, onOut });
    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(['0a0b0c0d-0', '0a0b0c0d-1', '0a0b0c0d-50']);
  });

  it('nothing in an event is obeyed by a terminal', async () => {
    const hostile = 'a\u001b[2J\u202eb';
    const details = { vcs_id: hostile, vppb_id: hostile, event_type: hostile, vppb_binding_status: hostile };
    broker = await fakeBroker({
      events: fed([record(1, 'virtual-switch', details, { source: hostile, log: hostile, timestamp: hostile })]),
    });
    for (const line of ['events', 'events --json'])
      expect((await broker.run(line)).out).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  });
});
