import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { type FileProblem, type LocatedFile, parseYaml } from '../../yaml/index.ts';
import type { CommandLimits, QuotaSettings, TenantQuota } from '../quota/index.ts';
import { type AuthenticationSettings, authenticationSettings } from './authentication-schema.ts';
import { type ConsoleSettings, consoleContradictions, consoleSettings, consoleTenants } from './console-settings.ts';
import { type EdgeSettings, edgeContradictions, edgeSettings } from './edge-schema.ts';
import { exposedFiles } from './exposed-files.ts';
import { type HttpSettings, httpContradictions, httpSettings } from './http-schema.ts';
import { type JournalSettings, journalContradictions, journalSettings } from './journal-settings.ts';
import {
  type ListenerSettings,
  listenerContradictions,
  listenerSettings,
  upstreamContradictions,
} from './listener-schema.ts';
import { namedFiles, productionContradictions } from './production.ts';
import { type BrokerConfigFile, BrokerConfigSchema, type QuotaFile } from './schema.ts';

/** A checked configuration with absolute paths and every default written out. */
export interface BrokerConfig {
  readonly file: string;
  readonly profile: 'host' | 'bmc';
  readonly production: boolean;
  readonly http: HttpSettings;
  /** Doors besides HTTP; paths are absolute. */
  readonly listeners: readonly ListenerSettings[];
  readonly edge: EdgeSettings;
  readonly stateDirectory: string;
  readonly fabric: string;
  readonly policyDirectory: string;
  readonly discloseReasons: 'own' | 'none';
  readonly policyReload: 'watch' | 'manual';
  readonly crosscheck: 'off' | 'sampled';
  /** A candidate policy that decides beside the one in force, for these tenants. */
  readonly shadow?: { readonly directory: string; readonly tenants: readonly string[] };
  readonly issuers: BrokerConfigFile['issuers'];
  readonly authentication: AuthenticationSettings;
  readonly lockdown: {
    readonly level: 'none' | 'integrity' | 'confidentiality';
    readonly underLockdown: 'allow' | 'reads' | 'off';
    readonly kernelLockdown: 'read' | 'not-built';
  };
  readonly rawCommands: 'off' | 'taints-this-switch';
  readonly rawAllowAll: boolean;
  readonly mirrorKernelTaint: boolean;
  readonly limits: {
    readonly queue: number;
    readonly queuePerTenant: number;
    readonly perTenant: number;
    readonly commandTimeoutMs: number;
    readonly busyPollUs: number;
    readonly waitMs: number;
    readonly unbindWaitMs: number;
  };
  readonly quotas: QuotaSettings;
  /** Shares of the tenants whose weight is not 1. */
  readonly weights: ReadonlyMap<string, number>;
  /** Tenants that the file names; the fabric file has to have them. */
  readonly tenantsNamed: readonly string[];
  readonly topology: { readonly rereadMs: number };
  readonly events: { readonly pollMs: number; readonly keep: number; readonly components: boolean };
  readonly journal: JournalSettings;
  /** Absent: there are no consoles. */
  readonly console?: ConsoleSettings;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly switches: ReadonlyMap<string, SwitchSettings>;
}

export interface SwitchSettings {
  readonly backend: BrokerConfigFile['switches'][string]['backend'];
  readonly cci: 'fm-interface' | 'host-mailbox';
  readonly neverSend: ReadonlyMap<number, string>;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: BrokerConfig }
  /** `config` where the file is well formed and only contradicts itself: enough to look for more, not to start with. */
  | { readonly ok: false; readonly problems: readonly FileProblem[]; readonly config?: BrokerConfig };

/** Reads a configuration file. All problems at once; never throws. */
export async function loadConfig(path: string): Promise<ConfigResult> {
  const file = resolve(path);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return {
      ok: false,
      problems: [{ file: path, line: 1, column: 1, message: error instanceof Error ? error.message : String(error) }],
    };
  }
  const parsed = parseYaml(BrokerConfigSchema, text, file);
  if (!parsed.ok) return parsed;
  const { content, problemAt } = parsed.value;
  const config = complete(content, file);
  const problems = [...contradictions(parsed.value)];
  if (config.production) {
    for (const exposed of await exposedFiles(namedFiles(config))) problems.push(problemAt(['production'], exposed));
  }
  return problems.length > 0 ? { ok: false, problems, config } : { ok: true, config };
}

/** Checks the text of a configuration file alone; relative paths count from the folder of `file`. */
export function parseConfig(text: string, file: string): ConfigResult {
  const parsed = parseYaml(BrokerConfigSchema, text, file);
  if (!parsed.ok) return parsed;
  const problems = contradictions(parsed.value);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, config: complete(parsed.value.content, file) };
}

