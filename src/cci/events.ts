import { equalBytes } from './bytes.ts';
import * as structs from './catalogue/structs.ts';
import type { CodecError } from './codec-error.ts';
import { decodePayload } from './decode.ts';
import { encodePayload } from './encode.ts';
import { bits, bytes, type Field, type Layout, layout, reserved, u, type Value, type ValueOf } from './layout.ts';
import { err, ok, type Result } from './result.ts';

/** Bytes of an event record: 48 of header, 80 of data (r3.1 8.2.9.2.1). */
export const EVENT_RECORD_SIZE = 128;
const DATA_SIZE = 80;
/** What the LD byte of a virtual switch record holds where no LD is meant (D12). */
export const NO_EVENT_LD = 0xff;

/** What of the fabric a record is about. What it does not name is absent. */
export interface EventSubjects {
  readonly port?: number;
  readonly ld?: number;
  readonly vcs?: number;
  readonly vppb?: number;
  readonly host?: number;
  /** 16 bytes. */
  readonly tag?: Uint8Array;
}

const record = layout(EVENT_RECORD_SIZE, EVENT_RECORD_SIZE, structs.eventRecord.fields);

/** The data part of each kind of record, 80 bytes; offsets count from there. */
const physicalSwitch = layout(DATA_SIZE, DATA_SIZE, [
  u(1, 'physical_port_id'),
  u(1, 'event_type', { enum: 'physical_switch_event_type' }),
  u(2, 'slot_status_register'),
  reserved(1),
  ...structs.portState.fields,
  reserved(61),
]);
const virtualSwitch = layout(DATA_SIZE, DATA_SIZE, [
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
const mldPort = layout(DATA_SIZE, DATA_SIZE, [
  u(1, 'event_type', { enum: 'mld_port_event_type' }),
  u(1, 'port_id'),
  reserved(2),
  bytes('error_message', 8),
  reserved(68),
]);
const dynamicCapacity = layout(DATA_SIZE, DATA_SIZE, [
  u(1, 'event_type', { enum: 'dynamic_capacity_event_type' }),
  bits(1, 'validity_flags', { available_extents: [0, 0], available_tags: [1, 1] }),
  u(2, 'host_id'),
  u(1, 'updated_region_index'),
  bits(1, 'flags', { more: [0, 0] }),
  reserved(2),
  ...structs.dcExtent.fields,
  reserved(24),
  u(4, 'available_extents'),
  u(4, 'available_tags'),
]);

/** One kind of record. */
export interface EventType<N extends string = string, F extends readonly Field[] = readonly Field[]> {
  readonly name: N;
  readonly uuid: string;
  readonly spec: string;
  /** `UNVERIFIED`: the data rests on the specification alone. */
  readonly status: 'verified' | 'UNVERIFIED';
  /** Does such a record tell that ports, links or bindings are not what they were? */
  readonly changesFabric: boolean;
  readonly data: Layout<F>;
  /** Owner fields: what the record is about. */
  readonly subjects: (data: ValueOf<F>) => EventSubjects;
}

const eventType = <const N extends string, const F extends readonly Field[]>(row: EventType<N, F>): EventType<N, F> =>
  row;

/** Every kind of record whose data is known. Others are `unknown`. */
export const eventTypes = {
  'physical-switch': eventType({
    name: 'physical-switch',
    uuid: '77cf9271-9c02-470b-9fe4-bc7b75f2da97',
    spec: 'r3.1 7.6.8',
    status: 'UNVERIFIED',
    changesFabric: true,
    data: physicalSwitch,
    subjects: (data) => ({ port: data.physical_port_id }),
  }),
  'virtual-switch': eventType({
    name: 'virtual-switch',
    uuid: '40d26425-3396-4c4d-a5da-3d47263af425',
    spec: 'r3.1 7.6.8',
    status: 'UNVERIFIED',
    changesFabric: true,
    data: virtualSwitch,
    subjects: (data) => ({ vcs: data.vcs_id, vppb: data.vppb_id, ...boundTo(data) }),
  }),
  'mld-port': eventType({
    name: 'mld-port',
    uuid: '8dc44363-0c96-4710-b7bf-04bb99534c3f',
    spec: 'r3.1 7.6.8',
    status: 'UNVERIFIED',
    changesFabric: false,
    data: mldPort,
    subjects: (data) => ({ port: data.port_id }),
  }),
  'dynamic-capacity': eventType({
    name: 'dynamic-capacity',
    uuid: 'ca95afa7-f183-4018-8c2f-95268e101a2a',
    spec: 'r3.1 8.2.9.2.1',
    status: 'verified',
    changesFabric: true,
    data: dynamicCapacity,
    subjects: (data) => ({ host: data.host_id, ...(isNoTag(data.tag) ? {} : { tag: data.tag }) }),
  }),
} as const;

/** Port and LD mean something only while the vPPB has them or is about to (D12). */
function boundTo(data: ValueOf<typeof virtualSwitch.fields>): EventSubjects {
  const { vppb_binding_status: status, vppb_port_id: port, vppb_ld_id: ld } = data;
  if (status === 'bound-to-physical-port') return { port };
  if (status === 'bound-to-ld') return { port, ld };
  if (status !== 'bind-or-unbind-in-progress') return {};
  return ld === NO_EVENT_LD ? { port } : { port, ld };
}

function isNoTag(tag: Uint8Array): boolean {
  return equalBytes(tag, new Uint8Array(tag.length));
}

export type EventTypeName = keyof typeof eventTypes;
export type EventData<N extends EventTypeName> = ValueOf<(typeof eventTypes)[N]['data']['fields']>;

/** What a record says, by its kind. */
export type EventBody =
  | { readonly [N in EventTypeName]: { readonly type: N; readonly data: EventData<N> } }[EventTypeName]
  /** A UUID that is not in the table; `data` is opaque, 80 bytes. */
  | { readonly type: 'unknown'; readonly uuid: string; readonly data: Uint8Array };

type Fields = ValueOf<typeof structs.eventRecord.fields>;

/** The fields that all kinds share. */
export type EventHeader = Omit<Fields, 'event_record_identifier' | 'event_record_length' | 'event_record_data'>;

export interface EventRecord {
  readonly header: EventHeader;
  readonly body: EventBody;
}

/** A header with nothing in it, to be filled in. */
export const plainEventHeader: EventHeader = {
  event_record_flags: {
    severity: 'informational',
    permanent_condition: false,
    maintenance_needed: false,
    performance_degraded: false,
    hardware_replacement_needed: false,
    maintenance_subclass_valid: false,
    ld_id_valid: false,
    head_id_valid: false,
  },
  event_record_handle: 0,
  related_event_record_handle: 0,
  event_record_timestamp: 0n,
  maintenance_operation_class: 0,
  maintenance_operation_subclass: 0,
  ld_id: 0,
  head_id: 0,
};

/** Names of the kinds, in the order of the table. */
export const eventTypeNames = Object.keys(eventTypes) as readonly EventTypeName[];

/** UUID of a record's kind. */
export function eventUuid(body: EventBody): string {
  return body.type === 'unknown' ? body.uuid : eventTypes[body.type].uuid;
}

/**
 * Reads a record of 128 bytes. Codes without a name stay numbers; reserved bytes are not kept.
 *
 * @returns `length` where it is not 128 bytes, or its length field says otherwise
 */
export function decodeEventRecord(source: Uint8Array): Result<EventRecord, CodecError> {
  const fields = decodePayload(record, source, { side: 'reply' });
  if (!fields.ok) return fields;
  const { event_record_identifier: uuid, event_record_length: size, event_record_data: data, ...header } = fields.value;
  if (size !== EVENT_RECORD_SIZE) {
    return err({ code: 'length', field: 'event_record_length', message: `is ${size}, not ${EVENT_RECORD_SIZE}` });
  }
  const name = eventTypeNames.find((one) => eventTypes[one].uuid === uuid);
  if (name === undefined) return ok({ header, body: { type: 'unknown', uuid, data } });
  const shape: Layout = eventTypes[name].data;
  const value = decodePayload(shape, data, { side: 'reply' });
  /* v8 ignore next -- 80 bytes are what every layout of the table takes, and a reply may hold any code */
  if (!value.ok) return value;
  // The table pairs each name with the value of its own layout; only the union loses that.
  return ok({ header, body: { type: name, data: value.value } as unknown as EventBody });
}

/** Writes a record: 128 bytes, reserved ones 0. @returns `value` or `length` where a field does not fit */
export function encodeEventRecord({ header, body }: EventRecord): Result<Uint8Array, CodecError> {
  const data = body.type === 'unknown' ? ok(body.data) : encodeData(body.type, body.data);
  if (!data.ok) return data;
  return encodePayload(
    record,
    {
      ...header,
      event_record_identifier: eventUuid(body),
      event_record_length: EVENT_RECORD_SIZE,
      event_record_data: data.value,
    },
    'reply',
  );
}

function encodeData(name: EventTypeName, data: Value): Result<Uint8Array, CodecError> {
  const shape: Layout = eventTypes[name].data;
  return encodePayload(shape, data, 'reply');
}

/** What the record is about, by its kind and by the LD of its header where that is flagged valid (D17). */
export function eventSubjects({ header, body }: EventRecord): EventSubjects {
  const ld = header.event_record_flags.ld_id_valid ? { ld: header.ld_id } : {};
  if (body.type === 'unknown') return ld;
  const subjects = eventTypes[body.type].subjects as (data: Value) => EventSubjects;
  return { ...ld, ...subjects(body.data) };
}
