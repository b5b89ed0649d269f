import type { Hop } from '../../cci/index.ts';
import { MCTP_TYPE } from '../../cci/mctp.ts';
import { toDevice } from '../../cci/mctp-dialect.ts';
import { type Backend, BackendError, type BackendIdentity, type CciReply, type CciRequest } from '../backend.ts';
import { assumedEffects, refusedHere } from './jackrabbit.ts';
import { type LinkSettings, MctpLink } from './link.ts';
import type { MctpTcpOptions } from './options.ts';

export const DEFAULT_PORT = 2508;
const defaults = { inFlight: 8, payload: 8192, connectMs: 2000, drainMs: 500 } as const;

/**
 * The fabric manager of a switch or emulator over MCTP/TCP: one connection, a bounded number of requests on it, made
 * again when it is lost. Commands and replies are in the specification's form whatever the dialect of the peer.
 *
 * Boot id: this host cannot see the switch boot, so there is one per address that never changes. Taint that lasts for a
 * boot therefore lasts until somebody acknowledges it.
 */
export class MctpTcpBackend implements Backend {
  readonly maxPayload: number;
  readonly maxInFlight: number;
  readonly touchesHostHardware = false;
  /** For a switch without a Command Effects Log: what is assumed in its place. */
  readonly assumedCel: ((hops: readonly Hop[]) => ReadonlyMap<number, number>) | undefined;
  private readonly options: MctpTcpOptions;
  private readonly settings: LinkSettings;
  private isOpen = false;
  private inFlight = 0;
  private current: MctpLink | undefined;
  private connecting: Promise<MctpLink> | undefined;
  /** An earlier connection that is being closed: that switch serves one at a time. */
  private closing: Promise<void> = Promise.resolve();

  constructor(options: MctpTcpOptions) {
    this.options = options;
    this.maxPayload = options.max_payload ?? defaults.payload;
    this.maxInFlight = options.max_in_flight ?? defaults.inFlight;
    const isOld = options.dialect === 'jackrabbit';
    this.assumedCel = isOld ? assumedEffects : undefined;
    this.settings = {
      host: options.host,
      port: options.port ?? DEFAULT_PORT,
      dialect: options.dialect,
      quirks: { staleMarks: isOld, lastByteLost: options.quirks?.includes('last-byte-lost') === true },
      maxPayload: this.maxPayload,
      connectMs: options.connect_ms ?? defaults.connectMs,
    };
  }

  /** Connects. @throws BackendError EIO `not-sent` */
  async open(): Promise<void> {
    this.isOpen = true;
    try {
      await this.link();
    } catch (error) {
      this.isOpen = false;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.isOpen = false;
    const link = this.current ?? (await this.connecting?.catch(() => undefined));
    this.current = undefined;
    if (link !== undefined) this.letGo(link);
    await this.closing;
  }

  get identity(): BackendIdentity {
    this.requireOpen();
    const { host, port, dialect } = this.settings;
    const assumed = this.assumedCel === undefined ? '' : ', Command Effects Log assumed';
    return {
      kind: `mctp-tcp/${dialect}`,
      description: `switch over MCTP/TCP at ${host}:${port}, dialect ${dialect}${assumed}`,
      bootId: `mctp-tcp:${host}:${port}`,
    };
  }

  async execute({ opcode, payload }: CciRequest, deadlineMs: number): Promise<CciReply> {
    this.requireOpen();
    if (payload.length > this.maxPayload) {
      throw new BackendError('EINVAL', 'not-sent', `payload of ${payload.length} bytes, at most ${this.maxPayload}`);
    }
    if (this.inFlight >= this.maxInFlight) {
      throw new BackendError('EBUSY', 'not-sent', `${this.maxInFlight} command(s) in flight`);
    }
    const request = toDevice(opcode, payload, this.settings.dialect);
    if (!request.ok)
      throw new BackendError('EINVAL', 'not-sent', `the tunnel does not decode: ${request.error.message}`);
    const refused = this.assumedCel === undefined ? undefined : refusedHere(request.value.command);
    if (refused !== undefined) return answeredHere(refused);
    this.inFlight++;
    try {
      const link = this.current?.isLost === false ? this.current : await this.link();
      if (performance.now() >= deadlineMs) {
        throw new BackendError('ETIMEDOUT', 'not-sent', 'the deadline passed before there was a connection');
      }
      const reply = await link.ask(this.typeOf(opcode), request.value.opcode, request.value.payload, deadlineMs);
      const { returnCode, vendorStatus, background } = reply;
      return { returnCode, vendorStatus, background, payload: request.value.reply(reply) };
    } finally {
      this.inFlight--;
    }
  }

  /**
   * The old dialect knows type 07h for everything; any other ends its switch. In the specification the FM API is what
   * begins at 51h, and the rest, towards a switch too, is type 08h (D14).
   */
  private typeOf(opcode: number): number {
    if (this.settings.dialect === 'jackrabbit') return MCTP_TYPE.fmApi;
    const set = opcode >> 8;
    return set >= 0x51 && set <= 0x5f ? MCTP_TYPE.fmApi : MCTP_TYPE.cci;
  }

  /** The connection, made where there is none. */
  private async link(): Promise<MctpLink> {
    if (this.current?.isLost === false) return this.current;
    this.connecting ??= this.reconnect().finally(() => {
      this.connecting = undefined;
    });
    return this.connecting;
  }

  private async reconnect(): Promise<MctpLink> {
    if (this.current !== undefined) this.letGo(this.current);
    this.current = undefined;
    await this.closing;
    const link = await MctpLink.connect(this.settings);
    if (this.isOpen) {
      this.current = link;
      return link;
    }
    await link.close(0);
    throw new BackendError('EIO', 'not-sent', 'the backend was closed');
  }

  private letGo(link: MctpLink): void {
    const drainMs = this.options.drain_ms ?? defaults.drainMs;
    this.closing = Promise.all([this.closing, link.close(drainMs)]).then(() => undefined);
  }

  private requireOpen(): void {
    if (!this.isOpen) throw new BackendError('EINVAL', 'not-sent', 'the backend is not open');
  }
}

/** The answer that such a switch would owe: it says nothing to what it does not know, or says it for the last time. */
function answeredHere(returnCode: number): CciReply {
  return { returnCode, vendorStatus: 0, background: false, payload: new Uint8Array(0) };
}
