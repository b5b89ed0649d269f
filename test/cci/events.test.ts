import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeEventRecord,
  EVENT_RECORD_SIZE,
  type EventBody,
  type EventRecord,
  encodeEventRecord,
  eventSubjects,
  eventTypeNames,
  eventTypes,
  eventUuid,
  fromHex,
  layout,
  layoutProblems,
  plainEventHeader,
  structs,
  toHex,
  type Value,
} from '../../src/cci/index.ts';
import { arbitraryValue } from '../support/arbitrary-layout.ts';

const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array(0);
const uuid = (name: keyof typeof eventTypes): string => eventTypes[name].uuid.replaceAll('-', '');

/** A record in hex: 16 bytes of UUID, length, flags, handle, related, time, class, subclass, LD, head, 11 reserved, data. */
function record(
  id: string,
  data: string,
  more: {
    length?: string;
    flags?: string;
    handle?: string;
    related?: string;
    time?: string;
    ld?: string;
    head?: string;
  } = {},
): Uint8Array {
  const { length = '80', flags = '000000', handle = '0100', related = '0000', time = '00'.repeat(8) } = more;
  const header = `${id}${length}${flags}${handle}${related}${time}0000${more.ld ?? '0000'}${more.head ?? '00'}${'00'.repeat(11)}`;
  return bytes(header + data.padEnd(160, '0'));
}

function decoded(source: Uint8Array): EventRecord {
  const result = decodeEventRecord(source);
  if (!result.ok) throw new Error(`${result.error.field} ${result.error.message}`);
  return result.value;
}

const header = layout(EVENT_RECORD_SIZE, EVENT_RECORD_SIZE, structs.eventRecord.fields);

describe('every kind of event record', () => {
  it.each(eventTypeNames)('%s has a layout of 80 bytes that is sound', (name) => {
    expect(layoutProblems(eventTypes[name].data)).toEqual([]);
    expect([eventTypes[name].data.min, eventTypes[name].data.max]).toEqual([80, 80]);
  });

  it.each(eventTypeNames)('%s comes back from its bytes unchanged, and its bytes from it', (name) => {
    fc.assert(
      fc.property(arbitraryValue(header, 'reply'), arbitraryValue(eventTypes[name].data, 'reply'), (head, data) => {
        const { event_record_identifier: _, event_record_length: __, event_record_data: ___, ...fields } = head;
        const body = { type: name, data } as unknown as EventBody;
        const value = { header: fields as unknown as EventRecord['header'], body };
        const encoded = encodeEventRecord(value);
        if (!encoded.ok) throw new Error(encoded.error.message);
        expect(encoded.value).toHaveLength(EVENT_RECORD_SIZE);
        expect(decoded(encoded.value)).toEqual(value);
      }),
      { seed: 11, numRuns: 150 },
    );
  });

  it('no bytes stop the decoder, and what it reads it writes again but for reserved bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...eventTypeNames, undefined),
        fc.uint8Array({ minLength: EVENT_RECORD_SIZE, maxLength: EVENT_RECORD_SIZE }),
        (name, source) => {
          if (name !== undefined) source.set(bytes(uuid(name)));
          source[16] = EVENT_RECORD_SIZE;
          const first = decoded(source);
          const again = encodeEventRecord(first);
          if (!again.ok) throw new Error(again.error.message);
          expect(decoded(again.value)).toEqual(first);
        },
      ),
      { seed: 12, numRuns: 300 },
    );
  });
});

describe('the layouts of the specification', () => {
  it('of a physical switch record', () => {
    // port 3, link state change, slot status 0040h; then bytes 1 to 14 of the port information block
    const source = record(uuid('physical-switch'), '030040000003030005061008 1f0505040004 00'.replaceAll(' ', ''));
    expect(decoded(source).body).toEqual({
      type: 'physical-switch',
      data: {
        physical_port_id: 3,
        event_type: 'link-state-change',
        slot_status_register: 0x40,
        current_port_configuration_state: { state: 'dsp', gae_support: false },
        connected_device_mode: 'standard-256b-flit',
        connected_device_type: 'type-3-mld',
        supported_cxl_modes: {
          rcd_mode: false,
          flit_68b_and_vh: true,
          flit_256b: true,
          latency_optimized_256b: false,
          pbr: false,
        },
        maximum_link_width: 16,
        negotiated_link_width: 8,
        supported_link_speeds_vector: { gt_2_5: true, gt_5: true, gt_8: true, gt_16: true, gt_32: true, gt_64: false },
        maximum_link_speed: '32-gt',
        current_link_speed: '32-gt',
        ltssm_state: 'l0',
        first_negotiated_lane_number: 0,
        link_state_flags: {
          lane_reversal: false,
          perst_asserted: false,
          prsnt_present: true,
          power_control_off: false,
        },
      },
    });
  });

  it('of a virtual switch record', () => {
    const source = record(uuid('virtual-switch'), '01020003050210002000');
    expect(decoded(source).body).toEqual({
      type: 'virtual-switch',
      data: {
        vcs_id: 1,
        vppb_id: 2,
        event_type: 'binding-change',
        vppb_binding_status: 'bound-to-ld',
        vppb_port_id: 5,
        vppb_ld_id: 2,
        link_control_register: 0x10,
        slot_control_register: 0x20,
      },
    });
  });

  it('of an MLD port record', () => {
    const { body } = decoded(record(uuid('mld-port'), '020700000102030405060708'));
    expect(body).toEqual({
      type: 'mld-port',
      data: { event_type: 'fatal-error-message', port_id: 7, error_message: bytes('0102030405060708') },
    });
  });

  it('of a dynamic capacity record', () => {
    const tag = '11'.repeat(16);
    const extent = `${'0010000000000000'}${'0020000000000000'}${tag}0300${'00'.repeat(6)}`;
    const source = record(uuid('dynamic-capacity'), `0003020001010000${extent}${'00'.repeat(24)}0a0000000b000000`);
    expect(decoded(source).body).toEqual({
      type: 'dynamic-capacity',
      data: {
        event_type: 'add-capacity',
        validity_flags: { available_extents: true, available_tags: true },
        host_id: 2,
        updated_region_index: 1,
        flags: true,
        starting_dpa: 0x1000n,
        length: 0x2000n,
        tag: bytes(tag),
        shared_extent_sequence: 3,
        available_extents: 10,
        available_tags: 11,
      },
    });
  });

  it('of the header', () => {
    const source = record(uuid('mld-port'), '0007', {
      flags: 'a90100',
      handle: '3412',
      related: '7856',
      time: '0100000000000080',
      ld: '0200',
      head: '03',
    });
    expect(decoded(source).header).toEqual({
      event_record_flags: {
        severity: 'warning',
        permanent_condition: false,
        maintenance_needed: true,
        performance_degraded: false,
        hardware_replacement_needed: true,
        maintenance_subclass_valid: false,
        ld_id_valid: true,
        head_id_valid: true,
      },
      event_record_handle: 0x1234,
      related_event_record_handle: 0x5678,
      event_record_timestamp: 0x8000000000000001n,
      maintenance_operation_class: 0,
      maintenance_operation_subclass: 0,
      ld_id: 2,
      head_id: 3,
    });
  });
});

