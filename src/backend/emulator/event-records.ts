import {
  bits,
  bytes,
  encodePayload,
  type Layout,
  layout,
  reserved,
  type structs,
  u,
  type ValueOf,
} from '../../cci/index.ts';
import type { EventBody, StoredEvent } from './events.ts';

type EventRecord = ValueOf<(typeof structs.eventRecord)['fields']>;

/** Data part of the records (80 bytes each); offsets: CXL r3.1 tables of 7.6.8 and 8.2.9.2.1. */
const physicalSwitch = layout(80, 80, [
  u(1, 'physical_port_id'),
  u(1, 'event_type', { enum: 'physical_switch_event_type' }),
  u(2, 'slot_status_register'),
  reserved(1),
  // Bytes 1 to 14 of the port information block, as 5101h gave them at that moment.
  bytes('port_block_1_to_14', 14),
  reserved(61),
]);
const virtualSwitch = layout(80, 80, [
  u(1, 'vcs_id'),
  u(1, 'vppb_id'),
  u(1, 'event_type', { enum: 'virtual_switch_event_type' }),
  u(1, 'vppb_binding_status', { enum: 'vppb_binding_status' }),
  u(1, 'vppb_port_id'),
  u(1, 'vppb_ld_id'),
  u(2, 'link_control_register'),
  u(2, 'slot_control_register'),
  reserved(70),
]);
const mldPort = layout(80, 80, [
  u(1, 'event_type', { enum: 'mld_port_event_type' }),
  u(1, 'port_id'),
  reserved(2),
  bytes('error_message', 8),
  reserved(68),
]);
const dynamicCapacity = layout(80, 80, [
  u(1, 'event_type', { enum: 'dynamic_capacity_event_type' }),
  bits(1, 'validity_flags', { available_extents: [0, 0], available_tags: [1, 1] }),
  u(2, 'host_id'),
  u(1, 'updated_region_index'),
  bits(1, 'flags', { more: [0, 0] }),
  reserved(2),
  u(8, 'starting_dpa'),
  u(8, 'length'),
  bytes('tag', 16),
  u(2, 'shared_extent_sequence'),
  reserved(6),
  reserved(24),
  u(4, 'available_extents'),
  u(4, 'available_tags'),
]);

const UUID = {
  'physical-switch': '77cf9271-9c02-470b-9fe4-bc7b75f2da97',
  'virtual-switch': '40d26425-3396-4c4d-a5da-3d47263af425',
  'mld-port': '8dc44363-0c96-4710-b7bf-04bb99534c3f',
  'dynamic-capacity': 'ca95afa7-f183-4018-8c2f-95268e101a2a',
} as const;

function encoded<F extends Parameters<typeof layout>[2]>(shape: Layout<F>, value: ValueOf<F>): Uint8Array {
  const result = encodePayload(shape, value, 'reply');
  // The values come from the machine itself: a failure here is a bug of the emulator.
  if (!result.ok) throw new Error(`event record: ${result.error.field} ${result.error.message}`);
  return result.value;
}

function dataOf(body: EventBody): Uint8Array {
  switch (body.kind) {
    case 'physical-switch':
      return encoded(physicalSwitch, {
        physical_port_id: body.port,
        event_type: body.type,
        slot_status_register: body.slotStatus,
        port_block_1_to_14: body.block.slice(1, 15),
      });
    case 'virtual-switch':
      return encoded(virtualSwitch, {
        vcs_id: body.vcs,
        vppb_id: body.vppb,
        event_type: body.type,
        vppb_binding_status: body.status,
        vppb_port_id: body.port,
        vppb_ld_id: body.ld,
        link_control_register: 0,
        slot_control_register: 0,
      });
    case 'mld-port':
      return encoded(mldPort, { event_type: body.type, port_id: body.port, error_message: body.message });
    case 'dynamic-capacity':
      return encoded(dynamicCapacity, {
        event_type: body.type,
        validity_flags: { available_extents: true, available_tags: true },
        host_id: body.host,
        updated_region_index: body.region,
        flags: body.more,
        starting_dpa: body.dpa,
        length: body.length,
        tag: body.tag,
        shared_extent_sequence: body.sequence,
        available_extents: body.availableExtents,
        available_tags: body.availableTags,
      });
  }
}

const SEVERITY = ['informational', 'warning', 'failure', 'fatal', 'informational'] as const;

/** The 128-byte record as a value of `structs.eventRecord`. */
export function recordOf(event: StoredEvent): EventRecord {
  return {
    event_record_identifier: UUID[event.body.kind],
    event_record_length: 128,
    event_record_flags: {
      severity: SEVERITY[event.log] ?? 'informational',
      permanent_condition: false,
      maintenance_needed: false,
      performance_degraded: false,
      hardware_replacement_needed: false,
      maintenance_subclass_valid: false,
      ld_id_valid: false,
      head_id_valid: false,
    },
    event_record_handle: event.handle,
    related_event_record_handle: 0,
    event_record_timestamp: event.timestampNs,
    maintenance_operation_class: 0,
    maintenance_operation_subclass: 0,
    ld_id: 0,
    head_id: 0,
    event_record_data: dataOf(event.body),
  };
}
