import { accessSync, constants, readFileSync } from 'node:fs';
import { confineEarly } from './confine.ts';
import { type LandlockInForce, restrictByLandlock } from './landlock.ts';
import { loadNative } from './native.ts';
import { type LaunchPlan, type LaunchReport, planOf } from './plan.ts';
import { dropPrivileges, endWith, keepChannelAlone, setBounds } from './privileges.ts';

/**
 * Becomes the edge: gives up everything that the edge does not need, then executes it in this very process. Landlock and
 * no_new_privs belong to a thread and are handed on to what it executes, so they are set here, on the main thread, where
 * no other thread of Node's is left behind.
 *
 *   node launcher.ts PLAN      with the channel to the core at descriptor 3
 */
/** Read by the loader and by OpenSSL when a Node starts: it does not, where one is there and cannot be read. */
const OF_THE_SYSTEM = ['/etc/ld.so.cache', '/etc/ssl/openssl.cnf'];

const plan = planOf(process.argv[2] ?? '');

try {
  const report = await prepare(plan);
  process.execve?.(
    process.execPath,
    ['cci-edge', ...plan.nodeFlags, plan.script, JSON.stringify(report)],
    // Nothing of the core's environment: it may hold tokens and passwords.
    { NODE_DISABLE_COMPILE_CACHE: '1' },
  );
  throw new Error('this Node cannot execute another program in its place');
} catch (error) {
  process.stderr.write(`the edge cannot be started: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function prepare(plan: LaunchPlan): Promise<LaunchReport> {
  const result = await loadNative();
  // Whoever started this has looked: without it the edge is started in another way.
  if (!result.ok) throw new Error(result.why);
  const { native } = result;
  // Looked at before the user changes: what is one's own is not one's own afterwards.
  const libraries = mappedFiles();
  setBounds(native, plan.descriptors);
  dropPrivileges(native, plan);
  endWith(native, plan.parent);
  mustRead(plan);
  const landlock = restrictByLandlock(native, {
    execute: [process.execPath, ...libraries],
    read: [...plan.readable, ...OF_THE_SYSTEM],
    bindPorts: plan.bindPorts,
  });
  keepChannelAlone(native);
  const filter = confineEarly(native);
  return {
    noNewPrivileges: true,
    ...(landlock.ok ? { landlock: landlock.inForce } : {}),
    ...(filter.ok ? { earlyFilter: true } : {}),
    absent: [
      ...(landlock.ok ? missingOf(landlock.inForce) : [`Landlock (${landlock.why})`]),
      ...(filter.ok ? [] : [`seccomp (${filter.why})`]),
    ],
  };
}

function missingOf({ abi, network, scope }: LandlockInForce): readonly string[] {
  return [
    ...(network ? [] : [`Landlock for the network (version ${abi} has none; 4 has)`]),
    ...(scope ? [] : [`Landlock for signals (version ${abi} has none; 6 has)`]),
  ];
}

/** Every file that Node and the way to system calls are made of: they are mapped now. */
function mappedFiles(): readonly string[] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return [...new Set(lines.flatMap((line) => /\s(\/.+?)(?: \(deleted\))?$/.exec(line)?.[1] ?? []))];
}

function mustRead({ account, readable }: LaunchPlan): void {
  for (const path of [process.execPath, ...readable]) {
    try {
      accessSync(path, constants.R_OK);
    } catch {
      const who = account === undefined ? 'this user' : `the user ${account.name}`;
      throw new Error(`${who} cannot read ${path}: put the program where it can be read, or name another edge user`);
    }
  }
}
