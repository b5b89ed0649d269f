import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { type FileProblem, type LocatedFile, parseYaml } from '../../yaml/index.ts';
import { type BrokerConfigFile, BrokerConfigSchema } from './schema.ts';

/** A checked configuration with absolute paths and every default written out. */
export interface BrokerConfig {
  readonly file: string;
  readonly profile: 'host' | 'bmc';
  readonly production: boolean;
  readonly http: { readonly host: string; readonly port: number };
  readonly stateDirectory: string;
  readonly fabric: string;
  readonly policyDirectory: string;
  readonly discloseReasons: 'own' | 'none';
  readonly issuers: BrokerConfigFile['issuers'];
  readonly lockdown: {
    readonly level: 'none' | 'integrity' | 'confidentiality';
    readonly underLockdown: 'allow' | 'reads' | 'off';
    readonly kernelLockdown: 'read' | 'not-built';
  };
  readonly rawCommands: 'off' | 'taints-this-switch';
  readonly rawAllowAll: boolean;
  readonly mirrorKernelTaint: boolean;
  readonly limits: { readonly queue: number; readonly perTenant: number; readonly commandTimeoutMs: number };
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
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

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
  return parseConfig(text, file);
}

/** Checks the text of a configuration file; relative paths count from the folder of `file`. */
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
  if (!isLoopback(content.http.host)) {
    problems.push(
      problemAt(
        ['http', 'host'],
        `\`${content.http.host}\` can be reached from other machines and there is no TLS here yet: use 127.0.0.1`,
      ),
    );
  }
  if (content.production) {
    if (content.raw_commands === 'taints-this-switch') {
      problems.push(problemAt(['raw_commands'], 'a production profile cannot turn raw commands on (R18)'));
    }
    if (content.raw_allow_all) problems.push(problemAt(['raw_allow_all'], 'not in a production profile'));
    content.issuers.forEach((issuer, i) => {
      if ('kind' in issuer && issuer.kind === 'development') {
        problems.push(problemAt(['issuers', i], 'the development issuer is not for production: name a real issuer'));
      }
    });
  }
  if (content.raw_allow_all && content.raw_commands !== 'taints-this-switch') {
    problems.push(problemAt(['raw_allow_all'], '`raw_allow_all` means nothing while `raw_commands` is off'));
  }
  if (content.profile === 'host' && content.raw_commands === 'taints-this-switch') {
    problems.push(problemAt(['raw_commands'], 'raw commands need profile `bmc`: profile `host` never passes one'));
  }
  for (const [name, settings] of Object.entries(content.switches)) {
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

function complete(content: BrokerConfigFile, file: string): BrokerConfig {
  const here = dirname(file);
  const path = (relative: string): string => resolve(here, relative);
  return {
    file,
    profile: content.profile,
    production: content.production ?? false,
    http: content.http,
    stateDirectory: path(content.state_directory),
    fabric: path(content.fabric),
    policyDirectory: path(content.policy.directory),
    discloseReasons: content.policy.disclose_reasons ?? 'own',
    issuers: content.issuers.map((issuer) => withAbsolutePaths(issuer, path)),
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
      perTenant: content.limits?.per_tenant ?? 256,
      commandTimeoutMs: content.limits?.command_timeout_ms ?? 2000,
    },
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
  const { jwks_file: keys, directory } = issuer;
  return {
    ...issuer,
    ...(keys === undefined ? {} : { jwks_file: path(keys) }),
    ...(directory === undefined ? {} : { directory: path(directory) }),
  };
}

function backendWithAbsolutePaths(
  backend: SwitchSettings['backend'],
  path: (relative: string) => string,
): SwitchSettings['backend'] {
  if (backend.kind === 'emulator') return { ...backend, topology: path(backend.topology) };
  return 'socket' in backend.qtest
    ? { ...backend, qtest: { ...backend.qtest, socket: path(backend.qtest.socket) } }
    : backend;
}
