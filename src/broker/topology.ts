import {
  CEL_UUID,
  type Component,
  decodeCel,
  decodePayload,
  encodePayload,
  formatVia,
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
import type { Binding, DeviceKind, PortView, TopologyView, VcsView } from '../policy/index.ts';
import type { OwnSend } from './device.ts';

/** Ports asked about in one 5101h: 4 + 16 x 60 bytes fit the smallest message limit of 1 KiB. */
const PORTS_AT_ONCE = 60;

/** Pauses between attempts to learn a fabric that is not known any more. */
const RELEARN_FIRST_MS = 50;
const RELEARN_SLOWEST_MS = 2000;

/** What an own command came to. */
type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly text: string };

export interface TopologyOptions {
  readonly switchCci: 'fm-interface' | 'host-mailbox';
  readonly neverSend: ReadonlyMap<number, string>;
  /** Bytes that the carrier holds; asked when it is needed, since a backend knows only once it is open. */
  readonly maxPayload: () => number;
}

/**
 * The broker's picture of one switch, learnt from 5100h, 5101h and 5200h and from the CEL of every CCI that is used.
 * What could not be read is unknown, and whatever rests on it is refused.
 */
export class SwitchTopology implements TopologyView {
  version = 0;
  known = false;
  ports: ReadonlyMap<number, PortView> = new Map();
  vcss: ReadonlyMap<number, VcsView> = new Map();
  readonly switchCci: TopologyOptions['switchCci'];
  readonly neverSend: ReadonlyMap<number, string>;
  private readonly send: OwnSend;
  private readonly carrier: TopologyOptions['maxPayload'];
  private readonly cels = new Map<string, ReadonlyMap<number, number>>();
  private readonly celReads = new Map<string, Promise<Answer<ReadonlyMap<number, number>>>>();
  private refreshing: Promise<Answer<void>> | undefined;
  private again = false;
  /** Readings are numbered as they begin; the picture is that of the latest one that came to an end. */
  private begun = 0;
  private shown = 0;
  private losses = 0;
  private watching = false;
  private relearnMs = RELEARN_FIRST_MS;
  private relearning: NodeJS.Timeout | undefined;

  constructor(send: OwnSend, options: TopologyOptions) {
    this.send = send;
    this.switchCci = options.switchCci;
    this.neverSend = options.neverSend;
    this.carrier = options.maxPayload;
  }

  get maxPayload(): number {
    return this.carrier();
  }

  component(hops: readonly Hop[]): Component | 'unknown' {
    const [first, second] = hops;
    if (first === undefined) return 'switch';
    if (first.kind !== 'port') return 'unknown';
    const device = this.ports.get(first.port)?.device;
    if (second === undefined) return device === 'mld' ? 'fm-owned-ld' : device === 'sld' ? 'sld' : 'unknown';
    if (device !== 'mld') return 'unknown';
    return second.kind === 'ldpool' ? 'ld-pool-cci' : 'ld';
  }

  cel(hops: readonly Hop[]): ReadonlyMap<number, number> | undefined {
    return this.cels.get(formatVia(hops));
  }

  /** Reads the CEL at the end of a path. Calls for one path at the same time share one reading. */
  readCel(hops: readonly Hop[]): Promise<Answer<ReadonlyMap<number, number>>> {
    const path = formatVia(hops);
    const running = this.celReads.get(path);
    if (running !== undefined) return running;
    const reading = this.readCelWith(this.send, hops).finally(() => this.celReads.delete(path));
    this.celReads.set(path, reading);
    return reading;
  }

  /** Get Supported Logs for its size, then one Get Log from offset 0. */
  private async readCelWith(send: OwnSend, hops: readonly Hop[]): Promise<Answer<ReadonlyMap<number, number>>> {
    const { losses } = this;
    const logs = await ask(send, 'get-supported-logs', {}, hops);
    if (!logs.ok) return logs;
    const size = logs.value.supported_log_entries.find((log) => log.log_identifier === CEL_UUID)?.log_size;
    if (size === undefined) return { ok: false, text: 'the component offers no Command Effects Log' };
    const log = await ask(
      send,
      'get-log',
      { log_identifier: CEL_UUID, offset: 0, length: Math.min(size, 0x4000) },
      hops,
    );
    if (!log.ok) return log;
    const entries = new Map(decodeCel(log.value.log_data).map((entry) => [entry.opcode, entry.effects]));
    entries.delete(0);
    // What was read before the device was lost may be that of another one.
    if (losses !== this.losses) return { ok: false, text: 'the switch was lost meanwhile' };
    this.cels.set(formatVia(hops), entries);
    this.version++;
    return { ok: true, value: entries };
  }

