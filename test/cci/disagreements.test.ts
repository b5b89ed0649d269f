import { describe, expect, test } from 'vitest';
import {
  type Dialect,
  decodePayload,
  decodeRequestMessage,
  decodeResponseMessage,
  decodeRoute,
  decodeRoutedReply,
  effectBits,
  encodeMessage,
  encodePayload,
  encodeRoute,
  encodeRoutedReply,
  enumText,
  fromHex,
  fromJson,
  isSuccess,
  isTyped,
  rowByOpcode,
  rowBySlug,
  structs,
  TUNNEL_OPCODE,
  type TypedRow,
  type Value,
} from '../../src/cci/index.ts';

// One test for each disagreement between the sources (reference: cci-protocol.md section 12) that the codec decides.
// The others are the business of other layers, and listed here so that none is forgotten.
/** Tested by number in `test/broker/disagreements.test.ts`; D25 and D26 with the emulator's bindings and return codes. */
const elsewhere: readonly (readonly [id: string, layer: string, reason: string])[] = [
  [
    'D08',
    'policy',
    'effects are a lower bound; classification never starts from them (catalogue.test.ts has the 19 silent rows)',
  ],
  [
    'D12',
    'broker',
    'the reply filter ignores the LD byte of a vPPB that is not bound to an LD; the codec shows it as it came',
  ],
  ['D14', 'backend, edge', 'message types 07h and 08h are handled in mctp.ts and never reach a decision'],
  ['D18', 'broker', 'event UUIDs are matched where records are attributed'],
  ['D25', 'broker', 'a bind is done when status or event says so'],
  ['D26', 'policy', 'bound-state rows B.. refuse 5102h, 5103h, 5301h and 5302h on bound targets'],
];

function rowOf(slug: string): TypedRow {
  const row = rowBySlug(slug);
  return row !== undefined && isTyped(row) ? row : expect.fail(`no codec for ${slug}`);
}

function hex(text: string): Uint8Array {
  return fromHex(text) ?? expect.fail('not hex');
}

/** The value, or the code and field of the refusal. */
function request(slug: string, bytes: string): unknown {
  const decoded = decodePayload(rowOf(slug).request, hex(bytes), { side: 'request' });
  return decoded.ok ? decoded.value : `${decoded.error.code} ${decoded.error.field}`;
}

function reply(slug: string, bytes: string, more: { dialect?: Dialect; request?: Value } = {}): unknown {
  const decoded = decodePayload(rowOf(slug).response, hex(bytes), { side: 'reply', ...more });
  return decoded.ok ? decoded.value : `${decoded.error.code} ${decoded.error.field}`;
}

function encoded(slug: string, value: Value): unknown {
  const payload = encodePayload(rowOf(slug).request, value);
  return payload.ok ? payload.value : `${payload.error.code} ${payload.error.field}`;
}

test('each of D01 to D31 is tested here or has its place elsewhere', () => {
  const here =
    'D01 D02 D03 D04 D05 D06 D07 D09 D10 D11 D13 D15 D16 D17 D19 D20 D21 D22 D23 D24 D27 D28 D29 D30 D31'.split(' ');
  const all = Array.from({ length: 31 }, (_, i) => `D${String(i + 1).padStart(2, '0')}`);
  expect([...here, ...elsewhere.map(([id]) => id)].sort()).toEqual(all);
});

const identify = '00 33 00 01 00 00 00 00 00 00 00 00';

