import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import {
  createEmulatorBackend,
  type EmulatorBackend,
  type EmulatorOptions,
  parseTopology,
} from '../../src/backend/emulator/index.ts';
import type { Backend, CciReply, CciRequest } from '../../src/backend/index.ts';
import { issueDevelopmentToken, type Revocations } from '../../src/broker/auth/index.ts';
import type { CommandAnswer, CommandRequest, CoreApi, CoreResult, Credential } from '../../src/broker/core-api.ts';
import { type StartOverrides, startBroker } from '../../src/broker/start.ts';

/** Everything that one broker is made of. What is left out is as the example configuration has it. */
export interface BrokerParts {
  /** Text of `fabric.yaml`. The switch is called `sw0`. */
  readonly fabric: string;
  /** Text of the emulated switch's topology file. */
  readonly topology: string;
  /** Tenant to the text of his `tenants/T.csv`. */
  readonly grants: ReadonlyMap<string, string>;
  readonly profile?: 'host' | 'bmc';
  readonly rawCommands?: 'off' | 'taints-this-switch';
  readonly rawAllowAll?: boolean;
  readonly lockdown?: 'none' | 'integrity' | 'confidentiality';
  readonly policyReload?: 'watch' | 'manual';
  readonly crosscheck?: 'off' | 'sampled';
  /** Reviewed vendor commands: slug to the text of `commands.d/SLUG.yaml`. */
  readonly commands?: ReadonlyMap<string, string>;
  /** Put between the decision and the policy engine. */
  readonly wrapEngine?: StartOverrides['wrapEngine'];
  readonly crosscheckIntervalMs?: number;
  /** Pause between two looks at the event logs; 0, the default: they are left alone. */
  readonly eventsPollMs?: number;
  /** Pause between two readings of the fabric that nobody asked for. Default 0: none. */
  readonly rereadMs?: number;
  /** Puts something in place of the machine's terminals, or of recordings. */
  readonly console?: StartOverrides['console'];
  /** Further lines of `broker.yaml`. */
  readonly moreConfig?: string;
  /** Default: every background operation ends at once. */
  readonly timing?: EmulatorOptions['timing'];
  /** Time of the emulated switch, milliseconds; a fixed one makes replies comparable. */
  readonly clock?: () => number;
  /** Called before each request reaches the emulated switch; may throw to fail it. */
  readonly onRequest?: (request: CciRequest, emulator: EmulatorBackend) => void;
  readonly revocations?: Revocations;
  /** Puts something between the broker and the spy: for tests that sabotage or inject faults. */
  readonly wrap?: (backend: Backend) => Backend;
}

/** A running core with an emulated switch below it, and every request that reached that switch. */
export interface BrokerFixture extends AsyncDisposable {
  readonly core: CoreApi;
  /** The switch itself, for reading the truth past the broker. */
  readonly device: EmulatorBackend;
  /** Requests that reached the device, oldest first. Empty it as you like. */
  readonly requests: CciRequest[];
  readonly directory: string;
  /** Everything recorded so far is on the disk, or will never be. */
  flushJournal(): Promise<void>;
  /** As `cci serve` does before it closes its listeners. */
  endConsoles(): Promise<void>;
  /** A token of the development issuer. Without `scopes` it has every one that commands need. */
  credential(tenant: string, token?: TokenWish): Promise<Credential>;
  submit(credential: Credential, request: CommandRequest): Promise<CoreResult<CommandAnswer>>;
  /** Waits until no background operation runs and the broker has read what it wants to know. */
  settle(): Promise<void>;
  /** Ends the broker and starts another one over the same switch and state. @param between while none runs */
  restart(between?: () => unknown): Promise<BrokerFixture>;
  close(): Promise<void>;
}

export interface TokenWish {
  readonly subject?: string;
  readonly groups?: readonly string[];
  readonly scopes?: readonly string[];
  /** Default one hour. */
  readonly ttlMs?: number;
}

/** Scopes that cap no command. Without `cci:policy`, whose holders are told reasons. */
export const ALL_COMMAND_SCOPES = [
  'cci:read',
  'cci:config',
  'cci:debug-read',
  'cci:debug-write',
  'cci:debug-write-full',
  'cci:raw',
] as const;

const AT_ONCE = {
  bindMs: 0,
  unbindMs: 0,
  hostReleaseMs: 0,
  linkTrainingMs: 0,
  sanitizeMs: 0,
  scanMs: 0,
  firmwareMs: 0,
  logMs: 0,
  maintenanceMs: 0,
  hostAnswerMs: 0,
} as const;

/**
 * Starts a broker core, without listeners, in a directory of its own.
 *
 * @throws StartError where the parts do not fit together
 * @example
 * await using broker = await startBrokerFixture({ fabric, topology, grants: new Map([['acme', rows]]) });
 * const acme = await broker.credential('acme');
 * await broker.submit(acme, { kind: 'named', command: 'identify' });
 */