  /**
   * Reads ports and bindings again. Calls that come while one is under way share a second one, which begins after the
   * change they want to see.
   */
  refresh(): Promise<Answer<void>> {
    if (this.refreshing !== undefined) {
      this.again = true;
      return this.refreshing;
    }
    this.refreshing = this.refreshLoop().finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  /**
   * Nothing is known any more: the device may have changed unseen. Readings that are under way do not count; where
   * `watch` was called it is read again until it is known.
   */
  forget(): void {
    this.shown = ++this.begun;
    this.known = false;
    this.vcss = new Map();
    this.version++;
    this.relearn();
  }

  /** The device was lost. What comes back may be another one, so its CELs are read anew as well. */
  lose(): void {
    this.losses++;
    this.cels.clear();
    this.forget();
  }

  /** From now on a fabric that was forgotten is read again, until it is known or `stop` is called. */
  watch(): void {
    this.watching = true;
    if (!this.known) this.relearn();
  }

  stop(): void {
    this.watching = false;
    clearTimeout(this.relearning);
    this.relearning = undefined;
  }

  /** Without this one reading that fails would leave everything that rests on the bindings refused for good. */
  private relearn(): void {
    if (!this.watching || this.relearning !== undefined) return;
    const pauseMs = this.relearnMs;
    this.relearnMs = Math.min(pauseMs * 2, RELEARN_SLOWEST_MS);
    this.relearning = setTimeout(() => {
      this.relearning = undefined;
      // A reading that fails forgets again, which brings us back here.
      if (!this.known) this.refresh().catch(() => this.forget());
    }, pauseMs);
    this.relearning.unref();
  }

  private async refreshLoop(): Promise<Answer<void>> {
    let result: Answer<void>;
    do {
      this.again = false;
      result = await this.read();
    } while (this.again);
    return result;
  }

  /**
   * Reads everything once, now. What cannot be read is forgotten. Commands of others may run between the parts of a
   * reading; whatever of that changes the fabric is followed by a reading of its own or by `forget`, and what began
   * before that does not overwrite it.
   */
  async read(send: OwnSend = this.send): Promise<Answer<void>> {
    const number = ++this.begun;
    const result = await this.readWith(send, number);
    if (!result.ok && number > this.shown) this.forget();
    return result;
  }

  private async readWith(send: OwnSend, number: number): Promise<Answer<void>> {
    if (this.cel([]) === undefined) await this.readCelWith(send, []);
    const identity = await ask(send, 'identify-switch-device', {}, []);
    if (!identity.ok) return identity;
    const ports = await readPorts(send, identity.value.number_of_physical_ports, identity.value.active_port_bitmask);
    if (!ports.ok) return ports;
    const vcss = await this.readVcss(send, identity.value.active_vcs_bitmask);
    if (number < this.shown) return { ok: true, value: undefined };
    this.shown = number;
    this.relearnMs = RELEARN_FIRST_MS;
    this.dropChangedCels(ports.value);
    const before = fingerprint(this);
    this.ports = ports.value;
    this.vcss = vcss;
    this.known = true;
    if (fingerprint(this) !== before) this.version++;
    return { ok: true, value: undefined };
  }

  /** Another device behind a port has another CEL. */
  private dropChangedCels(ports: ReadonlyMap<number, PortView>): void {
    for (const { id, device, ldCount } of this.ports.values()) {
      const now = ports.get(id);
      if (now?.device === device && now.ldCount === ldCount) continue;
      for (const path of this.cels.keys()) if (`${path}/`.startsWith(`port:${id}/`)) this.cels.delete(path);
    }
  }

  /** A switch without 5200h has no VCS that we could know of: every binding stays unknown. */
  private async readVcss(send: OwnSend, active: readonly number[]): Promise<ReadonlyMap<number, VcsView>> {
    const found = new Map<number, VcsView>();
    if (this.cel([])?.has(0x5200) === false) return found;
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
}

/** Equal texts mean equal pictures, so that a refresh that changes nothing makes nobody decide again. */
function fingerprint(view: TopologyView): string {
  return JSON.stringify([view.known, [...view.ports], [...view.vcss]]);
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

async function ask<S extends TypedSlug>(
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