describe('messages and tunnels', () => {
  test('D01: the category is the low nibble, and the high one is 0', () => {
    expect(decodeRequestMessage(hex(identify))).toMatchObject({ ok: true });
    for (const first of ['10', '02', '0f', 'f0']) {
      expect(decodeRequestMessage(hex(first + identify.slice(2)))).toMatchObject({
        ok: false,
        error: { field: 'category' },
      });
      expect(decodeResponseMessage(hex(first + identify.slice(2)))).toMatchObject({
        ok: false,
        error: { field: 'category' },
      });
    }
    expect(decodeResponseMessage(hex(`10${identify.slice(2)}`), 'jackrabbit')).toMatchObject({ ok: true });
    expect(decodeResponseMessage(hex(`20${identify.slice(2)}`), 'jackrabbit')).toMatchObject({ ok: false });
  });

  test('D02: BO is bit 7 and the length bits 4:0 of byte 7; the other reading is the other dialect', () => {
    const answer = (byte7: string): Uint8Array => hex(`01 33 00 01 00 00 00 ${byte7} 00 00 00 00`);
    expect(decodeResponseMessage(answer('80'))).toMatchObject({ ok: true, value: { background: true } });
    expect(decodeResponseMessage(answer('01'))).toMatchObject({ ok: false, error: { field: 'payload_length' } });
    const old = (byte7: string): Uint8Array => hex(`10 33 00 01 00 00 00 ${byte7} 00 00 00 00`);
    expect(decodeResponseMessage(old('01'), 'jackrabbit')).toMatchObject({ ok: true, value: { background: true } });
    expect(decodeResponseMessage(old('80'), 'jackrabbit')).toMatchObject({
      ok: false,
      error: { field: 'payload_length' },
    });
    expect(decodeResponseMessage(old('02'), 'jackrabbit')).toMatchObject({ ok: false, error: { code: 'reserved' } });
    const payload = new Uint8Array(0x1_0203);
    const message = {
      category: 'request',
      tag: 0,
      opcode: 1,
      background: false,
      returnCode: 0,
      vendorStatus: 0,
      payload,
    } as const;
    expect(encodeMessage(message)[7]).toBe(0x01);
    expect(encodeMessage(message, 'jackrabbit')[7]).toBe(0x08);
  });

  test('D03: a type byte inside a tunnel is refused from a client, and the form of a jackrabbit device', () => {
    const plain = `03 00 0C 00 ${identify}`;
    const typed = `03 00 0D 00 08 ${identify}`;
    expect(decodeRoute(TUNNEL_OPCODE, hex(plain))).toMatchObject({ ok: true });
    expect(decodeRoute(TUNNEL_OPCODE, hex(typed))).toMatchObject({ ok: false, error: { field: 'category' } });
    const device = decodeRoute(TUNNEL_OPCODE, hex(typed), 'jackrabbit');
    expect(device).toMatchObject({ ok: true, value: { opcode: 1 } });
    expect(decodeRoute(TUNNEL_OPCODE, hex(plain), 'jackrabbit')).toMatchObject({
      ok: false,
      error: { field: 'message_type' },
    });
    if (!device.ok) return;
    expect(encodeRoute(device.value, 'jackrabbit').payload).toEqual(hex(typed));
    expect(encodeRoute(device.value).payload).toEqual(hex(plain));
    const done = { returnCode: 0, vendorStatus: 0, background: false };
    const answer = encodeRoutedReply(device.value, { layers: [done, done], payload: new Uint8Array(0) });
    expect(decodeRoutedReply(device.value, { ...done, payload: answer })).toMatchObject({ ok: true });
    const misread = decodeRoutedReply(device.value, { ...done, payload: answer }, 'jackrabbit');
    expect(misread).toMatchObject({ ok: false, error: { field: 'message_type' } });
  });

  test('D04: the high nibble of the target type is reserved', () => {
    expect(decodeRoute(TUNNEL_OPCODE, hex(`03 10 0C 00 ${identify}`))).toMatchObject({
      ok: false,
      error: { code: 'reserved' },
    });
    expect(request('tunnel-management-command', '03 10 00 00')).toBe('reserved target_type');
  });

  test('D05: command_size counts what follows it, not the whole payload', () => {
    expect(decodeRoute(TUNNEL_OPCODE, hex(`03 00 0C 00 ${identify}`))).toMatchObject({ ok: true });
    expect(decodeRoute(TUNNEL_OPCODE, hex(`03 00 10 00 ${identify}`))).toMatchObject({
      ok: false,
      error: { field: 'command_size' },
    });
  });

  test('D16: the vendor status of a request is zeroed, not refused', () => {
    const route = decodeRoute(TUNNEL_OPCODE, hex('03 00 0C 00 00 33 00 01 00 00 00 00 00 00 CD AB'));
    if (!route.ok) return expect.fail(route.error.message);
    expect(encodeRoute(route.value).payload).toEqual(hex(`03 00 0C 00 ${identify}`));
    expect(decodeRequestMessage(hex('00 33 00 01 00 00 00 00 00 00 CD AB'))).toMatchObject({
      ok: true,
      value: { vendorStatus: 0 },
    });
  });

  test('D24: the inner length is compared with command_size, and what is sent is encoded anew', () => {
    const long = '00 33 00 01 00 01 00 00 00 00 00 00';
    expect(decodeRoute(TUNNEL_OPCODE, hex(`03 00 0C 00 ${long}`))).toMatchObject({
      ok: false,
      error: { field: 'payload_length' },
    });
    const shorter = `03 00 0D 00 ${identify} 00`;
    expect(decodeRoute(TUNNEL_OPCODE, hex(shorter))).toMatchObject({ ok: false, error: { field: 'payload_length' } });
  });
});

