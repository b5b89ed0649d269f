import {
  decodeEventRecord,
  type EventBody,
  type EventData,
  type EventRecord,
  encodeEventRecord,
  eventSubjects,
  type Hop,
  NO_EVENT_LD,
  uuidText,
} from '../../cci/index.ts';
import { FABRIC_TENANT, type Fabric, type ResourcePath, type TopologyView } from '../../policy/index.ts';

/** Where a record came from, and whose everything is. */
export interface Ground {
  readonly switch: string;
  /** Path of the CCI that had it; empty for the switch. */
  readonly hops: readonly Hop[];
  readonly fabric: Fabric;
  readonly topology: Pick<TopologyView, 'tagOwner' | 'ports'>;
}

/** One tenant's copy of a record. Handle and timestamp in it are the device's: they are replaced when it is shown. */
export interface Copy {
  readonly tenant: string;
  /** 128 bytes. */
  readonly bytes: Uint8Array;
  /** It concerns other tenants than this one. */
  readonly others: boolean;
}

/** What a tenant reads of a record that concerns him, with what is not his blanked. */
type Share = readonly [tenant: string, record: EventRecord];

/** What stands where an id is not the caller's. */
const MASKED_ID = 0xff;

/**
 * Whom a record concerns, by the owner fields of its kind, and what each of them may read of it. Operators get every
 * record as the device gave it; what nobody can read, or what is about nothing in the fabric file, only they.
 */
export function copiesOf(bytes: Uint8Array, ground: Ground): readonly Copy[] {
  const record = decodeEventRecord(bytes);
  const shares = record.ok ? sharesOf(record.value, ground) : [];
  const copies = shares
    .filter(([tenant]) => tenant !== FABRIC_TENANT)
    .flatMap(([tenant, share]): Copy[] => {
      const encoded = encodeEventRecord(share);
      return encoded.ok ? [{ tenant, bytes: encoded.value, others: false }] : [];
    });
  return [...copies, { tenant: FABRIC_TENANT, bytes, others: copies.length > 0 }];
}

function sharesOf(record: EventRecord, ground: Ground): readonly Share[] {
  return ground.hops.length === 0 ? ofSwitch(record, ground) : ofDevice(record, ground);
}

function ofSwitch(record: EventRecord, ground: Ground): readonly Share[] {
  const { body } = record;
  // On the switch's own CCI there is no LD that the header could name.
  const header = withoutIds(record.header);
  switch (body.type) {
    case 'physical-switch':
    case 'mld-port': {
      const { port } = eventSubjects(record);
      const owner = port === undefined ? undefined : ground.fabric.ownerOf(portPath(ground, port));
      return owner === undefined ? [] : [[owner, { header, body }]];
    }
    case 'virtual-switch':
      return ofVppb(body.data, ground).map(([tenant, data]) => [
        tenant,
        { header, body: { type: 'virtual-switch', data } },
      ]);
    default:
      return [];
  }
}

type Vppb = EventData<'virtual-switch'>;

/** The host whose vPPB it is, and whoever owns what is bound to it: each sees of the other no more than 5200h shows. */
function ofVppb(data: Vppb, ground: Ground): readonly (readonly [string, Vppb])[] {
  const { fabric } = ground;
  const host = fabric.ownerOf(`/switches/${ground.switch}/vcss/${data.vcs_id}`);
  const { port, ld } = eventSubjects({ header: NO_HEADER, body: { type: 'virtual-switch', data } });
  const bound = port === undefined ? undefined : ownerBehind(ground, port, ld);
  if (host !== undefined && host === bound) return [[host, data]];
  const found: (readonly [string, Vppb])[] = [];
  if (host !== undefined) found.push([host, port === undefined ? data : unboundFor(data)]);
  if (bound !== undefined) found.push([bound, hostlessFor(data)]);
  return found;
}

/** How a vPPB looks to its host while something is bound to it that is not his. */
function unboundFor(data: Vppb): Vppb {
  return { ...data, vppb_binding_status: 'unbound', vppb_port_id: 0, vppb_ld_id: NO_EVENT_LD };
}

/** What the owner of a bound port or LD learns of a host that is not his. */
function hostlessFor(data: Vppb): Vppb {
  return {
    ...data,
    vcs_id: MASKED_ID,
    vppb_id: MASKED_ID,
    link_control_register: 0,
    slot_control_register: 0,
  };
}

