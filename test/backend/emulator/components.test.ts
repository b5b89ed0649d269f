import { describe, expect, it } from 'vitest';
import { uuidBytes } from '../../../src/cci/index.ts';
import { Rig } from './rig.ts';

const status = (rig: Rig, via = '') => rig.run('background-operation-status', {}, via);

describe('events', () => {
  /** One informational event of the switch. */
  const toggle = (rig: Rig): void => {
    rig.control.unplug(5);
    rig.control.plug(5);
    rig.pass(100);
    rig.emulator.advance();
  };

  it('count what a full log lost, with the times of the first and last loss, until cleared', () => {
    const rig = new Rig('small', { eventLogSize: 3 });
    rig.run('set-timestamp', { timestamp: 1_000_000_000n });
    for (let i = 0; i < 3; i++) toggle(rig);
    const full = rig.run('get-event-records', { event_log: 'informational' });
    expect(full.flags).toEqual({ overflow: true, more_event_records: false });
    expect(full.event_records).toHaveLength(3);
    expect(full.overflow_error_count).toBeGreaterThan(0);
    expect(full.last_overflow_event_timestamp).toBeGreaterThan(full.first_overflow_event_timestamp);
    rig.run('clear-event-records', { event_log: 'informational', clear_event_flags: true, event_record_handles: [] });
    const empty = rig.run('get-event-records', { event_log: 'informational' });
    expect(empty).toMatchObject({ flags: { overflow: false }, overflow_error_count: 0, event_records: [] });
  });

  it('are cleared oldest first; a handle out of order refuses the whole request', () => {
    const rig = new Rig();
    toggle(rig);
    const handles = rig
      .run('get-event-records', { event_log: 'informational' })
      .event_records.map((event) => event.event_record_handle);
    const clear = (list: readonly number[]): number =>
      rig.tryRun('clear-event-records', {
        event_log: 'informational',
        clear_event_flags: false,
        event_record_handles: list,
      });
    expect(handles.length).toBeGreaterThan(2);
    expect(clear(handles.slice(1))).toBe(0x0e);
    expect(clear(handles.slice(0, 2))).toBe(0);
    const left = rig.run('get-event-records', { event_log: 'informational' }).event_records;
    expect(left.map((event) => event.event_record_handle)).toEqual(handles.slice(2));
  });

  it('stay with the component they are of', () => {
    const rig = new Rig();
    toggle(rig);
    expect(rig.run('get-event-records', { event_log: 'informational' }, 'port:3').event_records).toEqual([]);
  });

  it('keep the interrupt policy that was set', () => {
    const rig = new Rig();
    const settings = {
      informational_log: false,
      warning_log: true,
      failure_log: true,
      fatal_log: false,
      dynamic_capacity_log: false,
      background_operation_completed: true,
    };
    rig.run('set-mctp-event-interrupt-policy', { event_interrupt_settings: settings });
    expect(rig.run('get-mctp-event-interrupt-policy', {}).event_interrupt_settings).toEqual(settings);
  });
});

describe('the response message limit is kept, per CCI', () => {
  it('cuts lists to what fits, and says that there is more', () => {
    const rig = new Rig();
    rig.control.unplug(5);
    rig.control.plug(5);
    rig.pass(50);
    rig.run('set-response-message-limit', { response_message_limit: 8 });
    const events = rig.run('get-event-records', { event_log: 'informational' });
    expect(events.event_records).toHaveLength(1);
    expect(events.flags.more_event_records).toBe(true);
    expect(rig.run('get-supported-logs', {}).supported_log_entries).toHaveLength(3);
    const ports = new Rig('default-32');
    ports.run('set-response-message-limit', { response_message_limit: 8 });
    const list = Array.from({ length: 32 }, (_, i) => i);
    expect(ports.run('get-physical-port-state', { port_id_list: list }).port_information_list).toHaveLength(14);
  });

  it('refuses what asks for more bytes than may be sent', () => {
    const rig = new Rig();
    rig.run('set-response-message-limit', { response_message_limit: 8 });
    expect(rig.code(0x5302, '0300f00f0100000100000000000000 00')).toBe(2);
    expect(rig.code(0x5302, '0300f00f0100400000000000000000 00')).toBe(0);
  });

  it('holds for the inner reply of a tunnel as well, so that the outer one fits', () => {
    const rig = new Rig('default-32');
    const lds = (): number =>
      rig.run('get-ld-allocations', { start_ld_id: 0, ld_allocation_list_limit: 16 }, 'port:14').ld_allocation_list
        .length;
    expect(lds()).toBe(16);
    rig.run('set-response-message-limit', { response_message_limit: 8 });
    expect(lds()).toBe(13);
    rig.run('set-response-message-limit', { response_message_limit: 10 });
    rig.run('set-response-message-limit', { response_message_limit: 8 }, 'port:14');
    expect(lds()).toBe(14);
  });
});