describe('requests', () => {
  const address = '00 10 00 00 00 00 00 00';

  test('D06: 5302h has its fields at 0, 1, 4, 6, 8 and 10h; the 15-byte form is refused', () => {
    const control = { first_dword_byte_enable: 15, last_dword_byte_enable: 0, transaction_type: 'read' };
    expect(request('send-ld-cxl-io-memory-request', `05 00 F0 00 02 00 08 00 ${address}`)).toEqual({
      port_id: 5,
      request_control: control,
      ld_id: 2,
      transaction_length: 8,
      transaction_address: 0x1000n,
      transaction_data: new Uint8Array(0),
    });
    const shortRead = `05 00 F0 02 00 08 00 ${address}`;
    expect(request('send-ld-cxl-io-memory-request', shortRead)).toBe('length ');
    expect(request('send-ld-cxl-io-memory-request', `05 00 F0 02 00 04 00 ${address} DE AD BE EF`)).toBe(
      'length transaction_data',
    );
  });

  test('D06: a read may carry data of exactly its length, which is dropped; a write carries exactly that', () => {
    const read = (length: string, data: string): unknown =>
      request('send-ld-cxl-io-memory-request', `05 00 F0 00 02 00 ${length} ${address} ${data}`);
    const write = (length: string, data: string): unknown =>
      request('send-ld-cxl-io-memory-request', `05 00 F0 80 02 00 ${length} ${address} ${data}`);
    const dropped = read('04 00', 'DE AD BE EF');
    expect(dropped).toMatchObject({ transaction_length: 4, transaction_data: new Uint8Array(0) });
    expect(encoded('send-ld-cxl-io-memory-request', dropped as Value)).toEqual(
      hex(`05 00 F0 00 02 00 04 00 ${address}`),
    );
    expect(read('04 00', 'DE AD BE')).toBe('length transaction_data');
    expect(read('04 00', 'DE AD BE EF 00')).toBe('length transaction_data');
    expect(write('04 00', 'DE AD BE EF')).toMatchObject({ transaction_data: hex('DEADBEEF') });
    expect(write('04 00', 'DE AD BE')).toBe('length transaction_data');
    expect(write('04 00', 'DE AD BE EF 00')).toBe('length ');
    expect(write('04 00', '')).toBe('length transaction_data');
    expect(write('00 10', '00'.repeat(4096))).toMatchObject({ transaction_length: 4096 });
    expect(write('01 10', '00'.repeat(4097))).toBe('value transaction_length');
    expect(read('01 10', '')).toBe('value transaction_length');
  });

  test('D13: an AER error is a bit position and a severity, nothing else', () => {
    const aer = (word: string): unknown => request('generate-aer-event', `01 02 00 00 ${word} ${'00'.repeat(32)}`);
    expect(aer('0C 00 00 80')).toMatchObject({ aer_error: { error_bit_position: 12, uncorrectable: true } });
    expect(aer('00 10 00 00')).toBe('reserved aer_error');
    expect(aer('00 00 00 40')).toBe('reserved aer_error');
  });

  test('D15: a response limit is asked for as 2^8 to 2^10', () => {
    for (const n of ['08', '09', '0A'])
      expect(request('set-response-message-limit', n)).toEqual({ response_message_limit: Number(`0x${n}`) });
    for (const n of ['07', '0B', '14'])
      expect(request('set-response-message-limit', n)).toBe('value response_message_limit');
  });

  test('D19: a configuration register is a dword index in two parts', () => {
    expect(request('send-ppb-cxl-io-configuration-request', '03 04 F1 00 00 00 00 00')).toMatchObject({
      request_control: {
        register_number: 4,
        extended_register_number: 1,
        first_dword_byte_enable: 15,
        transaction_type: 'read',
      },
    });
    expect(request('send-ppb-cxl-io-configuration-request', '03 04 F1 01 00 00 00 00')).toBe(
      'reserved request_control',
    );
  });

  test('D20: byte 3 of 5605h is 0 and is no region', () => {
    const release = (byte3: string): unknown =>
      request('initiate-dynamic-capacity-release', `01 00 00 ${byte3} ${'00'.repeat(24)}`);
    expect(release('00')).not.toHaveProperty('region');
    expect(release('01')).toBe('reserved reserved');
  });

  test('D21: 49h is the set of GFD management, 5Bh is reserved', () => {
    expect(rowByOpcode(0x4900)?.set).toBe('gfd-component-management');
    expect(rowByOpcode(0x5b00)).toBeUndefined();
  });

  test('D22: without the prescriptive policy 5604h and 5605h have 28 bytes, or 32 with a count of 0', () => {
    const extent = '11'.repeat(34) + '00'.repeat(6);
    const cases = [
      ['initiate-dynamic-capacity-add', '01 00 00 07', '01 00 02 07'],
      ['initiate-dynamic-capacity-release', '01 00 00 00', '01 00 01 00'],
    ] as const;
    for (const [slug, free, prescriptive] of cases) {
      const rest = '00'.repeat(24);
      const short = request(slug, free + rest);
      expect(short).toMatchObject({ host_id: 1, extents: [] });
      expect(request(slug, `${free + rest}00000000`)).toEqual(short);
      expect(encoded(slug, short as Value)).toEqual(hex(free + rest));
      expect(request(slug, `${free + rest}01000000`)).toBe('value extent_count');
      for (const size of [1, 3, 5, 40, 44]) expect(request(slug, free + rest + '00'.repeat(size))).toBe('length ');
      expect(request(slug, `${free + rest}01000000${extent}`)).toBe('length ');
      expect(request(slug, prescriptive + rest)).toBe('length extent_count');
      const full = request(slug, `${prescriptive + rest}01000000${extent}`);
      expect(full).toMatchObject({ extents: [{ shared_extent_sequence: 0x1111 }] });
      expect(encoded(slug, full as Value)).toEqual(hex(`${prescriptive + rest}01000000${extent}`));
      expect(encoded(slug, { ...(short as Value), extents: (full as Value).extents })).toBe('value extents');
    }
  });

  test('D23: 5101h is as long as its list: padding is refused', () => {
    expect(request('get-physical-port-state', '02 03 04')).toEqual({ port_id_list: [3, 4] });
    expect(request('get-physical-port-state', `02 03 04 ${'00'.repeat(253)}`)).toBe('length ');
    expect(request('get-physical-port-state', '00')).toBe('value number_of_ports');
  });

  test('D27, D29: PBR and GAE rows have no codec, and opcodes of forks no row', () => {
    for (const opcode of [0x5701, 0x5702, 0x5704, 0x5802, 0x490c, 0x4900, 0x5900]) {
      const row = rowByOpcode(opcode);
      expect(row === undefined || isTyped(row)).toBe(false);
    }
    expect([rowByOpcode(0x5215), rowByOpcode(0x5216)]).toEqual([undefined, undefined]);
  });

  test('D28: Get PID Binding may take the background slot although it reads', () => {
    expect(rowBySlug('get-pid-binding')).toMatchObject({ background: 'may', mutating: false });
    expect(isSuccess(0x0001)).toBe(true);
  });
});

