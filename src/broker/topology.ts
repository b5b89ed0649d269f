import { type Component, formatVia, type Hop, portId, type Reply, TUNNEL_OPCODE, uuidText } from '../cci/index.ts';
import type { PortView, TopologyView, VcsView } from '../policy/index.ts';
import type { OwnSend } from './device.ts';
import type { TagPlace } from './tag-owners.ts';
import { DeviceIdentities } from './topology-identities.ts';
import type { Picture, PortPicture } from './topology-picture.ts';
import { type Answer, readClock, readEffects, readFabric, readTagList, setClock } from './topology-read.ts';
import type { FabricWatch } from './topology-watch.ts';

/** Pauses between attempts to learn a fabric that is not known any more. */
const RELEARN_FIRST_MS = 50;
const RELEARN_SLOWEST_MS = 2000;

const GET_TIMESTAMP = 0x0300;
const SET_TIMESTAMP = 0x0301;

export interface TopologyOptions {
  readonly switchCci: 'fm-interface' | 'host-mailbox';
  readonly neverSend: ReadonlyMap<number, string>;
  /** Bytes that the carrier holds; asked when it is needed, since a backend knows only once it is open. */
  readonly maxPayload: () => number;
  /** Holds every picture against the one before it; without it nothing is noticed. */
  readonly watch?: FabricWatch;
  /** Pause between two readings that nobody asked for; 0 or absent: none. */
  readonly rereadMs?: number;
  /** Records that the clock of the switch is going to be set. Without it, it is not. */
  readonly beforeClockSet?: () => Promise<void>;
  /** Tenant that first added a capacity tag. */
  readonly tagOwner?: (place: TagPlace, tag: string) => string | undefined;
  /** Stands for the CELs of a switch that has none; it is never asked for them. */
  readonly assumedCel?: ((hops: readonly Hop[]) => ReadonlyMap<number, number>) | undefined;
}

/**
 * The broker's picture of one switch, learnt from 5100h, 5101h and 5200h, from 0001h and 5400h of what is behind the
 * ports, and from the CEL of every CCI that is used. What could not be read is unknown, and whatever rests on it is
 * refused.
 */
export class SwitchTopology implements TopologyView {
  version = 0;
  known = false;
  ports: ReadonlyMap<number, PortView> = new Map();
  vcss: ReadonlyMap<number, VcsView> = new Map();
  readonly switchCci: TopologyOptions['switchCci'];
  readonly neverSend: ReadonlyMap<number, string>;
  private readonly options: TopologyOptions;
  private readonly send: OwnSend;
  private readonly identities = new DeviceIdentities();
  /** Ports as the switch itself tells them. */
  private told: ReadonlyMap<number, PortView> = new Map();
  /** VCSs that are there and could not be read. */
  private unread: ReadonlySet<number> = new Set();
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
  private rereading: NodeJS.Timeout | undefined;

  constructor(send: OwnSend, options: TopologyOptions) {
    this.send = send;
    this.options = options;
    this.switchCci = options.switchCci;
    this.neverSend = options.neverSend;
  }

  get maxPayload(): number {
    return this.options.maxPayload();
  }

  /** Holds pictures against each other, where this topology is watched. */
  get watcher(): FabricWatch | undefined {
    return this.options.watch;
  }

  tagOwner(port: number, tag: string): string | undefined {
    return this.options.tagOwner?.(this.tagPlace(port), tag);
  }

  /** Where the tags of the device behind a port are recorded. */
  tagPlace(port: number): TagPlace {
    return { port, serial: this.identities.serialOf(port) };
  }

  /** Every capacity tag on the device behind a port, UUID text. */
  async listTags(port: number): Promise<Answer<readonly string[]>> {
    const list = await this.readTagList([{ kind: 'port', port: portId(port) }]);
    return list.ok ? { ok: true, value: list.value.tag_information_list.map(({ tag }) => uuidText(tag)) } : list;
  }