describe('firmware', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text.padEnd(128, '\0'));
  const part = (action: 'initiate' | 'continue' | 'end' | 'full', slot: number, offset: number, text: string) => ({
    action,
    slot,
    offset,
    data: bytes(text),
  });

  it('is transferred in parts, verified in the background, activated online', () => {
    const rig = new Rig();
    rig.run('transfer-fw', part('initiate', 0, 0, 'v2.0'));
    rig.run('transfer-fw', part('continue', 0, 1, 'x'));
    expect(rig.send(0x0201, new Uint8Array([3, 2, 0, 0, 2, ...new Array(123).fill(0)])).layers[0]?.returnCode).toBe(1);
    rig.pass(200);
    expect(status(rig)).toMatchObject({ command_opcode: 0x0201, return_code: 0 });
    rig.run('activate-fw', { action: 'online', slot: 2 });
    rig.pass(200);
    expect(rig.run('get-fw-info', {})).toMatchObject({
      fw_slot_info: { active_slot: 2, staged_slot: 0 },
      slot_2_fw_revision: 'v2.0',
    });
  });

  it('is refused out of order, twice at once, after a stall, and for the active slot', () => {
    const rig = new Rig();
    expect(rig.tryRun('transfer-fw', part('continue', 0, 1, 'x'))).toBe(9);
    rig.run('transfer-fw', part('initiate', 0, 0, 'v2'));
    expect(rig.tryRun('transfer-fw', part('initiate', 0, 0, 'v3'))).toBe(8);
    expect(rig.tryRun('transfer-fw', part('continue', 0, 5, 'x'))).toBe(9);
    expect(rig.tryRun('transfer-fw', part('end', 1, 1, 'x'))).toBe(0x0b);
    rig.pass(31_000);
    expect(rig.tryRun('transfer-fw', part('continue', 0, 1, 'x'))).toBe(9);
  });

  it('transferred on one CCI of a device, the others answer that a transfer runs', () => {
    const rig = new Rig();
    rig.run('transfer-fw', part('initiate', 0, 0, 'v2'), 'port:3');
    expect(rig.tryRun('transfer-fw', part('initiate', 0, 0, 'v2'), 'port:3/ld:1')).toBe(8);
  });

  it.each([
    ['BAD image', 'verification', 0x0a],
    ['v3 ROLLBACK', 'activation', 0x0c],
    ['v3 COLD', 'activation', 0x0d],
  ] as const)('`%s` fails at %s', (text, at, code) => {
    const rig = new Rig();
    rig.run('transfer-fw', part('full', 3, 0, text));
    rig.pass(200);
    if (at === 'activation') {
      rig.run('activate-fw', { action: 'online', slot: 3 });
      rig.pass(200);
    }
    expect(status(rig).return_code).toBe(code);
    expect(rig.run('get-fw-info', {}).fw_slot_info.active_slot).toBe(1);
  });

  it('staged, starts with the next cold reset', () => {
    const rig = new Rig();
    rig.run('transfer-fw', part('full', 2, 0, 'v2'), 'port:5');
    rig.pass(200);
    rig.run('activate-fw', { action: 'next-cold-reset', slot: 2 }, 'port:5');
    expect(rig.run('get-fw-info', {}, 'port:5').fw_slot_info).toEqual({ active_slot: 1, staged_slot: 2 });
    rig.control.powerCyclePort(5);
    rig.pass(50);
    expect(rig.run('get-fw-info', {}, 'port:5').fw_slot_info).toEqual({ active_slot: 2, staged_slot: 0 });
  });
});

