import {
  decodePayload,
  EVENT_RECORD_SIZE,
  encodeEventRecord,
  layout,
  plainEventHeader,
  structs,
  type EventBody as WireBody,
} from '../../cci/index.ts';
import type { EventBody, StoredEvent } from './events.ts';

const portState = layout(14, 14, structs.portState.fields);

/** Bytes 1 to 14 of the port information block, as 5101h gave them at that moment. */
function portStateOf(block: Uint8Array) {
  const value = decodePayload(portState, block.subarray(1, 15), { side: 'reply' });
  // The block comes from the machine itself: a failure here is a bug of the emulator.
  if (!value.ok) throw new Error(`port block: ${value.error.field} ${value.error.message}`);
  return value.value;
}

function wireBody(body: EventBody): WireBody {
  switch (body.kind) {
    case 'physical-switch':
      return {
        type: 'physical-switch',
        data: {
          physical_port_id: body.port,
          event_type: body.type,
          slot_status_register: body.slotStatus,
          ...portStateOf(body.block),
        },
      };
    case 'virtual-switch':
      return {
        type: 'virtual-switch',
        data: {
          vcs_id: body.vcs,
          vppb_id: body.vppb,
          event_type: body.type,
          vppb_binding_status: body.status,
          vppb_port_id: body.port,
          vppb_ld_id: body.ld,
          link_control_register: 0,
          slot_control_register: 0,
        },
      };
    case 'mld-port':
      return {
        type: 'mld-port',
        data: { event_type: body.type, port_id: body.port, error_message: body.message },
      };
    case 'dynamic-capacity':
      return {
        type: 'dynamic-capacity',
        data: {
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
        },
      };
  }
}

const SEVERITY = ['informational', 'warning', 'failure', 'fatal', 'informational'] as const;

const shape = layout(EVENT_RECORD_SIZE, EVENT_RECORD_SIZE, structs.eventRecord.fields);

/** A record as a value of `structs.eventRecord`. */
export function recordOf(event: StoredEvent) {
  const value = decodePayload(shape, recordBytes(event), { side: 'reply' });
  if (!value.ok) throw new Error(`event record: ${value.error.field} ${value.error.message}`);
  return value.value;
}

/** The 128 bytes of a record. */
function recordBytes(event: StoredEvent): Uint8Array {
  const bytes = encodeEventRecord({
    header: {
      ...plainEventHeader,
      event_record_flags: {
        ...plainEventHeader.event_record_flags,
        severity: SEVERITY[event.log] ?? 'informational',
      },
      event_record_handle: event.handle,
      event_record_timestamp: event.timestampNs,
    },
    body: wireBody(event.body),
  });
  if (!bytes.ok) throw new Error(`event record: ${bytes.error.field} ${bytes.error.message}`);
  return bytes.value;
}
