import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll, expect, test } from 'vitest';

/** A helper that answers each line with lines. */
class Helper {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: string[] = [];
  #wake: (() => void) | undefined;
  #hasEnded = false;

  constructor(...words: string[]) {
    const [script = '', ...rest] = words;
    this.child = spawn(process.execPath, [join(import.meta.dirname, script), ...rest], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.child.on('close', () => {
      this.#hasEnded = true;
      this.#wake?.();
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#wake?.();
    });
  }

  async next(): Promise<string> {
    while (this.#lines.length === 0) {
      if (this.#hasEnded) throw new Error('the helper ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#lines.shift() ?? '';
  }

  async ask(line: string): Promise<string> {
    this.child.stdin.write(`${line}\n`);
    return this.next();
  }
}

/** Each access of the driver's library, and what it must be for the processor: width in bytes, instruction by instruction. */
const rows: readonly (readonly [access: string, all: string, stores: string])[] = [
  // The watch itself: it has to tell other widths, and two accesses from one.
  ['load8', '1', ''],
  ['store16', '2', '2'],
  ['twice', '4 watchpoints 1000', '4 watchpoints 1000'],
  // What the driver is made of.
  ['load32', '4', ''],
  ['load64', '8', ''],
  ['store32', '4', '4'],
  ['store64', '8', '8'],
  ['hot', '4', ''],
];

const helpers: Helper[] = [];
afterAll(() => {
  for (const { child } of helpers) child.kill('SIGKILL');
});

async function start(): Promise<{ readonly tracee: Helper; readonly tracer: Helper } | string> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return 'the watchpoints of an x86-64 processor under Linux';
  const tracee = new Helper('width-tracee.ts');
  helpers.push(tracee);
  const [pid = '', address = ''] = (await tracee.next()).split(' ');
  const tracer = new Helper('width-tracer.ts', pid, address);
  helpers.push(tracer);
  const said = await tracer.next();
  if (said !== 'ready') return said;
  await tracer.ask('watch all');
  await tracee.ask('load8');
  const hasWatchpoints = (await tracer.ask('tell')) !== 'seen';
  return hasWatchpoints ? { tracee, tracer } : 'hardware watchpoints, which this virtual machine has not';
}

const started = await start();
const missing = typeof started === 'string' ? ` (needs ${started})` : '';

test.skipIf(missing !== '' && process.env.CI_REQUIRE_WATCHPOINTS !== '1')(
  `a register access of the native library is one instruction of exactly its width${missing}`,
  async () => {
    if (typeof started === 'string') expect.fail(`CI_REQUIRE_WATCHPOINTS=1, but there is no ${started}`);
    const { tracee, tracer } = started;
    const seen: (readonly [string, string, string])[] = [];
    for (const [access] of rows) {
      const told: string[] = [];
      for (const watch of ['watch all', 'watch stores']) {
        await tracer.ask(watch);
        await tracee.ask(access);
        told.push((await tracer.ask('tell')).replace(/^seen ?/, ''));
      }
      seen.push([access, told[0] ?? '', told[1] ?? '']);
    }
    expect(seen).toEqual(rows);
  },
);