  /** All tags of the device at the end of a path, as one 5608h would tell them that had room enough. */
  readTagList(hops: readonly Hop[]): Promise<Answer<Reply<'dynamic-capacity-list-tags'>>> {
    return readTagList(this.send, hops);
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

  private async readCelWith(send: OwnSend, hops: readonly Hop[]): Promise<Answer<ReadonlyMap<number, number>>> {
    const { losses } = this;
    const assumed = this.options.assumedCel?.(hops);
    const entries = assumed === undefined ? await readEffects(send, hops) : ({ ok: true, value: assumed } as const);
    if (!entries.ok) return entries;
    // What was read before the device was lost may be that of another one.
    if (losses !== this.losses) return { ok: false, text: 'the switch was lost meanwhile' };
    this.cels.set(formatVia(hops), entries.value);
    this.version++;
    return entries;
  }

  /**
   * Reads ports and bindings again, and who is behind ports of which that is not known. Calls that come while one is
   * under way share a second one, which begins after the change they want to see.
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

  /** An event tells that something happened, perhaps to that port: it is read again, and asked who it is. */
  noteEvent(about: { readonly port?: number }): Promise<Answer<void>> {
    if (about.port !== undefined) this.identities.suspect(about.port);
    return this.refresh();
  }

  /** A reply of 5400h or 5401h that somebody asked for tells how many LDs there really are. */
  noteLdCount(port: number, lds: number): void {
    const told = this.told.get(port);
    if (told?.device === 'mld' && this.known && this.identities.noteLds(port, lds)) this.showAgain();
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
    this.identities.suspectAll();
    this.forget();
  }

  /** From now on a fabric that was forgotten is read again until it is known, and all of it now and then. */
  watch(): void {
    this.watching = true;
    if (!this.known) this.relearn();
    this.rereadLater();
  }

  stop(): void {
    this.watching = false;
    clearTimeout(this.relearning);
    clearTimeout(this.rereading);
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

  /** What happens without a command and without an event is found by looking. */
  private rereadLater(): void {
    const pauseMs = this.options.rereadMs ?? 0;
    if (!this.watching || pauseMs === 0) return;
    this.rereading = setTimeout(() => {
      // One port in each round is asked who it is: a device may be swapped for another one of the same kind.
      this.identities.suspectNext(this.askable().map(({ id }) => id));
      const done = this.known ? this.refresh() : Promise.resolve();
      done.catch(() => this.forget()).finally(() => this.rereadLater());
    }, pauseMs);
    this.rereading.unref();
  }

  private async refreshLoop(): Promise<Answer<void>> {
    let result: Answer<void>;
    do {
      this.again = false;
      result = await this.read();
      if (result.ok) await this.learn();
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
    // A switch without 5200h has no VCS that we could know of.
    const found = await readFabric(send, () => this.cel([])?.has(0x5200) !== false);
    if (!found.ok) return found;
    if (number < this.shown) return { ok: true, value: undefined };
    this.shown = number;
    this.relearnMs = RELEARN_FIRST_MS;
    this.dropChanged(found.value.ports);
    this.show(found.value.ports, found.value.vcss, found.value.unread);
    const isComplete = this.identities.wanted(this.askable()).length === 0;
    // In somebody's turn devices are not asked who they are: one that hangs would hang him.
    if (!isComplete && this.watching && this.refreshing === undefined) this.refresh().catch(() => this.forget());
    return { ok: true, value: undefined };
  }

  /** Asks devices who they are, where that is not known. One that does not answer is asked less and less often. */
  private async learn(): Promise<void> {
    const { losses } = this;
    await this.lookAtClock();
    const changed = await this.identities.learn(this.send, this.askable());
    if (losses !== this.losses || !this.known || changed === undefined) return;
    for (const port of changed) this.dropCels(port);
    if (changed.length > 0) this.version++;
    this.showAgain();
  }

  /** Sets the clock of a switch that has none, and notices one that began anew. */
  async lookAtClock(): Promise<void> {
    const { watch, beforeClockSet } = this.options;
    if (watch === undefined || !this.offers(GET_TIMESTAMP)) return;
    const now = await readClock(this.send);
    if (!now.ok) return;
    watch.seeClock(now.value);
    if (now.value > 0n || beforeClockSet === undefined || !this.offers(SET_TIMESTAMP)) return;
    const set = await beforeClockSet().then(
      () => setClock(this.send),
      () => undefined,
    );
    if (set?.ok === true) watch.seeClock(set.value);
  }

  private offers(opcode: number): boolean {
    return !this.neverSend.has(opcode) && this.cel([])?.has(opcode) === true;
  }

  /** Ports behind which there is somebody to ask, and a way to ask him. */
  private askable(): readonly PortView[] {
    if (this.neverSend.has(TUNNEL_OPCODE) || this.cel([])?.has(TUNNEL_OPCODE) === false) return [];
    return [...this.told.values()].filter(hasIdentity);
  }

  /** What was read is shown again with what devices have said since. */
  private showAgain(): void {
    this.show(this.told, this.vcss, this.unread);
  }

  /** Puts a picture in force; what moved without us is told before anything can be decided on it. */
  private show(
    told: ReadonlyMap<number, PortView>,
    vcss: ReadonlyMap<number, VcsView>,
    unread: ReadonlySet<number>,
  ): void {
    const before = fingerprint(this);
    this.told = told;
    this.unread = unread;
    this.options.watch?.see(this.pictureOf(told, vcss), unread);
    this.ports = this.identities.applied(told);
    this.vcss = vcss;
    this.known = true;
    if (fingerprint(this) !== before) this.version++;
  }

  private pictureOf(told: ReadonlyMap<number, PortView>, vcss: ReadonlyMap<number, VcsView>): Picture {
    return {
      serial: this.identities.switchSerial ?? '',
      ports: [...told.values()].sort(byId).map(({ id, role, device, ldCount }): PortPicture => {
        const serial = this.identities.serialOf(id);
        return { id, role, device, lds: ldCount, ...(serial === undefined ? {} : { serial }) };
      }),
      vcss: [...vcss.values()].sort(byId),
    };
  }

  /** Another device behind a port has another CEL, and another name. */
  private dropChanged(ports: ReadonlyMap<number, PortView>): void {
    for (const { id, device, ldCount } of this.told.values()) {
      const now = ports.get(id);
      if (now?.device === device && now.ldCount === ldCount) continue;
      this.identities.drop(id);
      this.dropCels(id);
    }
  }

  private dropCels(port: number): void {
    for (const path of this.cels.keys()) if (`${path}/`.startsWith(`port:${port}/`)) this.cels.delete(path);
  }
}

function hasIdentity({ device }: PortView): boolean {
  return device === 'sld' || device === 'mld';
}

function byId(a: { readonly id: number }, b: { readonly id: number }): number {
  return a.id - b.id;
}

/** Equal texts mean equal pictures, so that a refresh that changes nothing makes nobody decide again. */
function fingerprint(view: TopologyView): string {
  return JSON.stringify([view.known, [...view.ports], [...view.vcss]]);
}
