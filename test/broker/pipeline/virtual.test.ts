import { describe, expect, it } from 'vitest';
import { ownAnswer } from '../../../src/broker/pipeline/own-state.ts';
import { virtualReply } from '../../../src/broker/pipeline/virtual.ts';
import { CEL_UUID, encodeCel, type TypedRow } from '../../../src/cci/index.ts';
import { replyBytes, rowOf } from '../../support/handmade-bytes.ts';
import { Handmade, type HandmadeOptions, type Question } from '../../support/handmade-switch.ts';

// What the broker answers itself, and what it leaves to the device.

const empty = new Uint8Array(0);
const passed = { returnCode: 0, vendorStatus: 0, background: false };

function answered(question: Question, options: HandmadeOptions = {}, running?: object) {
  const made = new Handmade(options);
  made.running = running;
  const decided = made.decided(question);
  return { made, decided, reply: virtualReply(decided) };
}

const status: Question = { named: 'background-operation-status' };
const abort: Question = { named: 'request-abort-background-operation' };
const limit: Question = { named: 'get-response-message-limit' };
const cel = (via?: string, log_identifier: string = CEL_UUID): Question => ({
  named: 'get-log',
  params: { log_identifier, offset: 0, length: 4 },
  ...(via === undefined ? {} : { via }),
});

describe('the device is asked', () => {
  it.each([
    ['for what is not virtual', { named: 'get-physical-port-state', params: { port_id_list: [3] } }, undefined],
    ['by operators for the background status', { ...status, tenant: 'fabric' }, undefined],
    ['by operators to abort', { ...abort, tenant: 'fabric' }, undefined],
    ['by operators for the CEL', { ...cel(), tenant: 'fabric' }, undefined],
    ['by whose operation runs', status, { tenant: 'acme' }],
    ['by whose operation is to end', abort, { tenant: 'acme' }],
    ['for the status of a component', { ...status, via: 'port:3' }, undefined],
    ['to abort in a component', { ...abort, via: 'port:3' }, undefined],
    ['for another log', cel('port:3', '5e1819d9-11a9-400c-811f-d60719403d86'), undefined],
    ['for the limit while nobody set one', limit, undefined],
    ['raw', { opcode: 0x0300, raw: true }, undefined],
    ['for what nobody knows', { opcode: 0xc010, raw: true }, undefined],
    ['for the clock of a component', { named: 'get-timestamp', via: 'port:3' }, undefined],
  ] as readonly (readonly [string, Question, object | undefined])[])('%s', (_what, question, running) => {
    const { reply } = answered(question, { events: { clock: () => 5n } }, running);
    expect(reply).toBeUndefined();
  });
});

describe('the background slot', () => {
  const idle = (more: object = {}) =>
    replyBytes('background-operation-status', {
      status: { background_operation_in_progress: false, percentage_complete: 0 },
      command_opcode: 0,
      return_code: 0,
      vendor_specific_extended_status: 0,
      ...more,
    });

  it.each([undefined, { tenant: 'globex' }])('is idle to whose operation does not run: %j', (running) => {
    expect(answered(status, {}, running).reply).toEqual({ layers: [passed], payload: idle() });
  });

  it('shows how his own last operation ended', () => {
    const asked: unknown[] = [];
    const lastEnded = (tenant: string) => {
      asked.push(tenant);
      return { opcode: 0x5201, returnCode: 6 };
    };
    const ended = idle({
      status: { background_operation_in_progress: false, percentage_complete: 100 },
      command_opcode: 0x5201,
      return_code: 6,
    });
    expect(answered(status, { operations: { lastEnded } }).reply?.payload).toEqual(ended);
    expect(asked).toEqual(['acme']);
    const unknown = { operations: { lastEnded: () => ({ opcode: 0x5201 }) } };
    expect(answered(status, unknown).reply?.payload).toEqual(
      idle({ status: { background_operation_in_progress: false, percentage_complete: 100 }, command_opcode: 0x5201 }),
    );
  });

  it.each([undefined, { tenant: 'globex' }])('has nothing to abort for him then: %j', (running) => {
    expect(answered(abort, {}, running).reply).toEqual({ layers: [{ ...passed, returnCode: 0x20 }], payload: empty });
  });
});