describe('what cannot be read', () => {
  it('a UUID that is not in the table keeps its data as it is', () => {
    const source = record('ab'.repeat(16), 'ff'.repeat(80));
    const { body } = decoded(source);
    expect(body).toEqual({
      type: 'unknown',
      uuid: 'abababab-abab-abab-abab-abababababab',
      data: bytes('ff'.repeat(80)),
    });
    expect(eventUuid(body)).toBe('abababab-abab-abab-abab-abababababab');
    const again = encodeEventRecord(decoded(source));
    expect(again.ok && toHex(again.value)).toBe(toHex(source));
  });

  it.each([
    ['one byte short', record(uuid('mld-port'), '').subarray(1)],
    ['one byte long', Uint8Array.of(...record(uuid('mld-port'), ''), 0)],
    ['a length field that says otherwise', record(uuid('mld-port'), '', { length: '40' })],
  ])('%s is refused', (_what, source) => {
    const result = decodeEventRecord(source);
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.error.code).toBe('length');
  });

  it.each<[string, EventBody]>([
    [
      'data of the wrong size',
      { type: 'unknown', uuid: 'abababab-abab-abab-abab-abababababab', data: new Uint8Array(79) },
    ],
    ['a UUID that is none', { type: 'unknown', uuid: 'no', data: new Uint8Array(80) }],
    [
      'a field out of range',
      { type: 'mld-port', data: { event_type: 0, port_id: 256, error_message: new Uint8Array(8) } },
    ],
  ])('%s is not written', (_what, body) => {
    expect(encodeEventRecord({ header: plainEventHeader, body }).ok).toBe(false);
  });
});

describe('what a record is about', () => {
  const vppb = (data: string): Value => ({ ...eventSubjects(decoded(record(uuid('virtual-switch'), data))) });

  it.each([
    ['nothing bound', '010200000502', { vcs: 1, vppb: 2 }],
    ['bound to a port', '0102000205ff', { vcs: 1, vppb: 2, port: 5 }],
    ['bound to an LD', '010200030502', { vcs: 1, vppb: 2, port: 5, ld: 2 }],
    ['a port on its way', '0102000105ff', { vcs: 1, vppb: 2, port: 5 }],
    ['an LD on its way', '010200010502', { vcs: 1, vppb: 2, port: 5, ld: 2 }],
    ['bound to a PID', '010200040502', { vcs: 1, vppb: 2 }],
    ['a status without a name', '010200770502', { vcs: 1, vppb: 2 }],
  ])('a vPPB with %s', (_what, data, expected) => {
    expect(vppb(data)).toEqual(expected);
  });

  it.each([
    ['physical-switch', '07', { port: 7 }],
    ['mld-port', '0007', { port: 7 }],
    ['dynamic-capacity', '00000200', { host: 2 }],
    [
      'dynamic-capacity',
      `0000020000000000${'00'.repeat(16)}${'ab'.repeat(16)}`,
      { host: 2, tag: bytes('ab'.repeat(16)) },
    ],
  ] as const)('%s', (name, data, expected) => {
    expect(eventSubjects(decoded(record(uuid(name), data)))).toEqual(expected);
  });

  it('an LD of the header counts only where it is flagged valid', () => {
    expect(eventSubjects(decoded(record('ab'.repeat(16), '', { flags: '800000', ld: '0500' })))).toEqual({ ld: 5 });
    expect(eventSubjects(decoded(record('ab'.repeat(16), '', { ld: '0500' })))).toEqual({});
    expect(eventSubjects(decoded(record(uuid('mld-port'), '0007', { flags: '800000', ld: '0500' })))).toEqual({
      ld: 5,
      port: 7,
    });
  });
});