describe('features', () => {
  const uuid = '96dad7d6-fde8-482b-a733-75774e06db8a';
  const set = (
    action: 'full' | 'initiate' | 'continue' | 'finish' | 'abort',
    offset: number,
    data: readonly number[],
    version = 1,
  ) => ({
    feature_identifier: uuid,
    set_feature_flags: { action, saved_across_reset: false },
    offset,
    version,
    feature_data: Uint8Array.from(data),
  });

  it('are set in parts, and only then', () => {
    const rig = new Rig();
    const now = (): readonly number[] => [
      ...rig.run('get-feature', { feature_identifier: uuid, offset: 0, count: 4, selection: 'current' }, 'port:2')
        .feature_data,
    ];
    const before = now();
    rig.run('set-feature', set('initiate', 0, [9, 8]), 'port:2');
    expect(now()).toEqual(before);
    expect(rig.tryRun('set-feature', set('initiate', 0, [1]), 'port:2')).toBe(0x1b);
    expect(rig.tryRun('set-feature', set('finish', 3, [7]), 'port:2')).toBe(0x1c);
    rig.run('set-feature', set('finish', 2, [7, 6]), 'port:2');
    expect(now()).toEqual([9, 8, 7, 6]);
    expect(rig.tryRun('set-feature', set('full', 0, [1], 2), 'port:2')).toBe(0x19);
    expect(rig.tryRun('set-feature', set('full', 3, [1, 2]), 'port:2')).toBe(2);
    expect(rig.tryRun('set-feature', set('abort', 0, []), 'port:2')).toBe(0x1c);
  });
});

describe('memory of LDs behind 5302h', () => {
  const write = (ld: number, address: bigint, data: readonly number[], enables = 0xf) => ({
    port_id: 3,
    request_control: {
      first_dword_byte_enable: enables,
      last_dword_byte_enable: 15,
      transaction_type: 'write' as const,
    },
    ld_id: ld,
    transaction_length: data.length,
    transaction_address: address,
    transaction_data: Uint8Array.from(data),
  });
  const read = (rig: Rig, ld: number, address: bigint, length: number): readonly number[] => {
    const request = write(ld, address, new Array(length).fill(0));
    const reply = rig.run('send-ld-cxl-io-memory-request', {
      ...request,
      request_control: { ...request.request_control, transaction_type: 'read' },
      transaction_data: new Uint8Array(0),
    });
    return [...reply.return_data];
  };

  it('keeps what was written, per LD, across pages, and only the bytes that are enabled', () => {
    const rig = new Rig();
    const data = Array.from({ length: 64 }, (_, i) => i + 1);
    rig.run('send-ld-cxl-io-memory-request', write(1, 4096n - 32n, data));
    expect(read(rig, 1, 4096n - 32n, 64)).toEqual(data);
    expect(read(rig, 3, 4096n - 32n, 64)).toEqual(new Array(64).fill(0));
    rig.run('send-ld-cxl-io-memory-request', write(1, 0n, [1, 2, 3, 4], 0b0101));
    expect(read(rig, 1, 0n, 4)).toEqual([1, 0, 3, 0]);
  });

  it('writes 4096 bytes through the largest payload there is', () => {
    const rig = new Rig();
    const data = Array.from({ length: 4096 }, (_, i) => i & 0xff);
    rig.run('send-ld-cxl-io-memory-request', write(3, 0n, data));
    expect(read(rig, 3, 0n, 4096)).toEqual(data);
  });
});

