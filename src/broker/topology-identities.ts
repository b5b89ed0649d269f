import { type Hop, portId } from '../cci/index.ts';
import type { PortView } from '../policy/index.ts';
import type { OwnSend } from './device.ts';
import { readLdCount, readSerial } from './topology-read.ts';

/** A device that does not say who it is may say so later; it is not asked more often than this. */
const ASK_AGAIN_FIRST_MS = 5000;
const ASK_AGAIN_SLOWEST_MS = 600_000;

/** What devices without a serial number say: it names nobody. */
const NO_SERIAL: ReadonlySet<string> = new Set(['0'.repeat(16), 'f'.repeat(16)]);

interface Identity {
  /** Serial number, 16 hex digits. */
  readonly serial: string;
  /** LDs that an MLD has by its own word. */
  readonly lds?: number;
}

/** Who is behind the ports of a switch: serial numbers and LD counts, asked through the tunnel. */
export class DeviceIdentities {
  switchSerial: string | undefined;
  private readonly known = new Map<number, Identity>();
  /** Asked again at the next opportunity, although they are known. */
  private readonly suspects = new Set<number>();
  private readonly resting = new Map<number, { readonly pauseMs: number; readonly untilMs: number }>();
  private isSwitchSuspect = true;
  private turn = 0;

  serialOf(port: number): string | undefined {
    return this.known.get(port)?.serial;
  }

  /** Nobody is known there any more. */
  drop(port: number): void {
    this.known.delete(port);
    this.resting.delete(port);
  }

  suspect(port: number): void {
    this.suspects.add(port);
  }

  suspectAll(): void {
    this.isSwitchSuspect = true;
    for (const port of this.known.keys()) this.suspects.add(port);
  }

  /** The next one of the given ports in turn. */
  suspectNext(ports: readonly number[]): void {
    const port = ports[this.turn++ % Math.max(1, ports.length)];
    if (port !== undefined) this.suspects.add(port);
  }

  /** @returns whether that is news */
  noteLds(port: number, lds: number): boolean {
    const identity = this.known.get(port);
    if (identity === undefined || identity.lds === lds) return false;
    this.known.set(port, { ...identity, lds });
    return true;
  }

  /** Ports whose device should be asked now. */
  wanted(ports: readonly PortView[]): readonly PortView[] {
    const now = performance.now();
    return ports.filter(
      ({ id }) =>
        (!this.known.has(id) || this.suspects.has(id)) &&
        now >= (this.resting.get(id)?.untilMs ?? Number.NEGATIVE_INFINITY),
    );
  }

  /**
   * Asks what should be asked. Ends at the first device that does not answer at all: what comes after it may be lost
   * with it, and is asked the next time.
   *
   * @returns ports where somebody else answered than before, or somebody for the first time; undefined where nothing was
   *   learnt
   */
  async learn(send: OwnSend, ports: readonly PortView[]): Promise<readonly number[] | undefined> {
    let isNews = await this.learnSwitch(send);
    const changed: number[] = [];
    for (const port of this.wanted(ports)) {
      const { id } = port;
      const hops: readonly Hop[] = [{ kind: 'port', port: portId(id) }];
      const lost = { is: false };
      const serial = await readSerial(async (command) => {
        const reply = await send(command);
        lost.is = reply.kind === 'failed';
        return reply;
      }, hops);
      this.suspects.delete(id);
      if (!serial.ok) {
        this.rest(id);
        if (lost.is) break;
        continue;
      }
      this.resting.delete(id);
      const before = this.known.get(id);
      if (before?.serial === serial.value) continue;
      const lds = port.device === 'mld' ? await readLdCount(send, hops) : undefined;
      this.known.set(id, { serial: serial.value, ...(lds?.ok === true ? { lds: lds.value } : {}) });
      changed.push(id);
      isNews = true;
    }
    return isNews ? changed : undefined;
  }

  /** The ports with what their devices say of themselves, and which ports lead to one and the same device. */
  applied(ports: ReadonlyMap<number, PortView>): ReadonlyMap<number, PortView> {
    const bySerial = new Map<string, number[]>();
    for (const [id, { serial }] of this.known) {
      if (ports.has(id) && !NO_SERIAL.has(serial)) bySerial.set(serial, [...(bySerial.get(serial) ?? []), id]);
    }
    const found = new Map<number, PortView>();
    for (const [id, port] of ports) {
      const identity = this.known.get(id);
      const beside = (identity === undefined ? undefined : bySerial.get(identity.serial))?.filter(
        (other) => other !== id,
      );
      const lds = port.device === 'mld' ? identity?.lds : undefined;
      found.set(id, {
        ...port,
        ...(lds === undefined ? {} : { ldCount: lds }),
        ...(beside === undefined || beside.length === 0 ? {} : { beside: beside.sort((a, b) => a - b) }),
      });
    }
    return found;
  }

  private async learnSwitch(send: OwnSend): Promise<boolean> {
    if (!this.isSwitchSuspect) return false;
    const serial = await readSerial(send, []);
    if (!serial.ok) return false;
    this.isSwitchSuspect = false;
    if (this.switchSerial === serial.value) return false;
    this.switchSerial = serial.value;
    return true;
  }

  private rest(port: number): void {
    const before = this.resting.get(port)?.pauseMs;
    const pauseMs = before === undefined ? ASK_AGAIN_FIRST_MS : Math.min(before * 2, ASK_AGAIN_SLOWEST_MS);
    this.resting.set(port, { pauseMs, untilMs: performance.now() + pauseMs });
  }
}