export async function startBrokerFixture(parts: BrokerParts): Promise<BrokerFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'cci-broker-'));
  await mkdir(join(directory, 'policies', 'tenants'), { recursive: true });
  const shipped = new URL('../../policies/', import.meta.url);
  for (const name of ['model.conf', 'mandatory.csv']) {
    await copyFile(new URL(name, shipped), join(directory, 'policies', name));
  }
  for (const [tenant, rows] of parts.grants) {
    await writeFile(join(directory, 'policies', 'tenants', `${tenant}.csv`), rows);
  }
  for (const [slug, text] of parts.commands ?? []) {
    await mkdir(join(directory, 'policies', 'commands.d'), { recursive: true });
    await writeFile(join(directory, 'policies', 'commands.d', `${slug}.yaml`), text);
  }
  await writeFile(join(directory, 'fabric.yaml'), parts.fabric);
  await writeFile(join(directory, 'topology.yaml'), parts.topology);
  await writeFile(join(directory, 'broker.yaml'), brokerYaml(parts));

  const device = createEmulatorBackend({
    topology: parseTopology(parts.topology),
    seed: 1,
    timing: { ...AT_ONCE, ...parts.timing },
    ...(parts.clock === undefined ? {} : { clock: parts.clock }),
  });
  const requests: CciRequest[] = [];
  const spy = new SpyBackend(device, (request) => {
    requests.push({ opcode: request.opcode, payload: request.payload.slice() });
    parts.onRequest?.(request, device);
  });
  return startOver(parts, directory, device, spy, requests);
}

async function startOver(
  parts: BrokerParts,
  directory: string,
  device: EmulatorBackend,
  spy: SpyBackend,
  requests: CciRequest[],
): Promise<BrokerFixture> {
  const running = await startBroker(join(directory, 'broker.yaml'), {
    wrapBackend: () => parts.wrap?.(spy) ?? spy,
    ...(parts.wrapEngine === undefined ? {} : { wrapEngine: parts.wrapEngine }),
    ...(parts.crosscheckIntervalMs === undefined ? {} : { crosscheckIntervalMs: parts.crosscheckIntervalMs }),
    ...(parts.console === undefined ? {} : { console: parts.console }),
    log: pino({ level: 'silent' }),
    ...(parts.revocations === undefined ? {} : { revocations: parts.revocations }),
  }).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  const { core } = running;
  const issuer = join(directory, 'state', 'issuer');
  const credential = async (tenant: string, wish: TokenWish = {}): Promise<Credential> => {
    const { token } = await issueDevelopmentToken({
      directory: issuer,
      tenant,
      subject: wish.subject ?? `${tenant}-operator`,
      groups: wish.groups ?? [],
      scopes: wish.scopes ?? ALL_COMMAND_SCOPES,
      ...(wish.ttlMs === undefined ? {} : { ttlMs: wish.ttlMs }),
    });
    return { token, source: '127.0.0.1:1' };
  };
  const watcher = await credential('fabric', { subject: 'fixture' });
  const close = async (): Promise<void> => {
    await running.close();
    await rm(directory, { recursive: true, force: true });
  };
  return {
    core,
    device,
    requests,
    directory,
    endConsoles: () => running.endConsoles(),
    flushJournal: () => running.flushJournal().catch(() => undefined),
    credential,
    submit: (caller, request) => core.submit(caller, 'sw0', request),
    settle: () => settled(core, watcher, requests),
    restart: async (between) => {
      await running.close();
      await between?.();
      return startOver(parts, directory, device, spy, requests);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function brokerYaml(parts: BrokerParts): string {
  return [
    `profile: ${parts.profile ?? 'host'}`,
    'http: { host: 127.0.0.1, port: 0 }',
    'state_directory: state',
    'fabric: fabric.yaml',
    // Files of a test change when it says so, and no second engine runs beside unless it asks for it.
    `policy: { directory: policies, reload: ${parts.policyReload ?? 'manual'}, crosscheck: ${parts.crosscheck ?? 'off'} }`,
    "issuers: [{ kind: development, tenants: ['*', fabric] }]",
    `lockdown: { level: ${parts.lockdown ?? 'none'} }`,
    `raw_commands: ${parts.rawCommands ?? 'off'}`,
    `raw_allow_all: ${parts.rawAllowAll ?? false}`,
    'log: { level: silent }',
    `topology: { reread_ms: ${parts.rereadMs ?? 0} }`,
    `events: { poll_ms: ${parts.eventsPollMs ?? 0} }`,
    'switches:',
    '  sw0:',
    '    backend: { kind: emulator, topology: topology.yaml }',
    parts.moreConfig ?? '',
  ].join('\n');
}

/** Operations are polled by the broker; their end is followed by a read of the topology. */
async function settled(core: CoreApi, watcher: Credential, requests: readonly CciRequest[]): Promise<void> {
  for (const end = performance.now() + 15_000; performance.now() < end; ) {
    const operations = await core.operations(watcher, 'sw0');
    const seen = requests.length;
    await new Promise((done) => setTimeout(done, 2));
    if (operations.ok && operations.value.some(({ state }) => state === 'running')) continue;
    if (requests.length === seen) return;
  }
  throw new Error('the broker does not come to rest');
}

class SpyBackend implements Backend {
  readonly touchesHostHardware: boolean;
  private readonly inner: Backend;
  private readonly saw: (request: CciRequest) => void;

  constructor(inner: Backend, saw: (request: CciRequest) => void) {
    this.inner = inner;
    this.saw = saw;
    this.touchesHostHardware = inner.touchesHostHardware;
  }

  get identity() {
    return this.inner.identity;
  }

  get maxPayload() {
    return this.inner.maxPayload;
  }

  get maxInFlight() {
    return this.inner.maxInFlight;
  }

  open(): Promise<void> {
    return this.inner.open();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  execute(request: CciRequest, deadlineMs: number): Promise<CciReply> {
    this.saw(request);
    return this.inner.execute(request, deadlineMs);
  }
}