/** Owner of the port; or of the LD, where the port itself is nobody's. Operators count as nobody. */
function ownerBehind(ground: Ground, port: number, ld: number | undefined): string | undefined {
  const path = portPath(ground, port);
  const lds = `${path}/lds/${ld}` as const;
  const owner =
    ld !== undefined && ground.fabric.exists(lds) ? ground.fabric.ownerOf(lds) : ground.fabric.ownerOf(path);
  return owner === FABRIC_TENANT ? undefined : owner;
}

/** A record of a component behind a port. */
function ofDevice(record: EventRecord, ground: Ground): readonly Share[] {
  const [first] = ground.hops;
  if (first?.kind !== 'port') return [];
  const path = portPath(ground, first.port);
  const owner = ownerOfAll(ground, first.port);
  // All of it is his: also what nobody else can read.
  if (owner !== undefined && owner !== FABRIC_TENANT) return [[owner, record]];
  const { body } = record;
  if (body.type !== 'dynamic-capacity') return [];
  const { ld, tag } = eventSubjects(record);
  const lds = `${path}/lds/${ld}` as const;
  const ofLd = ld !== undefined && ground.fabric.exists(lds) ? ground.fabric.ownerOf(lds) : undefined;
  const ofTag = tag === undefined ? undefined : ground.topology.tagOwner?.(first.port, uuidText(tag));
  const shared = { type: 'dynamic-capacity', data: withoutCounts(body.data) } as const;
  const shares: Share[] = [];
  for (const tenant of new Set([ofTag, ofLd])) {
    if (tenant === undefined || tenant === FABRIC_TENANT) continue;
    const header = tenant === ofLd ? withoutHead(record.header) : withoutIds(record.header);
    // The tag of an extent is a secret of who added it.
    const isHis = ofTag === undefined ? tag === undefined : tenant === ofTag;
    shares.push([tenant, { header, body: isHis ? shared : { ...shared, data: withoutExtent(shared.data) } }]);
  }
  return shares;
}

/** A device with several heads is his to whom every port belongs that leads to it. */
function ownerOfAll(ground: Ground, port: number): string | undefined {
  const [owner, ...others] = headsOf(ground, port).map((id) => ground.fabric.ownerOf(portPath(ground, id)));
  return others.every((other) => other === owner) ? owner : undefined;
}

function headsOf({ topology }: Ground, port: number): readonly number[] {
  return [port, ...(topology.ports.get(port)?.beside ?? [])];
}

/** Could a record of the CCI concern the tenant? Who has no part in what is behind a port never hears of it. */
export function mayConcern(tenant: string, ground: Ground): boolean {
  const [first] = ground.hops;
  if (tenant === FABRIC_TENANT || first?.kind !== 'port') return true;
  const paths = headsOf(ground, first.port).map((id) => portPath(ground, id));
  return ground.fabric.objects.some(
    (object) =>
      ground.fabric.ownerOf(object) === tenant &&
      paths.some((path) => object === path || object.startsWith(`${path}/`)),
  );
}

/** What is left of a shared device is not for one of those who share it. */
function withoutCounts(data: EventData<'dynamic-capacity'>): EventData<'dynamic-capacity'> {
  const none = { available_extents: false, available_tags: false };
  return { ...data, validity_flags: none, available_extents: 0, available_tags: 0 };
}

function withoutExtent(data: EventData<'dynamic-capacity'>): EventData<'dynamic-capacity'> {
  return { ...data, host_id: 0, starting_dpa: 0n, length: 0n, tag: new Uint8Array(16), shared_extent_sequence: 0 };
}

type Header = EventRecord['header'];
const NO_HEADER = { event_record_flags: { ld_id_valid: false } } as Header;

function withoutHead(header: Header): Header {
  const event_record_flags = { ...header.event_record_flags, head_id_valid: false };
  return { ...header, event_record_flags, head_id: 0 };
}

function withoutIds(header: Header): Header {
  const { event_record_flags: flags } = header;
  return { ...withoutHead({ ...header, event_record_flags: { ...flags, ld_id_valid: false } }), ld_id: 0 };
}

function portPath({ switch: name }: Ground, port: number): ResourcePath {
  return `/switches/${name}/ports/${port}`;
}

/** What a record says; undefined where it cannot be read. */
export function bodyOf(bytes: Uint8Array): EventBody | undefined {
  const record = decodeEventRecord(bytes);
  return record.ok ? record.value.body : undefined;
}
