import { pino } from 'pino';
import type { DeviceReply, OwnSend } from '../../../src/broker/device.ts';
import { SwitchEvents, type SwitchEventsOptions } from '../../../src/broker/events/index.ts';
import type { SwitchEventRecord } from '../../../src/broker/journal/index.ts';
import {
  decodePayload,
  type EventBody,
  encodeEventRecord,
  encodePayload,
  formatVia,
  isTyped,
  type Layout,
  plainEventHeader,
  rowBySlug,
  type TypedSlug,
  type Value,
} from '../../../src/cci/index.ts';
import { loadFabric } from '../../../src/policy/index.ts';
import { MemoryFileSystem } from '../journal/memory-file-system.ts';

/** acme and globex each with a VCS and a port; port 3 shared between them, port 4 with a whole MLD of acme's. */
export const FABRIC = `
switches:
  sw0:
    ports: [{ ids: 0-2 }, { ids: 3-4, lds: 4 }, { ids: 5 }]
    vcss: [{ ids: 0-2, vppbs: 4 }]
tenants:
  acme: { owns: [/switches/sw0/vcss/0, /switches/sw0/ports/1, /switches/sw0/ports/3/lds/0, /switches/sw0/ports/4] }
  globex: { owns: [/switches/sw0/vcss/1, /switches/sw0/ports/2, /switches/sw0/ports/3/lds/2] }
  idle: { owns: [] }
`;

export function fabricOf(text: string = FABRIC) {
  const fabric = loadFabric({ text });
  if (!fabric.ok) throw new Error(fabric.error.map((one) => one.message).join('\n'));
  return fabric.value;
}

/** 128 bytes of a record. */
export function recordOf(
  body: EventBody,
  more: { handle?: number; timestamp?: bigint; related?: number } = {},
): Uint8Array {
  const header = {
    ...plainEventHeader,
    event_record_handle: more.handle ?? 1,
    event_record_timestamp: more.timestamp ?? 0n,
    related_event_record_handle: more.related ?? 0,
  };
  const bytes = encodeEventRecord({ header, body });
  if (!bytes.ok) throw new Error(bytes.error.message);
  return bytes.value;
}

/** A vPPB of a VCS is bound to a port or to an LD, or to nothing. */
export function binding(vcs: number, vppb: number, to?: { port: number; ld?: number }): EventBody {
  const status = to === undefined ? 'unbound' : to.ld === undefined ? 'bound-to-physical-port' : 'bound-to-ld';
  return {
    type: 'virtual-switch',
    data: {
      vcs_id: vcs,
      vppb_id: vppb,
      event_type: 'binding-change',
      vppb_binding_status: status,
      vppb_port_id: to?.port ?? 0,
      vppb_ld_id: to?.ld ?? 0xff,
      link_control_register: 0x11,
      slot_control_register: 0x22,
    },
  };
}

export function portError(port: number, message = 7): EventBody {
  const error_message = new Uint8Array(8).fill(message);
  return { type: 'mld-port', data: { event_type: 'correctable-error-message', port_id: port, error_message } };
}

export const opaque = (fill: number): EventBody => ({
  type: 'unknown',
  uuid: 'abababab-abab-abab-abab-abababababab',
  data: new Uint8Array(80).fill(fill),
});

interface Log {
  records: Uint8Array[];
  overflow: number;
}

/** A switch that knows event commands and nothing else. */
export class FakeSwitch {
  readonly #logs = new Map<string, Log>();
  /** Records that a log holds at most. */
  room = 32;
  /** Records in one reply. */
  page = 4;
  /** Logs that it has. */
  logs = new Set(['informational', 'warning', 'failure', 'fatal']);
  /** 0300h; 0 never set. */
  clockNs = 0n;
  /** Called with each opcode; `fail` loses the command, a number is the return code. */
  fault: (opcode: number) => 'fail' | 'lost-reply' | number | undefined = () => undefined;
  readonly asked: string[] = [];
  #next = 1;

  log(name: string, path = ''): Log {
    const known = this.#logs.get(`${path} ${name}`) ?? { records: [], overflow: 0 };
    this.#logs.set(`${path} ${name}`, known);
    return known;
  }

  /** Something happens. */
  raise(body: EventBody, name = 'informational', path = '', related = 0): number {
    const log = this.log(name, path);
    if (log.records.length >= this.room) {
      log.overflow++;
      return 0;
    }
    const handle = this.#next++;
    log.records.push(recordOf(body, { handle, timestamp: this.clockNs, related }));
    return handle;
  }

  readonly send: OwnSend = async ({ hops, opcode, payload }) => {
    const path = formatVia(hops);
    this.asked.push(`${opcode.toString(16).padStart(4, '0')}${path === '' ? '' : ` ${path}`}`);
    const fault = this.fault(opcode);
    if (fault === 'fail') {
      return { kind: 'failed', failure: { outcome: 'not-sent', errno: 'EIO', text: 'injected' } };
    }
    const reply =
      fault === undefined || fault === 'lost-reply' ? this.#run(opcode, payload, path) : answer(fault, hops.length);
    if (fault !== 'lost-reply') return reply;
    return { kind: 'failed', failure: { outcome: 'unknown', errno: 'ETIMEDOUT', text: 'injected' } };
  };

