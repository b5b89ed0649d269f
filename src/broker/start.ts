import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import packageJson from '../../package.json' with { type: 'json' };
import type { Backend } from '../backend/index.ts';
import { decodePayload, isTyped, type Reply, rowBySlug } from '../cci/index.ts';
import type { RuleEngine } from '../policy/index.ts';
import { hostBootId, PostureRegister } from '../taint/index.ts';
import { formatProblem } from '../yaml/index.ts';
import { AuthConfigError, createAuthenticator, eitherRevokes, type Revocations } from './auth/index.ts';
import { authenticationOptions, countRefusedTokens, openRevocations } from './authentication-open.ts';
import type { EdgeAccounts } from './channel/index.ts';
import { type BrokerConfig, isLoopback, loadConfig, needsTls, type SwitchSettings } from './config/index.ts';
import { type ConsoleOverrides, consoleLines, openConsoles } from './console-open.ts';
import { Core } from './core.ts';
import type { CoreApi } from './core-api.ts';
import { Device } from './device.ts';
import { openSwitchEvents } from './events/index.ts';
import { Pseudonyms, pseudonymSecret } from './filter/index.ts';
import { openConfiguredJournal } from './journal-open.ts';
import { openLimits, turnOptions } from './limits-open.ts';
import { BrokerMetrics } from './metrics.ts';
import { openOperations } from './operations-open.ts';
import type { Services, SwitchRuntime } from './pipeline/index.ts';
import { startCrosscheck, watchPolicy } from './policy-guards.ts';
import { type LoadedPolicy, type LoadPolicy, PolicyHolder } from './policy-holder.ts';
import { policyLoader } from './policy-load.ts';
import { startupBlock } from './startup-block.ts';
import { TagOwners } from './tag-owners.ts';
import { SwitchTopology } from './topology.ts';
import { WatchedFabric } from './topology-open.ts';

/** Why the broker does not start: every problem that was found, in sentences. */
export class StartError extends Error {
  readonly code = 'ESTART';
  readonly problems: readonly string[];