describe('replies', () => {
  const identity = '98 1E 01 00 00 00 00 00 88 77 66 55 44 33 22 11 0A';

  test('D07: effect bits 0 to 6 are common ground, 7 to 11 as the specification has them', () => {
    expect(effectBits).toHaveLength(12);
    expect([effectBits[6], effectBits[7], effectBits[8], effectBits[11]]).toEqual([
      'background-operation',
      'secondary-mailbox-supported',
      'request-abort-supported',
      'configuration-change-after-cxl-reset',
    ]);
  });

  test('D09: Identify of 17 bytes comes from 2.0 devices alone', () => {
    expect(reply('identify', identity)).toBe('length ');
    expect(reply('identify', identity, { dialect: 'spec' })).toBe('length ');
    const old = reply('identify', identity, { dialect: 'jackrabbit' });
    expect(old).toMatchObject({ device_serial_number: 0x1122334455667788n });
    expect(old).not.toHaveProperty('component_type');
    expect(reply('identify', `${identity} 03`, { dialect: 'jackrabbit' })).toMatchObject({
      component_type: 'type-3-device',
    });
    expect(reply('identify', identity.slice(0, -3), { dialect: 'jackrabbit' })).toBe('length ');
    expect(reply('background-operation-status', '00'.repeat(7), { dialect: 'jackrabbit' })).toBe('length ');
    expect(reply('get-physical-port-state', '00', { dialect: 'jackrabbit' })).toBe('length ');
    const payload = encodePayload(rowOf('identify').response, old as Value, 'reply');
    expect(payload).toEqual({ ok: true, value: hex(identity) });
    expect(encodePayload(rowOf('identify').response, old as Value, 'request')).toMatchObject({ ok: false });
  });

  test('D10: Identify Switch Device of 93 bytes loses its last 20', () => {
    const bytes = `07 00 08 02 ${'ff'.repeat(32)}${'03'}${'00'.repeat(31)} 10 00 02 00 04`;
    const value = reply('identify-switch-device', bytes);
    expect(value).toMatchObject({ ingress_port_id: 7, active_vcs_bitmask: [0, 1], number_of_hdm_decoders: 4 });
    expect(reply('identify-switch-device', bytes + 'aa'.repeat(20))).toEqual(value);
    expect(encodePayload(rowOf('identify-switch-device').response, value as Value, 'reply')).toEqual({
      ok: true,
      value: hex(bytes),
    });
    expect(reply('identify-switch-device', bytes.slice(0, -3))).toBe('length ');
    const trailing = decodePayload(rowOf('identify-switch-device').response, hex(`${bytes}aa`), { side: 'request' });
    expect(trailing).toMatchObject({ ok: false, error: { code: 'length' } });
  });

  test('D11: the vPPBs listed are those from 0, or from the start in the other dialect', () => {
    const block = (entries: number): string => `01 00 00 00 05 01 00 08 ${'00 00 FF 00'.repeat(entries)}`;
    const asked = (start: number, limit: number): Value => ({ starting_vppb: start, vppb_list_limit: limit });
    const read = (entries: number, start: number, limit: number, dialect: Dialect): unknown =>
      reply('get-virtual-cxl-switch-info', block(entries), { request: asked(start, limit), dialect });
    expect(read(8, 6, 255, 'spec')).toMatchObject({ vcs_information_list: [{ number_of_vppbs: 8 }] });
    expect(read(2, 6, 255, 'spec')).toBe('length vcs_information_list[0].vppb_information_list');
    expect(read(2, 6, 255, 'jackrabbit')).toMatchObject({ vcs_information_list: [{ number_of_vppbs: 8 }] });
    expect(read(0, 9, 255, 'jackrabbit')).toMatchObject({ vcs_information_list: [{ vppb_information_list: [] }] });
    expect(read(3, 0, 3, 'spec')).toMatchObject({ vcs_information_list: [{ vcs_id: 5 }] });
    expect(reply('get-virtual-cxl-switch-info', block(8), { dialect: 'jackrabbit' })).toMatchObject({
      vcs_information_list: [{ vcs_id: 5 }],
    });
  });

  test('D17: the LD id of an event is there whether it means something or not; the flag says', () => {
    const record = (flags: string): string =>
      `${'00'.repeat(16)} 80 ${flags} ${'00'.repeat(14)} 02 00 01 ${'00'.repeat(11)} ${'00'.repeat(80)}`;
    const log = (flags: string): unknown =>
      reply('get-event-records', `${'00'.repeat(20)} 01 00 ${'00'.repeat(10)} ${record(flags)}`);
    expect(log('80 00 00')).toMatchObject({ event_records: [{ event_record_flags: { ld_id_valid: true }, ld_id: 2 }] });
    expect(log('00 00 00')).toMatchObject({
      event_records: [{ event_record_flags: { ld_id_valid: false }, ld_id: 2 }],
    });
    expect(structs.eventRecord.fields).toHaveLength(12);
  });

  test('D30: device types 3 and 6 have names that say two things', () => {
    expect([enumText('connected_device_type', 3), enumText('connected_device_type', 6)]).toEqual([
      'type-2-or-hbr-switch',
      'pbr-component',
    ]);
  });

  test('D31: the counters stand right after the regions returned', () => {
    const counters = '01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00';
    const region = '00'.repeat(40);
    for (const regions of [0, 1, 8]) {
      expect(
        reply('get-host-dc-region-configuration', `01 00 08 0${regions} ${region.repeat(regions)} ${counters}`),
      ).toMatchObject({
        total_number_of_supported_extents: 1,
        number_of_available_tags: 4,
      });
    }
    expect(reply('get-host-dc-region-configuration', `01 00 08 01 ${region.repeat(8)} ${counters}`)).toBe('length ');
  });
});

test('a parameter given for a read of 5302h is not quietly sent: data needs a write', () => {
  const params = {
    port_id: 1,
    request_control: { first_dword_byte_enable: 15, last_dword_byte_enable: 0, transaction_type: 'read' },
    ld_id: 0,
    transaction_length: 4,
    transaction_address: 0,
    transaction_data: 'deadbeef',
  };
  const value = fromJson(rowOf('send-ld-cxl-io-memory-request').request, params);
  if (!value.ok) return expect.fail(value.error.message);
  expect(encoded('send-ld-cxl-io-memory-request', value.value)).toBe('value transaction_data');
});
