#!/usr/bin/env node
// Starts `cci` from a checkout or a package. The sources are TypeScript that Node runs as it is, from version 24 on; on an
// older Node the one that the lock file pins takes over. Plain JavaScript, because an old Node has to read it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'src', 'cli', 'main.ts');
const built = join(root, 'dist', 'cli', 'main.js');

if (Number.parseInt(process.versions.node, 10) >= OLDEST) {
  quietTypeStripping();
  await rememberCompiled();
  await import(pathToFileURL(existsSync(source) ? await quickest() : built).href);
} else {
  const node = pinnedNode();
  if (node === undefined) {
    process.stderr.write(
      `cci: Node ${process.versions.node} is too old, and the pinned one is not installed\n` +
        `  next: run \`npm ci\` in ${root}, or use Node ${OLDEST} or newer\n`,
    );
    process.exitCode = 1;
  } else handOver(node);
}

/** Node's remark that type stripping is experimental is nothing that a user could act on. Other warnings stay. */
function quietTypeStripping() {
  const warn = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const kind = typeof rest[0] === 'object' ? rest[0]?.type : rest[0];
    if (kind === 'ExperimentalWarning' && /type stripping/i.test(String(warning))) return;
    warn.call(process, warning, ...rest);
  };
}

/**
 * Code that was compiled once is not compiled again: half of the time to start is compiling. Kept beside the packages, which
 * whoever may write there could change as well; never in a shared directory such as /tmp. Where that can't be written, nothing
 * is kept.
 */
async function rememberCompiled() {
  const { enableCompileCache } = await import('node:module');
  const packages = join(root, 'node_modules');
  if (existsSync(packages)) enableCompileCache?.(join(packages, '.cache', 'cci'));
}

/** The sources in one file, where there is one and nothing has changed since; it starts in two thirds of the time. */
async function quickest() {
  const { bundleIn } = await import('./bundle.js');
  return bundleIn(root).main ?? source;
}

/** The Node of the lock file, for this machine. */
function pinnedNode() {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`);
    const node = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** Runs the same command line on another Node: same streams, signals passed on, same end. */
function handOver(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) {
    process.on(signal, () => {
      // A terminal sends these to the child as well; twice would mean "do not wait".
      if (process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
      child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`cci: ${node} does not start (${error.code})\n  next: run \`npm ci\` in ${root} again\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    // The shell's way of telling a signal, for it may not be allowed to end this process.
    process.exitCode = signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0);
  });
}