describe('LD allocations', () => {
  it('never move a bound LD, and refuse what fits only in pieces', () => {
    const rig = new Rig();
    const set = (start: number, ...sizes: readonly bigint[]): number =>
      rig.tryRun(
        'set-ld-allocations',
        {
          start_ld_id: start,
          ld_allocation_list: sizes.map((size) => ({
            range_1_allocation_multiplier: size,
            range_2_allocation_multiplier: 0n,
          })),
        },
        'port:3',
      );
    // Granules 0-63 and 128-191 belong to the bound LDs 0 and 2.
    expect(set(1, 65n)).toBe(2);
    expect(set(3, 0n)).toBe(0);
    expect(set(1, 128n)).toBe(0x1d);
    expect(set(1, 64n)).toBe(0);
    const device = rig.emulator.machine.state.devices[1];
    expect(device?.lds.map((ld) => [ld.base1, ld.range1])).toEqual([
      [0n, 64n],
      [64n, 64n],
      [128n, 64n],
      [0n, 0n],
    ]);
  });
});

describe('media behind tunnels', () => {
  const at = (line: bigint) => ({ physical_address: { flags: 0, physical_address_63_6: line } });
  const all = {
    physical_address: { restart_request: false, physical_address_63_6: 0n },
    physical_address_length: 1024n,
  };

  it('list poison in order, in pieces that go on where the last one ended', () => {
    const rig = new Rig('small', { support: 'all' });
    for (const line of [30n, 10n, 20n]) rig.run('inject-poison', at(line), 'port:2');
    rig.run('set-response-message-limit', { response_message_limit: 8 }, 'port:2');
    const lines = rig.run('get-poison-list', all, 'port:2').media_error_records;
    expect(lines.map((record) => record.media_error_address.address_63_6)).toEqual([10n, 20n, 30n]);
    for (let line = 100n; line < 120n; line++) rig.run('inject-poison', at(line), 'port:2');
    const first = rig.run('get-poison-list', all, 'port:2');
    expect(first.flags.more_media_error_records).toBe(true);
    const second = rig.run('get-poison-list', all, 'port:2');
    expect(first.media_error_records.length + second.media_error_records.length).toBe(23);
    expect(second.flags.more_media_error_records).toBe(false);
  });

  it('take 64 poisoned lines and no more', () => {
    const rig = new Rig('small', { support: 'all' });
    for (let line = 0n; line < 64n; line++) rig.run('inject-poison', at(line), 'port:2');
    expect(rig.tryRun('inject-poison', at(64n), 'port:2')).toBe(0x10);
    expect(rig.tryRun('inject-poison', at(1n << 40n), 'port:2')).toBe(0x0f);
  });

  it('are disabled while they are sanitized, one operation per CCI, and can be aborted', () => {
    const rig = new Rig('small', { support: 'all' });
    rig.run('inject-poison', at(1n), 'port:2');
    expect(rig.send(0x4400, '', 'port:2').layers.map((layer) => [layer.returnCode, layer.background])).toEqual([
      [0, false],
      [1, true],
    ]);
    expect(rig.tryRun('inject-poison', at(2n), 'port:2')).toBe(7);
    expect(rig.tryRun('sanitize', {}, 'port:2')).toBe(6);
    // Another component has a slot of its own.
    expect(rig.tryRun('sanitize', {}, 'port:5')).toBe(1);
    rig.run('request-abort-background-operation', {}, 'port:2');
    expect(status(rig, 'port:2')).toMatchObject({ command_opcode: 0x4400, return_code: 0x12 });
    expect(rig.run('get-poison-list', all, 'port:2').media_error_records).toHaveLength(1);
    rig.run('sanitize', {}, 'port:2');
    rig.pass(600);
    expect(rig.run('get-poison-list', all, 'port:2').media_error_records).toHaveLength(0);
  });

  it('lock with the power when a passphrase is set, and open with it', () => {
    const rig = new Rig();
    const pass = new Uint8Array(32).fill(1);
    const wrong = new Uint8Array(32).fill(2);
    rig.run('set-passphrase', { passphrase_type: 'user', current_passphrase: wrong, new_passphrase: pass }, 'port:5');
    rig.control.powerCyclePort(5);
    rig.pass(50);
    expect(rig.tryRun('get-lsa', { offset: 0, length: 1 }, 'port:5')).toBe(0x13);
    for (let i = 0; i < 5; i++) expect(rig.tryRun('unlock', { current_passphrase: wrong }, 'port:5')).toBe(0x14);
    expect(rig.tryRun('unlock', { current_passphrase: pass }, 'port:5')).toBe(0x13);
    rig.control.powerCyclePort(5);
    rig.pass(50);
    expect(rig.tryRun('unlock', { current_passphrase: pass }, 'port:5')).toBe(0);
    expect(rig.tryRun('get-lsa', { offset: 0, length: 1 }, 'port:5')).toBe(0);
  });

  it('change their partition now or with the next cold reset', () => {
    const rig = new Rig();
    rig.run('set-partition-info', { volatile_capacity: 10n, flags: false }, 'port:5');
    expect(rig.run('get-partition-info', {}, 'port:5')).toMatchObject({
      active_volatile_capacity: 128n,
      next_volatile_capacity: 10n,
    });
    rig.control.powerCyclePort(5);
    rig.pass(50);
    expect(rig.run('get-partition-info', {}, 'port:5')).toMatchObject({
      active_volatile_capacity: 10n,
      active_persistent_capacity: 118n,
    });
  });

  it('keep labels', () => {
    const rig = new Rig();
    rig.run('set-lsa', { offset: 4090, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) }, 'port:2');
    expect([...rig.run('get-lsa', { offset: 4089, length: 10 }, 'port:2').data]).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 0,
    ]);
  });
});