  constructor(what: string, problems: readonly string[]) {
    super(`${what}\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'StartError';
    this.problems = problems;
  }
}

export interface StartOverrides {
  /** Listen elsewhere than the file says. */
  readonly http?: { readonly host?: string; readonly port?: number };
  readonly stateDirectory?: string;
  /** Puts something between the broker and a backend; tests inject faults with it. */
  readonly wrapBackend?: (name: string, backend: Backend) => Backend;
  /** Tokens that were taken back, besides those that the state directory says. */
  readonly revocations?: Revocations;
  /** Puts something between the decision and the policy engine; tests sabotage it. */
  readonly wrapEngine?: (engine: RuleEngine) => RuleEngine;
  /** Mean time between two decisions that are taken to the reference. */
  readonly crosscheckIntervalMs?: number;
  /** Puts something in place of the machine's terminals, or of recordings. */
  readonly console?: ConsoleOverrides;
  readonly log?: Logger;
  readonly logLevel?: BrokerConfig['logLevel'];
}

/** A running core, without listeners. */
export interface RunningBroker {
  readonly core: CoreApi;
  readonly config: BrokerConfig;
  /** What is served and what is in force, for people. */
  readonly startupBlock: string;
  readonly log: Logger;
  /** Where an edge in a process of its own is written down and counted. */
  readonly edgeAccounts: EdgeAccounts;
  /** Problems of the files; empty when the new policy is in force. */
  reloadPolicy(by: string): Promise<readonly string[]>;
  /**
   * Ends every console and opens no other, while there still are listeners: whoever is at one reads why it ended, and does not
   * take the end of his connection for one that comes back.
   */
  endConsoles(): Promise<void>;
  /** Everything recorded so far is on the disk. @throws JournalError */
  flushJournal(): Promise<void>;
  /** Finishes what is in flight, refuses the rest, and lets go of devices and journal. */
  close(): Promise<void>;
}

/**
 * Starts the core: configuration, policy, keys, journal, devices, in that order, so that nothing touches a device that
 * could not be decided about or recorded.
 *
 * @throws StartError with all problems of the failing step
 */
export async function startBroker(configPath: string, overrides: StartOverrides = {}): Promise<RunningBroker> {
  const config = await configOf(configPath, overrides);
  const log =
    overrides.log ??
    pino(
      { level: config.logLevel, redact: ['token', '*.token', 'payload', '*.payload', 'headers.authorization'] },
      pino.destination(2),
    );
  await mkdir(config.stateDirectory, { recursive: true, mode: 0o700 });
  const load = policyLoader(config, overrides.wrapEngine, log);
  const watch = await watchPolicy(config, log);
  const failed = async (error: unknown): Promise<never> => {
    await watch?.stop();
    throw error;
  };
  const first = await firstPolicy(load).catch(failed);
  const policy = new PolicyHolder(first, load);
  const revocationList = await openRevocations(config).catch((error: unknown) =>
    failed(new StartError('the revocations cannot be used:', [text(error)])),
  );
  const { revocations: more } = overrides;
  const revocations = more === undefined ? revocationList : eitherRevokes(revocationList, more);
  const authenticator = await authenticatorOf(config, policy, log, revocations).catch(failed);
  const switches = new Map<string, SwitchRuntime>();
  const metrics = new BrokerMetrics();
  const journal = await openConfiguredJournal(config, log, metrics, {
    onError: (error) => {
      log.error({ err: error }, 'the journal cannot be written: commands are refused');
      for (const runtime of switches.values()) taintDegraded(runtime, log);
    },
    onRecovered: () => log.warn('the journal can be written again'),
  }).catch((error: unknown) => failed(new StartError('the journal cannot be used:', [text(error)])));
  const nowMs = () => Date.now();
  const limits = openLimits(config, journal, switches);
  const crosscheck = startCrosscheck(first, {
    ...{ config, policy, journal, metrics, log },
    ...(overrides.crosscheckIntervalMs === undefined ? {} : { crosscheckIntervalMs: overrides.crosscheckIntervalMs }),
  });
  const services: Services = {
    authenticator,
    ...(crosscheck === undefined ? {} : { crosscheck }),
    revocations,
    revocationList,
    refusedTokens: countRefusedTokens(journal, log),
    policy,
    journal,
    recording: config.journal,
    switches,
    metrics,
    log,
    ...limits,
    nowMs,
  };
  const consoles = await openConsoles(config, services, overrides.console).catch((error: unknown) =>
    failed(new StartError('consoles cannot be opened:', [text(error)])),
  );
  const core = new Core(services, consoles);
  const close = async (): Promise<void> => {
    await watch?.stop();
    await crosscheck?.close();
    await consoles?.close();
    for (const runtime of switches.values()) {
      runtime.operations.stop();
      await runtime.events.close();
      runtime.topology.stop();
      await runtime.device.close();
      await runtime.operations.saved();
      await runtime.posture
        .flush()
        .catch((error: unknown) => log.error({ err: error }, 'the counts of the taint register could not be written'));
    }
    await limits.refusals.flush();
    await services.refusedTokens?.flush();
    await authenticator.close();
    await journal
      .append('stop', { reason: 'asked to stop' }, { durable: true })
      .catch((error: unknown) => log.error({ err: error }, 'no stop record'));
    await journal
      .close()
      .catch((error: unknown) => log.error({ err: error }, 'the journal could not be closed in order'));
  };
  try {
    for (const [name, settings] of config.switches) {
      switches.set(name, await openSwitch(name, settings, config, services, log, overrides));
    }
    await recordStart(services, config);
    for (const runtime of switches.values()) {
      runtime.fabric.recordFromNowOn();
      await runtime.topology.lookAtClock();
    }
    for (const runtime of switches.values()) runtime.events.start();
    watch?.begin(policy, () => core.reload({ principal: 'file change', quietIfSame: true }));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    core,
    config,
    startupBlock: [startupBlock(config, services), ...(await consoleLines(config, consoles))].join('\n'),
    log,
    edgeAccounts: edgeAccounts(services),
    endConsoles: async () => consoles?.close(),
    flushJournal: () => journal.flush(),
    // Told, not thrown: whoever sends a signal catches nothing, and a full disk must not end the broker.
    reloadPolicy: (by) =>
      core.reload({ principal: by }).catch((error: unknown) => {
        log.error({ err: error }, 'the policy could not be loaded, or that could not be recorded');
        return [`what became of the policy could not be recorded: ${text(error)}`];
      }),
    close,
  };
}

function edgeAccounts({ journal, metrics, log }: Pick<Services, 'journal' | 'metrics' | 'log'>): EdgeAccounts {
  return {
    log,
    record: async (body, durable) => void (await journal.append('edge', body, { durable })),
    isUp: (isUp) => metrics.edgeUp.set(isUp ? 1 : 0),
    ended: (reason) => metrics.edgeEnds.inc({ reason }),
    violated: (violation) => metrics.edgeViolations.inc({ violation }),
  };
}

/** Where the key of the development issuer lives. */
export function developmentDirectory(config: BrokerConfig): string {
  return join(config.stateDirectory, 'issuer');
}

async function configOf(path: string, overrides: StartOverrides): Promise<BrokerConfig> {
  const loaded = await loadConfig(path);
  if (!loaded.ok) throw new StartError('the configuration cannot be used:', loaded.problems.map(formatProblem));
  const { config } = loaded;
  const host = overrides.http?.host ?? config.http.host;
  if (!isLoopback(host) && config.http.tls === undefined) {
    throw new StartError('the configuration cannot be used:', [needsTls(host)]);
  }
  return {
    ...config,
    http: { ...config.http, ...overrides.http },
    stateDirectory: overrides.stateDirectory ?? config.stateDirectory,
    logLevel: overrides.logLevel ?? config.logLevel,
  };
}

async function firstPolicy(load: LoadPolicy): Promise<LoadedPolicy> {
  const first = await load();
  if (!first.ok) throw new StartError('the policy cannot be used:', first.problems);
  if (first.policy === undefined) throw new StartError('the policy cannot be used:', ['nothing was loaded']);
  return first.policy;
}

async function authenticatorOf(config: BrokerConfig, policy: PolicyHolder, log: Logger, revocations: Revocations) {
  try {
    return await createAuthenticator(config.issuers, {
      clock: { now: Date.now },
      knownTenants: { has: (tenant) => policy.current.fabric.tenants.includes(tenant) },
      revocations,
      developmentDirectory: developmentDirectory(config),
      production: config.production,
      ...authenticationOptions(config),
      report: (sentence) => log.warn(sentence),
    });
  } catch (error) {
    if (error instanceof AuthConfigError) throw new StartError('the issuers cannot be used:', error.problems);
    throw error;
  }
}

async function openSwitch(
  name: string,
  settings: SwitchSettings,
  config: BrokerConfig,
  parts: Pick<Services, 'journal' | 'policy' | 'metrics'>,
  log: Logger,
  overrides: StartOverrides,
): Promise<SwitchRuntime> {
  const { journal } = parts;
  const made = await makeBackend(settings);
  const backend = overrides.wrapBackend?.(name, made) ?? made;
  const device = new Device(backend, {
    ...turnOptions(config, parts.metrics),
    timeoutMs: config.limits.commandTimeoutMs,
    neverSend: settings.neverSend,
    onStateChange: (state) => {
      log[state === 'quarantined' ? 'error' : 'debug']({ switch: name, state }, 'the switch changed its state');
      if (state === 'quarantined') topology.lose();
      if (state === 'quarantined') onLost();
      if (state === 'serving' && started) topology.refresh().catch(() => topology.forget());
    },
  });
  const fabric = new WatchedFabric({ name, stateDirectory: config.stateDirectory, journal, log });
  const tags = new TagOwners(config.stateDirectory, name);
  const topology = new SwitchTopology((command) => device.own(command), {
    switchCci: settings.cci,
    neverSend: settings.neverSend,
    maxPayload: () => device.maxPayload,
    watch: fabric.watch,
    rereadMs: config.topology.rereadMs,
    beforeClockSet: () => fabric.beforeClockSet(),
    tagOwner: (place, tag) => tags.ownerOf(place, tag),
    assumedCel: made.assumedCel,
  });
  let started = false;
  let onLost = (): void => {};
  try {
    await device.open();
    for (const note of device.identity.notes ?? []) log.warn({ switch: name }, note);
    await fabric.restore(device.identity.session);
    const damage = await tags.open();
    if (damage !== undefined) log.error({ switch: name }, damage);
    const cel = await topology.readCel([]);
    if (!cel.ok) throw new StartError(`switch ${name} has no usable Command Effects Log (R3):`, [cel.text]);
    const serial = await serialOf(device);
    const read = await topology.refresh();
    if (!read.ok) throw new StartError(`switch ${name} does not tell its ports:`, [read.text]);
    const posture = await PostureRegister.open({
      switchPath: `/switches/${name}`,
      profile: config.profile,
      lockdown: config.lockdown.level,
      rawCommands: config.rawCommands,
      rawAllowAll: config.rawAllowAll,
      underLockdown: config.lockdown.underLockdown,
      consultKernel: device.touchesHostHardware,
      kernelLockdown: config.lockdown.kernelLockdown,
      ledgerPath: join(config.stateDirectory, `taint-${name}.json`),
      serial,
      journalNotEmpty: journal.report.switches.has(name),
      bootId: () => (device.touchesHostHardware ? hostBootId() : device.identity.bootId),
      now: Date.now,
      mirrorKernelTaint: config.mirrorKernelTaint,
    });
    await fabric.attach(posture);
    const events = await openSwitchEvents(name, config, parts, { device, topology, posture }, log);
    onLost = () => events.forget();
    started = true;
    topology.watch();
    const operations = await openOperations(name, config, { device, journal, log }, async () => {
      events.wake();
      await topology.refresh().catch(() => topology.forget());
    });
    const pseudonyms = new Pseudonyms(await pseudonymSecret(config.stateDirectory), device.identity.bootId);
    return { name, device, topology, fabric, posture, operations, tags, pseudonyms, events };
  } catch (error) {
    await device.close();
    if (error instanceof StartError) throw error;
    throw new StartError(`switch ${name} cannot be opened:`, [text(error)]);
  }
}

/** Drivers that no switch needs are not loaded. */
async function makeBackend(settings: SwitchSettings): Promise<Backend> {
  const { backend } = settings;
  switch (backend.kind) {
    case 'qtest':
      return (await import('../backend/mailbox/index.ts')).createQtestBackend(backend.qtest);
    case 'mctp-tcp':
      return (await import('../backend/mctp-tcp/index.ts')).createMctpTcpBackend(backend);
    case 'vfio':
    case 'sysfs':
    case 'chardev':
      // What can block or fault is driven by a process of its own.
      return (await import('../backend/worker/index.ts')).createWorkerBackend(backend);
    case 'emulator':
      // An emulated switch lives and dies with this host: its boot is the host's, so that a restart clears no taint.
      return (await import('../backend/emulator/index.ts')).createEmulatorBackend({
        topology: backend.topology,
        seed: backend.seed ?? 1,
        bootId: `emulator:${hostBootId() ?? 'unknown'}`,
      });
  }
}

async function serialOf(device: Device): Promise<string> {
  const row = rowBySlug('identify');
  const answer = await device.own({ hops: [], tags: [], opcode: 0x0001, payload: new Uint8Array(0) });
  if (row === undefined || !isTyped(row) || answer.kind !== 'reply') return '';
  const value = decodePayload(row.response, answer.reply.payload, { side: 'reply' });
  return value.ok ? (value.value as unknown as Reply<'identify'>).device_serial_number.toString(16) : '';
}

async function recordStart(services: Services, config: BrokerConfig): Promise<void> {
  const { policy, journal, switches } = services;
  for (const id of policy.current.loosened) {
    for (const runtime of switches.values()) {
      await runtime.posture.taint('B', {
        by: 'broker',
        record: 'start',
        scope: `/switches/${runtime.name}`,
        reason: `the shipped row ${id} is loosened`,
      });
    }
  }
  const { unknown, torn } = journal.report;
  if (torn !== undefined) services.log.warn({ torn }, 'the last record of the journal was incomplete and was cut off');
  if (unknown.length > 0)
    services.log.warn({ count: unknown.length }, 'commands of an earlier run have an unknown outcome');
  await journal.append(
    'start',
    {
      version: packageJson.version,
      pid: process.pid,
      snapshot: policy.current.id,
      details: {
        configSha256: createHash('sha256')
          .update(await readFile(config.file))
          .digest('hex'),
        profile: config.profile,
        loosened: policy.current.loosened,
        ...(config.shadow === undefined ? {} : { shadow: policy.shadow?.id, shadowTenants: config.shadow.tenants }),
        switches: [...switches.values()].map((runtime) => ({
          name: runtime.name,
          backend: runtime.device.identity.description,
          bootId: runtime.device.identity.bootId,
          lockdown: runtime.posture.posture().lockdown.effective,
          taint: runtime.posture.posture().taint.letters,
        })),
      },
    },
    { durable: true },
  );
  for (const runtime of switches.values()) {
    await journal.append(
      'posture',
      {
        switch: runtime.name,
        change: 'option',
        by: 'broker',
        reason: 'in force at start',
        after: shortPosture(runtime),
      },
      { durable: false },
    );
  }
}

function taintDegraded({ name, posture }: SwitchRuntime, log: Logger): void {
  const raising = {
    by: 'broker',
    record: 'journal',
    scope: `/switches/${name}`,
    reason: 'the journal could not be written',
  };
  posture.taint('A', raising).catch((error: unknown) => log.error({ err: error }, 'nor can the taint register'));
}

function shortPosture({ posture }: SwitchRuntime) {
  const { version, lockdown, taint } = posture.posture();
  return { version, lockdown: lockdown.effective, taint: taint.letters };
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