describe('the CEL', () => {
  it('is the one that was read already', () => {
    const known = new Map([
      [1, 0],
      [0x5101, 3],
    ]);
    const { reply } = answered(cel('port:3'), { topology: { cels: { '3': known } } });
    expect(reply).toEqual({
      layers: [passed, passed],
      payload: encodeCel([
        { opcode: 1, effects: 0 },
        { opcode: 0x5101, effects: 3 },
      ]),
    });
  });

  it('is empty where it was forgotten', () => {
    const made = new Handmade();
    const decided = made.decided(cel());
    made.view.cel = () => undefined;
    expect(virtualReply(decided)).toEqual({ layers: [passed], payload: empty });
  });
});

describe('an empty answer', () => {
  const emptied = (question: Question) => {
    const made = new Handmade();
    const decided = made.decided(question);
    return virtualReply({ ...decided, decision: { ...decided.decision, answer: 'empty' } });
  };

  it.each([
    [
      'a list',
      { named: 'get-physical-port-state', params: { port_id_list: [4] } },
      'get-physical-port-state',
      { port_information_list: [] },
    ],
    [
      'a list of a range, with where it began',
      { named: 'get-ld-allocations', params: { start_ld_id: 2, ld_allocation_list_limit: 4 }, via: 'port:5' },
      'get-ld-allocations',
      { number_of_lds: 0, memory_granularity: 0, start_ld_id: 2, ld_allocation_list: [] },
    ],
    [
      'bits',
      { named: 'dynamic-capacity-list-tags', params: { starting_index: 3, max_tags: 1 }, via: 'port:5' },
      'dynamic-capacity-list-tags',
      {
        generation_number: 0,
        total_number_of_tags: 0,
        validity_bitmap: { reference_bitmap_valid: false, pending_reference_bitmap_valid: false },
        tag_information_list: [],
      },
    ],
    [
      'where it began, and of whom nothing else',
      {
        named: 'get-dc-region-extent-lists',
        params: { host_id: 5, extent_count: 3, starting_extent_index: 7 },
        via: 'port:5',
      },
      'get-dc-region-extent-lists',
      { host_id: 0, starting_extent_index: 7, total_extent_count: 0, extent_list_generation_number: 0, extents: [] },
    ],
    [
      'numbers of any width',
      { named: 'get-ld-info', via: 'port:5' },
      'get-ld-info',
      {
        memory_size: 0n,
        ld_count: 0,
        qos_telemetry_capability: { egress_port_congestion: false, temporary_throughput_reduction: false },
      },
    ],
    [
      'numbers in bits',
      { named: 'background-operation-status' },
      'background-operation-status',
      {
        status: { background_operation_in_progress: false, percentage_complete: 0 },
        command_opcode: 0,
        return_code: 0,
        vendor_specific_extended_status: 0,
      },
    ],
  ] as readonly (readonly [string, Question, string, object])[])(
    'is success and %s of nothing',
    (_what, question, slug, value) => {
      const reply = emptied(question);
      expect(reply?.layers.every(({ returnCode }) => returnCode === 0)).toBe(true);
      expect(reply?.layers).toHaveLength(question.via === undefined ? 1 : 2);
      expect(reply?.payload).toEqual(replyBytes(slug, value));
    },
  );
});

describe('an empty answer without a list', () => {
  it.each([
    [
      'of bytes is as short as may be',
      { named: 'get-lsa', params: { offset: 0, length: 4 }, via: 'port:3' },
      'get-lsa',
    ],
    ['of one bit for each is of none', { named: 'identify-switch-device' }, 'identify-switch-device'],
  ] as readonly (readonly [string, Question, string])[])('%s', (_what, question, slug) => {
    const decided = new Handmade().decided(question);
    const reply = virtualReply({ ...decided, decision: { ...decided.decision, answer: 'empty' } });
    const payload = reply?.payload ?? Uint8Array.of(1);
    expect(payload).toEqual(new Uint8Array(rowOf(slug).response.min));
  });
});