describe('dynamic capacity', () => {
  const none = new Uint8Array(16);
  const tag = uuidBytes('00112233-4455-6677-8899-aabbccddeeff') ?? none;
  const GIB = 1n << 30n;
  const add = (host: number, length: bigint, more: { readonly region?: number; readonly tag?: Uint8Array } = {}) => ({
    host_id: host,
    selection_policy: 'free' as const,
    region: more.region ?? 0,
    length,
    tag: more.tag ?? none,
    extents: [],
  });
  const extents = (rig: Rig, host: number, via = 'port:4') =>
    rig.run('get-dc-region-extent-lists', { host_id: host, extent_count: 100, starting_extent_index: 0 }, via);
  const logged = (rig: Rig, via = 'port:4'): readonly number[] =>
    rig
      .run('get-event-records', { event_log: 'dynamic-capacity' }, via)
      .event_records.map((event) => event.event_record_data[0] ?? -1);

  it('is offered, accepted by the host, and listed with a new generation', () => {
    const rig = new Rig('dcd-pool');
    rig.run('initiate-dynamic-capacity-add', add(1, 2n * GIB), 'port:4');
    expect(extents(rig, 1)).toMatchObject({ total_extent_count: 0, extent_list_generation_number: 0 });
    rig.pass(10);
    expect(extents(rig, 1)).toMatchObject({ total_extent_count: 1, extent_list_generation_number: 1 });
    expect(extents(rig, 1).extents[0]).toMatchObject({ starting_dpa: 4n * GIB, length: 2n * GIB });
    expect(logged(rig)).toEqual([0, 4]);
  });

  it('comes in several extents where no one piece is large enough, and contiguous is refused then', () => {
    const rig = new Rig('dcd-pool');
    for (const host of [0, 1, 2]) rig.run('initiate-dynamic-capacity-add', add(host, 20n * GIB), 'port:4');
    rig.pass(10);
    const flags = { removal_policy: 'tag-based', forced_removal: true, sanitize_on_release: false } as const;
    rig.run('initiate-dynamic-capacity-release', { host_id: 1, flags, length: 0n, tag: none, extents: [] }, 'port:4');
    expect(
      rig.tryRun('initiate-dynamic-capacity-add', { ...add(3, 24n * GIB), selection_policy: 'contiguous' }, 'port:4'),
    ).toBe(0x1d);
    rig.run('initiate-dynamic-capacity-add', add(3, 24n * GIB), 'port:4');
    rig.pass(10);
    expect(extents(rig, 3).extents.map((extent) => extent.length)).toEqual([20n * GIB, 4n * GIB]);
    expect(logged(rig).includes(2)).toBe(true);
  });

  it('of a tag is shared with another host, kept by a reference, and freed with the last of them', () => {
    const rig = new Rig('dcd-pool');
    const flags = { removal_policy: 'tag-based', forced_removal: true, sanitize_on_release: false } as const;
    const release = (host: number): number =>
      rig.tryRun('initiate-dynamic-capacity-release', { host_id: host, flags, length: 0n, tag, extents: [] }, 'port:4');
    rig.run('initiate-dynamic-capacity-add', add(0, GIB, { region: 1, tag }), 'port:4');
    rig.pass(10);
    // A tag in use cannot name other capacity.
    expect(rig.tryRun('initiate-dynamic-capacity-add', add(2, GIB, { region: 1, tag }), 'port:4')).toBe(2);
    const access = { ...add(1, 0n, { region: 1, tag }), selection_policy: 'enable-shared-access' } as const;
    rig.run('initiate-dynamic-capacity-add', access, 'port:4');
    rig.pass(10);
    expect(extents(rig, 1).extents).toEqual(extents(rig, 0).extents);
    rig.run('dynamic-capacity-add-reference', { tag }, 'port:4');
    expect(release(0)).toBe(0);
    expect(release(1)).toBe(0);
    const listed = rig.run('dynamic-capacity-list-tags', { starting_index: 0, max_tags: 9 }, 'port:4');
    expect(listed.tag_information_list[0]).toMatchObject({ flags: true, reference_bitmap: [] });
    rig.run('dynamic-capacity-remove-reference', { tag }, 'port:4');
    expect(
      rig.run('dynamic-capacity-list-tags', { starting_index: 0, max_tags: 9 }, 'port:4').total_number_of_tags,
    ).toBe(0);
  });

  it('prescribed, must be free, aligned and inside', () => {
    const rig = new Rig('dcd-pool');
    const prescribe = (dpa: bigint, length: bigint): number =>
      rig.tryRun(
        'initiate-dynamic-capacity-add',
        {
          ...add(0, 0n),
          selection_policy: 'prescriptive',
          extents: [{ starting_dpa: dpa, length, tag: none, shared_extent_sequence: 0 }],
        },
        'port:4',
      );
    expect(prescribe(4n * GIB, GIB)).toBe(0);
    expect(prescribe(4n * GIB, GIB)).toBe(0x1e);
    expect(prescribe(6n * GIB + 1n, GIB)).toBe(0x1e);
    expect(prescribe(0n, GIB)).toBe(0x0f);
    expect(prescribe((1n << 64n) - GIB, GIB)).toBe(0x0f);
  });

  it('waits for a host that answers by hand, who may take part of it', () => {
    const rig = new Rig('dcd-pool', { support: 'all' });
    rig.run('initiate-dynamic-capacity-add', add(0, 2n * GIB), 'port:5');
    rig.pass(10_000);
    expect(rig.control.offers(5)).toHaveLength(1);
    rig.run(
      'add-dynamic-capacity-response',
      { flags: false, updated_extents: [{ starting_dpa: GIB, length: GIB }] },
      'port:5',
    );
    expect(rig.control.offers(5)).toHaveLength(0);
    expect(extents(rig, 0, 'port:5').extents).toMatchObject([{ starting_dpa: GIB, length: GIB }]);
    rig.run(
      'release-dynamic-capacity',
      { flags: false, updated_extents: [{ starting_dpa: GIB, length: GIB / 2n }] },
      'port:5',
    );
    expect(extents(rig, 0, 'port:5').extents).toMatchObject([{ starting_dpa: GIB + GIB / 2n, length: GIB / 2n }]);
  });

  it('changes the block size of a region only while nobody has anything of it', () => {
    const rig = new Rig('dcd-pool');
    const configure = (size: bigint): number =>
      rig.tryRun(
        'set-dc-region-configuration',
        { region_id: 0, region_block_size: size, sanitize_on_release: false },
        'port:4',
      );
    expect(configure(1n << 29n)).toBe(0);
    expect(configure(3n << 28n)).toBe(2);
    rig.run('initiate-dynamic-capacity-add', add(1, 2n * GIB), 'port:4');
    expect(configure(1n << 28n)).toBe(2);
  });
});
