import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { EdgeChild } from '../broker/channel/index.ts';
import type { RunningBroker } from '../broker/index.ts';
import type { EdgeAddresses, EdgeMaterial, EdgeOptions, EdgeSaid } from '../edge/index.ts';
import type { Account, Confinement, LaunchPlan, LaunchReport, NativeResult } from '../sandbox/index.ts';
import { edgeAccount } from './edge-account.ts';
import { optionsForProcess, portsOf, tokenFiles } from './edge-options.ts';
import { listenError } from './listen-error.ts';
import { safe } from './safe-text.ts';
import { LocalError } from './usage-error.ts';

/** An edge that listens, wherever it runs. */
export interface RunningEdge {
  readonly addresses: EdgeAddresses;
  /** The process that it runs in, where that is one of its own and there is one now. */
  readonly pid?: number | undefined;
  /** One line each, for the block that the broker shows at its start. */
  readonly lines: readonly string[];
  renew(material: EdgeMaterial): void;
  close(): Promise<void>;
}

/** What the edge's process needs of a broker. */
export type EdgeHost = Pick<RunningBroker, 'core' | 'edgeAccounts'> & {
  readonly config: Pick<RunningBroker['config'], 'edge'>;
};

/** A token file is short. */
const TOKEN_FILE_MOST = 64 * 1024;
/** Beside one for each client: streams of its own, listeners, the channel. */
const OWN_DESCRIPTORS = 256;
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8', '--no-parallel-scavenge'];

/**
 * Starts the edge as a process of its own, confined as far as this machine can, and keeps one running.
 *
 * @param options asked for anew for each edge: certificates may have changed
 * @throws LocalError where the first one cannot be started
 */
export async function startSeparateEdge(broker: EdgeHost, options: () => EdgeOptions): Promise<RunningEdge> {
  const [{ EdgeProcess, EdgeStartError }, { isEdgeSaid }, sandbox] = await Promise.all([
    import('../broker/channel/index.ts'),
    import('../edge/process/said.ts'),
    import('../sandbox/index.ts'),
  ]);
  const account = edgeAccount(broker.config.edge.user, sandbox.accountOf);
  const native = await sandbox.loadNative();
  const files = tokenFiles(options());
  let addresses: EdgeAddresses | undefined;
  let confinement: Confinement | undefined;
  let latest: EdgeOptions | undefined;
  const edge = new EdgeProcess({
    core: broker.core,
    accounts: broker.edgeAccounts,
    spawn: () => launched(sandbox, latest ?? options(), account, native),
    async options() {
      latest = await optionsForProcess(options(), addresses);
      return latest;
    },
    async onAsk(asked) {
      const name = typeof asked === 'object' && asked !== null && 'token' in asked ? asked.token : undefined;
      const file = typeof name === 'string' ? files.get(name) : undefined;
      return file === undefined ? '' : (await readFile(file, 'utf8')).slice(0, TOKEN_FILE_MOST);
    },
    async onReady(said, pid) {
      if (!isEdgeSaid(said)) throw new EdgeStartError('the edge said nothing that it should', []);
      if (!said.ok) throw refused(said);
      checkConfinement(said.confinement, sandbox.processStatus(pid), account);
      addresses ??= said.addresses;
      confinement = said.confinement;
      const { landlock, seccomp, noNewPrivileges, absent } = said.confinement;
      return { user: account?.name, noNewPrivileges, landlock: landlock?.abi, seccomp, absent };
    },
  });
  await edge.start().catch((error: unknown) => {
    if (!(error instanceof EdgeStartError)) throw error;
    throw new LocalError(error.message, 'mend what is named above, then start again', error.details);
  });
  if (addresses === undefined || confinement === undefined) throw new Error('an edge that is ready has addresses');
  return {
    addresses,
    get pid() {
      return edge.pid;
    },
    lines: linesOf(confinement, account, edge.pid),
    renew: (material) => edge.supply(material),
    close: () => edge.stop(),
  };
}

