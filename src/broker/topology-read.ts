import {
  CEL_UUID,
  decodeCel,
  decodePayload,
  encodePayload,
  type Hop,
  isSuccess,
  isTyped,
  portId,
  type Reply,
  returnCodeName,
  rowBySlug,
  type TypedSlug,
  type Value,
} from '../cci/index.ts';
import type { Binding, DeviceKind, PortView, VcsView } from '../policy/index.ts';
import type { OwnSend } from './device.ts';

/** What an own command came to. */
export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly text: string };

/** Ports asked about in one 5101h: 4 + 16 x 60 bytes fit the smallest message limit of 1 KiB. */
const PORTS_AT_ONCE = 60;

/** Ports and bindings as one reading found them. */
export interface Reading {
  readonly ports: ReadonlyMap<number, PortView>;
  readonly vcss: ReadonlyMap<number, VcsView>;
  /** VCSs that are there and could not be read. */
  readonly unread: ReadonlySet<number>;
}

/** 5100h, 5101h and 5200h. @param hasVcss does the switch offer 5200h? Without it every binding stays unknown */
export async function readFabric(send: OwnSend, hasVcss: () => boolean): Promise<Answer<Reading>> {
  const identity = await ask(send, 'identify-switch-device', {}, []);
  if (!identity.ok) return identity;
  const ports = await readPorts(send, identity.value.number_of_physical_ports, identity.value.active_port_bitmask);
  if (!ports.ok) return ports;
  const active = identity.value.active_vcs_bitmask;
  if (!hasVcss()) return { ok: true, value: { ports: ports.value, vcss: new Map(), unread: new Set(active) } };
  const vcss = await readVcss(send, active);
  const unread = new Set(active.filter((id) => !vcss.has(id)));
  return { ok: true, value: { ports: ports.value, vcss, unread } };
}

/** Get Supported Logs for its size, then one Get Log from offset 0: opcode to effect bits. */
export async function readEffects(send: OwnSend, hops: readonly Hop[]): Promise<Answer<ReadonlyMap<number, number>>> {
  const logs = await ask(send, 'get-supported-logs', {}, hops);
  if (!logs.ok) return logs;
  const size = logs.value.supported_log_entries.find((log) => log.log_identifier === CEL_UUID)?.log_size;
  if (size === undefined) return { ok: false, text: 'the component offers no Command Effects Log' };
  const length = Math.min(size, 0x4000);
  const log = await ask(send, 'get-log', { log_identifier: CEL_UUID, offset: 0, length }, hops);
  if (!log.ok) return log;
  const entries = new Map(decodeCel(log.value.log_data).map((entry) => [entry.opcode, entry.effects]));
  entries.delete(0);
  return { ok: true, value: entries };
}

/** Serial number of a component, 16 hex digits: 0001h. */
export async function readSerial(send: OwnSend, hops: readonly Hop[]): Promise<Answer<string>> {
  const identity = await ask(send, 'identify', {}, hops);
  if (!identity.ok) return identity;
  return { ok: true, value: identity.value.device_serial_number.toString(16).padStart(16, '0') };
}

/** Clock of the switch, nanoseconds since 1970; 0 where it was not set since it has power: 0300h. */
export async function readClock(send: OwnSend): Promise<Answer<bigint>> {
  const clock = await ask(send, 'get-timestamp', {}, []);
  return clock.ok ? { ok: true, value: clock.value.timestamp } : clock;
}

/** Sets the clock of the switch to this host's: 0301h. */
export async function setClock(send: OwnSend): Promise<Answer<bigint>> {
  const timestamp = BigInt(Date.now()) * 1_000_000n;
  const set = await ask(send, 'set-timestamp', { timestamp }, []);
  return set.ok ? { ok: true, value: timestamp } : set;
}

/** How many LDs an MLD really has: 5400h. 5101h tells how many the port could carry. */
export async function readLdCount(send: OwnSend, hops: readonly Hop[]): Promise<Answer<number>> {
  const info = await ask(send, 'get-ld-info', {}, hops);
  return info.ok ? { ok: true, value: info.value.ld_count } : info;
}

/** Pages of tags read at most: far more than devices keep. */
const TAG_PAGES = 1024;

/** All tags of a device, as one 5608h would tell them that had room enough. */
export async function readTagList(
  send: OwnSend,
  hops: readonly Hop[],
): Promise<Answer<Reply<'dynamic-capacity-list-tags'>>> {
  const tags: Reply<'dynamic-capacity-list-tags'>['tag_information_list'][number][] = [];
  let generation: number | undefined;
  for (let page = 0; page < TAG_PAGES; page++) {
    const params = { starting_index: tags.length, max_tags: 0xffff_ffff };
    const listed = await ask(send, 'dynamic-capacity-list-tags', params, hops);
    if (!listed.ok) return listed;
    const { generation_number: now, total_number_of_tags: total, tag_information_list: found } = listed.value;
    if (generation !== undefined && generation !== now) {
      return { ok: false, text: 'the tags changed while they were read' };
    }
    generation = now;
    tags.push(...found);
    if (tags.length >= total) return { ok: true, value: { ...listed.value, tag_information_list: tags } };
    if (found.length === 0) return { ok: false, text: 'the device has more tags than it lists' };
  }
  return { ok: false, text: 'the device has too many tags' };
}

