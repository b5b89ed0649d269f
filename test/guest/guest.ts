import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accessesIn, type RegisterAccess } from './accesses.ts';
import { commandLine, type MachineOptions, patience } from './machine.ts';

export type { RegisterAccess } from './accesses.ts';

/** From the start of QEMU to its end, in milliseconds: whatever happens, no machine lives longer. */
const LIFE_LIMIT_MS = 240_000 * patience;
const BOOT_LIMIT_MS = 90_000 * patience;
const CALL_LIMIT_MS = 60_000 * patience;
/** Last part of the console that is shown when something fails, in characters. */
const CONSOLE_SHOWN = 6000;

export interface Executed {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A booted machine and the agent in it. Answers of the agent come over a port of their own and carry the number,
 * drawn at random, of their request: neither the console nor anything that runs in the guest can pass for them.
 */
export class Guest {
  readonly #qemu: ChildProcess;
  readonly #folder: string;
  readonly #life: NodeJS.Timeout;
  readonly #waiting = new Map<string, Waiting>();
  #agent: Socket | undefined;
  #console = '';
  #ended: string | undefined;
  readonly exited: Promise<string>;

  private constructor(options: MachineOptions, root: string) {
    this.#folder = mkdtempSync(join(tmpdir(), 'switch-cci-guest-'));
    const [program, args] = commandLine(options, { root, ...this.#paths() });
    this.#qemu = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (chunk: Buffer) => {
      this.#console = (this.#console + chunk.toString('latin1')).slice(-1_000_000);
    };
    this.#qemu.stdout?.on('data', keep);
    this.#qemu.stderr?.on('data', keep);
    this.#life = setTimeout(() => this.#qemu.kill('SIGKILL'), LIFE_LIMIT_MS);
    this.exited = new Promise((done) => {
      const end = (how: string) => {
        clearTimeout(this.#life);
        this.#ended ??= how;
        for (const { reject } of this.#waiting.values()) reject(this.#failure(`the machine ended (${how})`));
        this.#waiting.clear();
        done(how);
      };
      this.#qemu.once('error', (error) => end(error.message));
      this.#qemu.once('close', (code, signal) => end(signal ?? `exit ${code}`));
    });
  }

  /** @throws with the end of the console, when the agent does not answer in time */
  static async boot(options: MachineOptions, root: string): Promise<Guest> {
    const guest = new Guest(options, root);
    try {
      await guest.#greet();
      return guest;
    } catch (error) {
      await guest.stop();
      throw error;
    }
  }

  /** What the kernel and the programs printed. */
  get console(): string {
    return this.#console;
  }

  /** Runs a program in the guest to its end. */
  async exec(argv: readonly string[], limitMs = CALL_LIMIT_MS): Promise<Executed> {
    return (await this.#call('exec', { argv, limitMs }, limitMs + 5000)) as Executed;
  }

  /** Output of a line of shell. @throws when it fails */
  async sh(line: string): Promise<string> {
    const { code, signal, stdout, stderr } = await this.exec(['sh', '-c', line]);
    if (code !== 0) throw this.#failure(`\`${line}\` ended with ${signal ?? code}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  async read(path: string): Promise<string> {
    return (await this.#call('read', { path })) as string;
  }

  async write(path: string, data: string): Promise<void> {
    await this.#call('write', { path, data });
  }

  /** Starts a program that goes on; `output` shows what it prints. */
  async start(name: string, argv: readonly string[]): Promise<number> {
    return (await this.#call('start', { name, argv })) as number;
  }

  async output(name: string): Promise<{ readonly output: string; readonly ended: string | null }> {
    return (await this.#call('output', { name })) as { output: string; ended: string | null };
  }

  /** Waits for a text in what a program prints. @throws when it ends before, or takes longer */
  async printed(name: string, wanted: RegExp, limitMs = CALL_LIMIT_MS): Promise<string> {
    const limit = performance.now() + limitMs;
    for (;;) {
      const { output, ended } = await this.output(name);
      if (wanted.test(output)) return output;
      if (ended !== null) throw this.#failure(`${name} ended (${ended}) and printed no ${wanted}:\n${output}`);
      if (performance.now() > limit) throw this.#failure(`${name} did not print ${wanted} in time:\n${output}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Waits for a program's end. @returns its exit code or signal, and what it printed */
  async ended(name: string, limitMs = CALL_LIMIT_MS): Promise<{ readonly how: string; readonly output: string }> {
    const limit = performance.now() + limitMs;
    for (;;) {
      const { output, ended } = await this.output(name);
      if (ended !== null) return { how: ended, output };
      if (performance.now() > limit) throw this.#failure(`${name} did not end in time:\n${output}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  async kill(name: string, signal: NodeJS.Signals): Promise<void> {
    await this.#call('kill', { name, signal });
  }

  async fetch(request: {
    readonly method: string;
    readonly url: string;
    readonly headers?: { readonly [name: string]: string };
    readonly body?: string;
  }): Promise<{ readonly status: number; readonly body: string }> {
    return (await this.#call('fetch', { headers: {}, ...request })) as { status: number; body: string };
  }

  /** The accesses to device registers that QEMU makes while `work` runs. */
  async traced(work: () => Promise<void>): Promise<readonly RegisterAccess[]> {
    const { trace } = this.#paths();
    const before = readFileSync(trace, 'latin1').length;
    await this.#trace(true);
    await work();
    await this.#trace(false);
    return [...accessesIn(readFileSync(trace, 'latin1').slice(before))];
  }

  /** Switches the machine off, or kills it. @returns how QEMU ended: `exit 0` unless something went wrong */
  async stop(): Promise<string> {
    if (this.#ended === undefined && this.#agent !== undefined) {
      this.#call('exec', { argv: ['poweroff', '-f'], limitMs: 5000 }).catch(() => undefined);
    } else {
      this.#qemu.kill('SIGKILL');
    }
    const kill = setTimeout(() => this.#qemu.kill('SIGKILL'), 5000);
    const how = await this.exited;
    clearTimeout(kill);
    this.#agent?.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
    return how;
  }

  #paths() {
    const at = (name: string) => join(this.#folder, name);
    return { agent: at('agent.sock'), monitor: at('monitor.sock'), trace: at('trace') };
  }

  async #greet(): Promise<void> {
    const limit = performance.now() + BOOT_LIMIT_MS;
    let socket: Socket | undefined;
    while (socket === undefined) {
      if (this.#ended !== undefined) throw this.#failure(`the machine ended (${this.#ended})`);
      if (performance.now() > limit) throw this.#failure('QEMU did not open its sockets in time');
      socket = await connected(this.#paths().agent);
      if (socket === undefined) await new Promise((done) => setTimeout(done, 50));
    }
    this.#agent = socket;
    let rest = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#answered(line);
    });
    await this.#call('hello', {}, limit - performance.now());
  }

  #answered(line: string): void {
    const { id, value, error } = JSON.parse(line) as { id: string; value?: unknown; error?: string };
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) throw new Error(`an answer to nothing: ${line.slice(0, 200)}`);
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(value);
    else waiting.reject(new Error(`in the guest: ${error}`));
  }

  #call(op: string, request: object, limitMs = CALL_LIMIT_MS): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#failure(`the machine ended (${this.#ended})`));
    const id = randomUUID();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(this.#failure(`the agent did not answer \`${op}\` in time`));
      }, limitMs);
      const settle =
        <A extends unknown[]>(go: (...values: A) => void) =>
        (...values: A) => {
          clearTimeout(timer);
          go(...values);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#agent?.write(`${JSON.stringify({ id, op, ...request })}\n`);
    });
  }

  async #trace(enable: boolean): Promise<void> {
    const socket = await connected(this.#paths().monitor);
    if (socket === undefined) throw this.#failure('no monitor');
    try {
      const ask = (execute: string, args: object = {}) =>
        new Promise<void>((done, fail) => {
          let text = '';
          const take = (chunk: Buffer) => {
            text += chunk.toString();
            if (!/"(return|error)"/.test(text)) return;
            socket.off('data', take);
            if (text.includes('"error"')) fail(new Error(text));
            else done();
          };
          socket.on('data', take);
          socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
        });
      await ask('qmp_capabilities');
      for (const name of ['memory_region_ops_read', 'memory_region_ops_write']) {
        await ask('trace-event-set-state', { name, enable });
      }
    } finally {
      socket.destroy();
    }
  }

  #failure(what: string): Error {
    return new Error(`${what}\n--- end of the console ---\n${this.#console.slice(-CONSOLE_SHOWN)}`);
  }
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => done(socket));
    socket.once('error', () => done(undefined));
  });
}