function launched(
  { launcherScript, programFiles }: typeof import('../sandbox/index.ts'),
  options: EdgeOptions,
  account: Account | undefined,
  native: NativeResult,
): EdgeChild {
  const connections = options.listeners.reduce((sum, { limits }) => sum + (limits?.connections ?? 256), 1024);
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const plan: LaunchPlan = {
    parent: process.pid,
    ...(account === undefined ? {} : { account }),
    script: fileURLToPath(new URL(`../edge/process/main.${extension}`, import.meta.url)),
    nodeFlags: NODE_FLAGS,
    readable: programFiles(),
    bindPorts: portsOf(options),
    descriptors: 2 * connections + OWN_DESCRIPTORS,
  };
  const child = spawn(process.execPath, native.ok ? byLauncher(launcherScript, plan) : byItself(plan, native.why), {
    // The launcher does it better, with capabilities and all; without it this is what Node itself can do.
    ...(native.ok || account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // Nothing of the environment, and a session of its own: what is typed at the terminal is for the core.
    env: {},
    cwd: '/',
    detached: true,
  });
  const ended = new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.once('exit', (code, signal) => done({ code, signal }));
    child.once('error', () => done({ code: null, signal: null }));
  });
  return {
    pid: child.pid ?? 0,
    channel: child.stdio[3] as Duplex,
    output: [child.stdout, child.stderr].filter((stream) => stream !== null),
    kill: () => void child.kill('SIGKILL'),
    ended,
  };
}

function byLauncher(launcher: string, plan: LaunchPlan): readonly string[] {
  return [...NODE_FLAGS.slice(0, 1), launcher, JSON.stringify(plan)];
}

function byItself({ script }: LaunchPlan, why: string): readonly string[] {
  const report: LaunchReport = { absent: [`limits, no_new_privs, Landlock and seccomp (${why})`] };
  return [...NODE_FLAGS, script, JSON.stringify(report)];
}

/** The edge was ours when it said this; that it is true is asked of the kernel. */
function checkConfinement(
  { noNewPrivileges, seccomp }: Confinement,
  status: ReturnType<typeof import('../sandbox/index.ts')['processStatus']>,
  account: Account | undefined,
): void {
  if (status === undefined) return;
  const differs =
    (noNewPrivileges === true && !status.noNewPrivileges) ||
    (seccomp !== undefined && status.seccomp !== 2) ||
    (account !== undefined && (status.uid !== account.uid || status.gid !== account.gid || status.groups.length > 0));
  if (differs) throw new LocalError('the edge is not confined as it says', 'this is a defect of the broker: report it');
}

function refused(said: Extract<EdgeSaid, { readonly ok: false }>): Error {
  const { door, where, why } = said;
  if (door !== undefined && where !== undefined) return listenError(door, where, why);
  return new LocalError(`the listeners cannot be opened: ${why}`, 'mend that, then start again');
}

/** What is in force and what is not, in words. */
function linesOf(
  { noNewPrivileges, landlock, seccomp, absent }: Confinement,
  account: Account | undefined,
  pid: number | undefined,
): readonly string[] {
  const who = account === undefined ? 'the same user (not started as root)' : `user ${account.name}`;
  const held = [
    ...(noNewPrivileges === true ? ['gains no privileges'] : []),
    ...(landlock === undefined ? [] : ['reads its program alone and writes no file']),
    ...(landlock?.network === true ? ['binds its ports alone and connects nowhere'] : []),
    ...(seccomp === undefined ? [] : [`may not make ${seccomp} system calls (exec, ptrace, new sockets)`]),
  ];
  return [
    `  edge       a process of its own (${pid}), ${who}`,
    ...(held.length === 0 ? [] : [`             ${held.slice(0, 2).join(', ')}`]),
    ...(held.length <= 2 ? [] : [`             ${held.slice(2).join(', ')}`]),
    ...absent.map((what) => `  ATTENTION  not in force for the edge: ${safe(what)}`),
  ];
}