async function readPorts(
  send: OwnSend,
  total: number,
  active: readonly number[],
): Promise<Answer<ReadonlyMap<number, PortView>>> {
  const ids = [...new Set([...active, ...Array.from({ length: total }, (_, id) => id)])].filter((id) => id <= 0xff);
  const found = new Map<number, PortView>();
  for (let at = 0; at < ids.length; at += PORTS_AT_ONCE) {
    const part = ids.slice(at, at + PORTS_AT_ONCE);
    const answer = await ask(send, 'get-physical-port-state', { port_id_list: part }, []);
    if (!answer.ok) return answer;
    for (const block of answer.value.port_information_list) {
      if (!part.includes(block.port_id)) return { ok: false, text: `port ${block.port_id} was not asked about` };
      found.set(block.port_id, portView(block));
    }
  }
  return { ok: true, value: found };
}

async function readVcss(send: OwnSend, active: readonly number[]): Promise<ReadonlyMap<number, VcsView>> {
  const found = new Map<number, VcsView>();
  for (const id of active) {
    const answer = await ask(
      send,
      'get-virtual-cxl-switch-info',
      { starting_vppb: 0, vppb_list_limit: 255, vcs_id_list: [id] },
      [],
    );
    const block = answer.ok ? answer.value.vcs_information_list[0] : undefined;
    if (block?.vcs_id !== id) continue;
    found.set(id, { id, usp: block.usp_id, vppbs: block.vppb_information_list.map(bindingOf) });
  }
  return found;
}

/** One own command, encoded, sent, and its reply decoded. */
export async function ask<S extends TypedSlug>(
  send: OwnSend,
  slug: S,
  params: Value,
  hops: readonly Hop[],
): Promise<Answer<Reply<S>>> {
  const row = rowBySlug(slug);
  if (row === undefined || !isTyped(row)) return { ok: false, text: `${slug} has no codec` };
  const payload = encodePayload(row.request, params as never);
  if (!payload.ok) return { ok: false, text: payload.error.message };
  const command = { hops, tags: hops.map(() => 0), opcode: row.opcode, payload: payload.value };
  const answer = await send(command);
  if (answer.kind !== 'reply') {
    return { ok: false, text: `${slug}: ${answer.kind === 'malformed' ? answer.text : answer.failure.text}` };
  }
  const refused = answer.reply.layers.find((layer) => !isSuccess(layer.returnCode));
  if (refused !== undefined)
    return { ok: false, text: `${slug}: the device says ${returnCodeName(refused.returnCode)}` };
  const value = decodePayload(row.response, answer.reply.payload, { side: 'reply', request: params });
  return value.ok
    ? { ok: true, value: value.value as Reply<S> }
    : { ok: false, text: `${slug}: ${value.error.message}` };
}

type PortBlock = Reply<'get-physical-port-state'>['port_information_list'][number];

function portView(block: PortBlock): PortView {
  const { state } = block.current_port_configuration_state;
  const role =
    state === 'dsp' || state === 'bind-in-progress' || state === 'unbind-in-progress'
      ? 'dsp'
      : state === 'usp'
        ? 'usp'
        : state === 'fabric-link'
          ? 'fabric'
          : state === 'disabled'
            ? 'disabled'
            : 'unknown';
  const device = deviceKind(block);
  return { id: portId(block.port_id), role, device, ldCount: device === 'mld' ? block.supported_ld_count : 0 };
}

function deviceKind(block: PortBlock): DeviceKind {
  switch (block.connected_device_type) {
    case 'none':
      return 'none';
    case 'type-3-sld':
      return 'sld';
    case 'type-3-mld':
      return 'mld';
    case 'pcie-device':
    case 'type-1':
    case 'type-2-or-hbr-switch':
    case 'pbr-component':
      return 'other';
    default:
      return 'unknown';
  }
}

type VppbBlock = Reply<'get-virtual-cxl-switch-info'>['vcs_information_list'][number]['vppb_information_list'][number];

function bindingOf(block: VppbBlock): Binding {
  switch (block.binding_status) {
    case 'unbound':
      return { kind: 'unbound' };
    case 'bound-to-physical-port':
      return { kind: 'port', port: block.bound_port_id };
    case 'bound-to-ld':
      return { kind: 'ld', port: block.bound_port_id, ld: block.bound_ld_id };
    default:
      return { kind: 'unknown' };
  }
}