/** Is this an address that only this machine can reach? Names other than `localhost` are not looked up. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

function contradictions({ content, problemAt }: LocatedFile<BrokerConfigFile>): readonly FileProblem[] {
  const problems: FileProblem[] = [];
  for (const { place, message } of httpContradictions(content.http, isLoopback)) {
    problems.push(problemAt(['http', ...place], message));
  }
  if (content.production) {
    for (const { place, message } of productionContradictions(content, isLoopback)) {
      problems.push(problemAt(place, message));
    }
  }
  if (content.raw_allow_all && content.raw_commands !== 'taints-this-switch') {
    problems.push(problemAt(['raw_allow_all'], '`raw_allow_all` means nothing while `raw_commands` is off'));
  }
  if (content.profile === 'host' && content.raw_commands === 'taints-this-switch') {
    problems.push(problemAt(['raw_commands'], 'raw commands need profile `bmc`: profile `host` never passes one'));
  }
  problems.push(
    ...quotaContradictions(content.limits?.quota, (path) => problemAt(['limits', 'quota', ...path.at], path.text)),
  );
  for (const [name, { quota }] of Object.entries(content.tenants ?? {})) {
    problems.push(
      ...quotaContradictions(quota, (path) => problemAt(['tenants', name, 'quota', ...path.at], path.text)),
    );
  }
  const { directory, shadow } = content.policy;
  if (shadow !== undefined && resolve('/', shadow.directory) === resolve('/', directory)) {
    problems.push(
      problemAt(['policy', 'shadow', 'directory'], 'the candidate is the policy in force: name another directory'),
    );
  }
  for (const { place, message } of journalContradictions(content.journal)) {
    problems.push(problemAt(['journal', ...place], message));
  }
  for (const { place, message } of edgeContradictions(content.edge, content.production === true)) {
    problems.push(problemAt(['edge', ...place], message));
  }
  const names = Object.keys(content.switches);
  for (const { place, message } of consoleContradictions(content.console, names)) {
    problems.push(problemAt(['console', ...place], message));
  }
  for (const { place, message } of listenerContradictions(content.listeners ?? [], names, isLoopback)) {
    problems.push(problemAt(['listeners', ...place], message));
  }
  for (const [name, settings] of Object.entries(content.switches)) {
    const { backend } = settings;
    for (const { place, message } of backend.kind === 'mctp-tcp' ? upstreamContradictions(backend, isLoopback) : []) {
      problems.push(problemAt(['switches', name, 'backend', ...place], message));
    }
    const seen = new Set<string>();
    settings.never_send?.forEach((row, i) => {
      if (seen.has(row.opcode)) {
        problems.push(problemAt(['switches', name, 'never_send', i], `\`${row.opcode}\` stands twice`));
      }
      seen.add(row.opcode);
    });
  }
  return problems;
}

function quotaContradictions(
  quota: QuotaFile | undefined,
  problem: (found: { readonly at: readonly string[]; readonly text: string }) => FileProblem,
): readonly FileProblem[] {
  const parts = [{ at: [] as string[], limits: quota }];
  for (const [name, limits] of Object.entries(quota?.classes ?? {})) parts.push({ at: ['classes', name], limits });
  return parts
    .filter(({ limits }) => limits?.burst !== undefined && limits.commands_per_second === undefined)
    .map(({ at }) =>
      problem({ at: [...at, 'burst'], text: '`burst` means nothing without `commands_per_second` beside it' }),
    );
}

function tenantSettings(content: BrokerConfigFile): Pick<BrokerConfig, 'quotas' | 'weights' | 'tenantsNamed'> {
  const tenants = Object.entries(content.tenants ?? {});
  return {
    quotas: {
      general: quotaOf(content.limits?.quota),
      concurrent: content.limits?.per_tenant ?? 256,
      tenants: new Map(
        tenants.flatMap(([name, { quota }]) => (quota === undefined ? [] : [[name, quotaOf(quota)] as const])),
      ),
    },
    weights: new Map(tenants.flatMap(([name, { weight }]) => (weight === undefined ? [] : [[name, weight] as const]))),
    tenantsNamed: [...tenants.map(([name]) => name), ...consoleTenants(content.console)],
  };
}

function quotaOf(file: QuotaFile | undefined): TenantQuota {
  const { background, bytes_per_second: bytesPerSecond, classes } = file ?? {};
  return {
    ...limitsOf(file),
    ...(background === undefined ? {} : { background }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    ...(classes === undefined
      ? {}
      : { classes: Object.fromEntries(Object.entries(classes).map(([name, limits]) => [name, limitsOf(limits)])) }),
  };
}

function limitsOf(file: Pick<QuotaFile, 'commands_per_second' | 'burst' | 'concurrent'> | undefined): CommandLimits {
  const { commands_per_second: commandsPerSecond, burst, concurrent } = file ?? {};
  return {
    ...(commandsPerSecond === undefined ? {} : { commandsPerSecond }),
    ...(burst === undefined ? {} : { burst }),
    ...(concurrent === undefined ? {} : { concurrent }),
  };
}

function complete(content: BrokerConfigFile, file: string): BrokerConfig {
  const here = dirname(file);
  const path = (relative: string): string => resolve(here, relative);
  return {
    file,
    profile: content.profile,
    production: content.production ?? false,
    http: httpSettings(content.http, path),
    listeners: (content.listeners ?? []).map((one) => listenerSettings(one, path)),
    edge: edgeSettings(content.edge, content.production === true),
    stateDirectory: path(content.state_directory),
    fabric: path(content.fabric),
    policyDirectory: path(content.policy.directory),
    discloseReasons: content.policy.disclose_reasons ?? 'own',
    // In production a change comes into force when somebody says so, and the record names him.
    policyReload: content.policy.reload ?? (content.production === true ? 'manual' : 'watch'),
    crosscheck: content.policy.crosscheck ?? 'sampled',
    ...(content.policy.shadow === undefined
      ? {}
      : { shadow: { directory: path(content.policy.shadow.directory), tenants: content.policy.shadow.tenants } }),
    issuers: content.issuers.map((issuer) => withAbsolutePaths(issuer, path)),
    authentication: authenticationSettings(content.authentication),
    lockdown: {
      level: content.lockdown?.level ?? 'none',
      underLockdown: content.lockdown?.under_lockdown ?? 'allow',
      kernelLockdown: content.lockdown?.kernel_lockdown ?? 'read',
    },
    rawCommands: content.raw_commands ?? 'off',
    rawAllowAll: content.raw_allow_all ?? false,
    mirrorKernelTaint: content.mirror_kernel_taint ?? false,
    limits: {
      queue: content.limits?.queue ?? 1024,
      queuePerTenant: content.limits?.queue_per_tenant ?? 256,
      perTenant: content.limits?.per_tenant ?? 256,
      commandTimeoutMs: content.limits?.command_timeout_ms ?? 2000,
      busyPollUs: content.limits?.busy_poll_us ?? 150,
      waitMs: content.limits?.wait_ms ?? 10_000,
      unbindWaitMs: content.limits?.unbind_wait_ms ?? 600_000,
    },
    ...tenantSettings(content),
    topology: { rereadMs: content.topology?.reread_ms ?? 5000 },
    events: {
      pollMs: content.events?.poll_ms ?? 1000,
      keep: content.events?.keep ?? 1000,
      components: content.events?.components ?? false,
    },
    journal: journalSettings(content.journal, path),
    ...(content.console === undefined ? {} : { console: consoleSettings(content.console, path) }),
    logLevel: content.log?.level ?? 'info',
    switches: new Map(
      Object.entries(content.switches).map(([name, settings]) => [
        name,
        {
          backend: backendWithAbsolutePaths(settings.backend, path),
          cci: settings.cci ?? 'fm-interface',
          neverSend: new Map(settings.never_send?.map((row) => [Number(row.opcode), row.reason]) ?? []),
        },
      ]),
    ),
  };
}

function withAbsolutePaths(
  issuer: BrokerConfigFile['issuers'][number],
  path: (relative: string) => string,
): BrokerConfigFile['issuers'][number] {
  const { jwks_file: keys, jwks_ca_file: authorities, directory } = issuer;
  return {
    ...issuer,
    ...(keys === undefined ? {} : { jwks_file: path(keys) }),
    ...(authorities === undefined ? {} : { jwks_ca_file: path(authorities) }),
    ...(directory === undefined ? {} : { directory: path(directory) }),
  };
}

function backendWithAbsolutePaths(
  backend: SwitchSettings['backend'],
  path: (relative: string) => string,
): SwitchSettings['backend'] {
  if (backend.kind === 'emulator') return { ...backend, topology: path(backend.topology) };
  if (backend.kind !== 'qtest') return backend;
  return 'socket' in backend.qtest
    ? { ...backend, qtest: { ...backend.qtest, socket: path(backend.qtest.socket) } }
    : backend;
}