  #run(opcode: number, payload: Uint8Array, path: string): DeviceReply {
    const depth = path === '' ? 0 : 1;
    if (opcode === 0x0300) return answer(0, depth, encode('get-timestamp', { timestamp: this.clockNs }));
    const params = decode(opcode === 0x0100 ? 'get-event-records' : 'clear-event-records', payload);
    const name = String(params.event_log);
    if (!this.logs.has(name)) return answer(2, depth);
    const log = this.log(name, path);
    if (opcode === 0x0100) {
      const given = log.records.slice(0, this.page);
      const head = encode('get-event-records', {
        flags: { overflow: log.overflow > 0, more_event_records: given.length < log.records.length },
        overflow_error_count: log.overflow,
        first_overflow_event_timestamp: 0n,
        last_overflow_event_timestamp: 0n,
        event_records: [],
      });
      head[20] = given.length;
      return answer(0, depth, Uint8Array.from([...head, ...given.flatMap((one) => [...one])]));
    }
    const handles = Array.isArray(params.event_record_handles) ? params.event_record_handles.map(Number) : [];
    const isNext = handles.every((handle, i) => {
      const record = log.records[i];
      return record !== undefined && (record[20] ?? 0) + 256 * (record[21] ?? 0) === handle;
    });
    if (!isNext || handles.length === 0) return answer(0x0e, depth);
    log.records.splice(0, handles.length);
    log.overflow = 0;
    return answer(0, depth);
  }
}

function answer(returnCode: number, depth: number, payload: Uint8Array = new Uint8Array(0)): DeviceReply {
  const layer = { returnCode: 0, vendorStatus: 0, background: false };
  const layers = [...Array.from({ length: depth }, () => layer), { ...layer, returnCode }];
  return { kind: 'reply', reply: { layers, payload } };
}

function layouts(slug: TypedSlug): { request: Layout; response: Layout } {
  const row = rowBySlug(slug);
  if (row === undefined || !isTyped(row)) throw new Error(slug);
  return row;
}

function encode(slug: TypedSlug, value: Value): Uint8Array {
  const bytes = encodePayload(layouts(slug).response, value as never, 'reply');
  if (!bytes.ok) throw new Error(bytes.error.message);
  return bytes.value;
}

function decode(slug: TypedSlug, payload: Uint8Array): Value {
  const value = decodePayload(layouts(slug).request, payload, { side: 'request' });
  if (!value.ok) throw new Error(value.error.message);
  return value.value as Value;
}

export interface RigOptions {
  readonly fabric?: string;
  readonly cel?: readonly number[];
  readonly neverSend?: readonly number[];
  readonly components?: boolean;
  readonly keep?: number;
  readonly fileSystem?: MemoryFileSystem;
  readonly hidesOthers?: boolean;
  readonly device?: FakeSwitch;
}

export interface Rig {
  readonly device: FakeSwitch;
  readonly events: SwitchEvents;
  readonly files: MemoryFileSystem;
  readonly journal: SwitchEventRecord[];
  /** Milliseconds of the broker's clock. */
  nowMs: number;
  refreshes: number;
  /** Looks once. */
  drained(): Promise<void>;
  /** A tenant's feed, oldest first. */
  feed(tenant: string, after?: string): ReturnType<typeof pageOf>;
}

const DIRECTORY = '/state';
export const FILE = `${DIRECTORY}/events-sw0.jsonl`;

/** The events of one made-up switch, on a file system in memory. */
export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const files = options.fileSystem ?? new MemoryFileSystem();
  files.addDirectory(DIRECTORY);
  const device = options.device ?? new FakeSwitch();
  const journal: SwitchEventRecord[] = [];
  const fabric = fabricOf(options.fabric);
  const cel = new Map((options.cel ?? [0x0100, 0x0101, 0x0300]).map((opcode) => [opcode, 0]));
  const settings: SwitchEventsOptions = {
    pollMs: 0,
    components: options.components ?? false,
    keep: options.keep ?? 100,
    directory: DIRECTORY,
    fileSystem: files,
  };
  const rig = { nowMs: 1_000_000, refreshes: 0 };
  const events = await SwitchEvents.open(
    {
      switch: 'sw0',
      send: device.send,
      deviceState: () => 'serving',
      topology: {
        version: 1,
        known: true,
        ports: new Map(
          [3, 4].map((id) => [id, { id, role: 'dsp' as const, device: 'mld' as const, ldCount: 4 }] as const),
        ),
        vcss: new Map(),
        switchCci: 'fm-interface',
        component: () => 'switch',
        cel: () => cel,
        neverSend: new Map((options.neverSend ?? []).map((opcode) => [opcode, 'it dies'])),
        tagOwner: (port, tag) => (port === 3 && tag.startsWith('aaaa') ? 'acme' : undefined),
        refresh: async () => {
          rig.refreshes++;
        },
      },
      fabric: () => fabric,
      journal: {
        append: async (_kind, body) => {
          journal.push(body as SwitchEventRecord);
          return { sequence: journal.length, hash: '' };
        },
      },
      log: pino({ level: 'silent' }),
      nowMs: () => rig.nowMs,
      onDrained: () => undefined,
      hidesOthers: () => options.hidesOthers ?? false,
    },
    settings,
  );
  return Object.assign(rig, {
    device,
    events,
    files,
    journal,
    async drained() {
      await events.look();
    },
    feed: (tenant: string, after?: string) => pageOf(events, tenant, after),
  }) as unknown as Rig;
}

function pageOf(events: SwitchEvents, tenant: string, after?: string) {
  const page = events.page(tenant, after, 1000);
  if (page === undefined) throw new Error('no cursor');
  return page;
}
