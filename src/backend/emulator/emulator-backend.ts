import { randomUUID } from 'node:crypto';
import { type Backend, BackendError, type BackendIdentity, type CciReply, type CciRequest } from '../backend.ts';
import { createEmulator, type Emulator, type SwitchReply } from './emulator.ts';
import { type Clock, DEFAULT_MAX_PAYLOAD, type EmulatorOptions } from './options.ts';
import { loadTopology, type Topology } from './topology.ts';

/** One boot per process: an emulated switch starts anew with it. */
const processBootId = randomUUID();

/** What a configuration says, with the topology read or still to be read, and a clock for tests. */
export interface EmulatorBackendOptions extends Omit<EmulatorOptions, 'topology'> {
  /** A topology, or the path of a topology file. */
  readonly topology: Topology | string;
  readonly clock?: Clock;
}

/**
 * The emulated switch as a `Backend`: one mailbox, nothing of this host's hardware. Replies are there at once; only
 * an armed fault makes a caller wait. The state outlives `close` and `open`, as that of a device does.
 */
export class EmulatorBackend implements Backend {
  readonly emulator: Emulator;
  readonly maxPayload: number;
  readonly maxInFlight: number;
  readonly touchesHostHardware = false;
  private readonly options: EmulatorBackendOptions;
  /** The state lives and dies with this object. */
  private readonly life = randomUUID();
  /** Aborted by `close`; undefined while closed. */
  private session: AbortController | undefined;
  private inFlight = 0;

  constructor(options: EmulatorBackendOptions) {
    const topology = typeof options.topology === 'string' ? loadTopology(options.topology) : options.topology;
    this.options = options;
    this.emulator = createEmulator(topology, options, options.clock);
    this.maxPayload = options.maxPayload ?? DEFAULT_MAX_PAYLOAD;
    this.maxInFlight = options.maxInFlight ?? 1;
  }

  async open(): Promise<void> {
    this.session ??= new AbortController();
  }

  async close(): Promise<void> {
    this.session?.abort();
    this.session = undefined;
  }

  get identity(): BackendIdentity {
    this.requireOpen();
    const ports = this.emulator.machine.topology.ports.length;
    return {
      kind: 'emulator',
      description: `emulated switch of ${ports} ports, seed ${this.options.seed ?? 1}`,
      bootId: this.options.bootId ?? processBootId,
      session: this.life,
    };
  }

  async execute(request: CciRequest, deadlineMs: number): Promise<CciReply> {
    const session = this.requireOpen();
    const { opcode, payload } = request;
    if (payload.length > this.maxPayload) {
      throw new BackendError('EINVAL', 'not-sent', `payload of ${payload.length} bytes, at most ${this.maxPayload}`);
    }
    if (this.inFlight >= this.maxInFlight) {
      throw new BackendError('EBUSY', 'not-sent', `${this.maxInFlight} command(s) in flight`);
    }
    if (performance.now() >= deadlineMs)
      throw new BackendError('ETIMEDOUT', 'not-sent', 'the deadline has passed already');
    const reply = this.emulator.execute(opcode, payload);
    if (reply.carrier !== null) {
      this.inFlight++;
      try {
        await suffer(reply, deadlineMs, session.signal);
      } finally {
        this.inFlight--;
      }
    }
    if (reply.payload.length > this.maxPayload) {
      throw new BackendError('EPROTO', 'unknown', `reply of ${reply.payload.length} bytes, over ${this.maxPayload}`);
    }
    return {
      returnCode: reply.returnCode,
      vendorStatus: reply.vendorStatus,
      background: reply.background,
      payload: reply.payload,
    };
  }

  private requireOpen(): AbortController {
    if (this.session === undefined) throw new BackendError('EINVAL', 'not-sent', 'the backend is not open');
    return this.session;
  }
}

/** Lets the carrier fault of a reply happen. Returns where the reply arrives after all. */
async function suffer(reply: SwitchReply, deadlineMs: number, closed: AbortSignal): Promise<void> {
  const { carrier } = reply;
  switch (carrier?.kind) {
    case 'late': {
      const dueMs = performance.now() + carrier.ms;
      await pause(Math.min(dueMs, deadlineMs), closed);
      if (dueMs > deadlineMs) throw new BackendError('ETIMEDOUT', 'unknown', 'no reply before the deadline');
      return;
    }
    case 'missing':
      await pause(deadlineMs, closed);
      throw new BackendError('ETIMEDOUT', 'unknown', 'no reply before the deadline');
    case 'stuck-doorbell':
      if (!carrier.rung) throw new BackendError('EBUSY', 'not-sent', 'the doorbell is set');
      await pause(deadlineMs, closed);
      throw new BackendError('ETIMEDOUT', 'unknown', 'the doorbell stayed set until the deadline');
    case 'wrong-opcode':
    case 'wrong-tag':
      throw new BackendError('EPROTO', 'unknown', `the reply has the ${carrier.kind.replace('-', ' ')}`);
    default:
      // A mailbox holds one reply: a second one is the same bytes again.
      return;
  }
}

/** Waits until a time of `performance.now()`. @throws BackendError EIO when the backend is closed meanwhile */
function pause(untilMs: number, closed: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, untilMs - performance.now()));
  const onClose = (): void => reject(new BackendError('EIO', 'unknown', 'closed with a command under way'));
  closed.addEventListener('abort', onClose, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    closed.removeEventListener('abort', onClose);
  });
}

/**
 * Makes the backend of an emulated switch.
 *
 * @throws TopologyError where the topology is a path and its file is not one
 */
export function createEmulatorBackend(options: EmulatorBackendOptions): EmulatorBackend {
  return new EmulatorBackend(options);
}