describe('what each tenant has of his own', () => {
  const told: unknown[][] = [];
  const noted =
    (name: string, answer?: unknown) =>
    (...details: unknown[]) => {
      told.push([name, ...details]);
      return answer;
    };
  const log = { returnCode: 0, payload: Uint8Array.of(7) };
  const events = {
    limit: () => 8,
    setLimit: noted('setLimit'),
    read: noted('read', log),
    clear: noted('clear', log),
    clock: noted('clock', 0x1234n),
    setClock: noted('setClock'),
  };
  const own = (named: string, params: object = {}, more: object = {}) => {
    told.length = 0;
    return answered({ named, params }, { events: { ...events, ...more } }).reply;
  };

  it('is his message limit', () => {
    expect(own('get-response-message-limit')).toEqual({ layers: [passed], payload: Uint8Array.of(8) });
    const { reply } = answered({ ...limit, tenant: 'fabric' }, { events });
    expect(reply?.payload).toEqual(Uint8Array.of(8));
    expect(answered({ ...limit, via: 'port:3' }, { events }).reply).toBeUndefined();
    expect(own('set-response-message-limit', { response_message_limit: 9 })).toEqual({
      layers: [passed],
      payload: Uint8Array.of(9),
    });
    expect(told).toEqual([['setLimit', 'acme', 9]]);
  });

  it.each([
    [8, 243],
    [undefined, 4096],
  ])('is his event log, in as much room as he has (%s)', (limitOf, room) => {
    expect(own('get-event-records', { event_log: 'warning' }, { limit: () => limitOf })).toEqual({
      layers: [passed],
      payload: Uint8Array.of(7),
    });
    expect(told).toEqual([['read', 'acme', 'warning', room]]);
  });

  it.each([
    [{ event_log: 'warning', clear_event_flags: false, event_record_handles: [3, 4] }, ['warning', false, [3, 4]]],
    [{ event_log: 'fatal', clear_event_flags: true, event_record_handles: [] }, ['fatal', true, []]],
  ])('is cleared by handles or altogether: %j', (params, asked) => {
    expect(own('clear-event-records', params)?.payload).toEqual(Uint8Array.of(7));
    expect(told).toEqual([['clear', 'acme', ...asked]]);
  });

  it('is his clock', () => {
    expect(own('get-timestamp')?.payload).toEqual(replyBytes('get-timestamp', { timestamp: 0x1234n }));
    expect(told).toEqual([['clock', 'acme']]);
    expect(own('set-timestamp', { timestamp: '0x10' })).toEqual({ layers: [passed], payload: empty });
    expect(told).toEqual([['setClock', 'acme', 16n]]);
  });

  it('and is refused where the parameters are none, or the answer does not fit', () => {
    const made = new Handmade({ events });
    const decided = (named: string) => ({
      ...made.decided({ named, payload: empty }),
      decoded: { ...made.decided({ named, payload: empty }).decoded, asked: undefined },
    });
    told.length = 0;
    expect(ownAnswer(decided('set-timestamp'), rowOf('set-timestamp'))).toEqual({ returnCode: 2, payload: empty });
    expect(told).toEqual([]);
    expect(ownAnswer(decided('clear-event-records'), rowOf('clear-event-records'))).toBe(log);
    expect(told).toEqual([['clear', 'acme', undefined, false, []]]);
    const clock = new Handmade({ events: { ...events, clock: () => -1n } }).decided({ named: 'get-timestamp' });
    expect(ownAnswer(clock, rowOf('get-timestamp'))).toEqual({ returnCode: 4, payload: empty });
  });

  it('is never sent, where nobody has said how it is answered', () => {
    const made = new Handmade();
    const decided = made.decided({ named: 'identify' });
    const row: TypedRow = { ...rowOf('identify'), virtual: 'somehow' };
    expect(ownAnswer(decided, row)).toEqual({ returnCode: 3, payload: empty });
    expect(ownAnswer(decided, rowOf('identify'))).toBeUndefined();
    expect(ownAnswer(made.decided({ named: 'identify', via: 'port:3' }), row)).toBeUndefined();
  });
});
