/**
 * Commands a second of the emulated switch, in this process on one core, and the memory of the largest topology.
 *
 *   node --expose-gc bench/emulator.ts [seconds]
 *
 * Mix: 40 % 5101h of 8 ports, 20 % 5200h of one VCS, 20 % reads through a tunnel, 20 % bind and unbind.
 */
import { createEmulator, createEmulatorBackend, loadTopology } from '../src/backend/emulator/index.ts';
import { encodeRoute, opcode, parseVia, type RoutedCommand } from '../src/cci/index.ts';

const seconds = Number(process.argv[2] ?? 3);
const topologies = new URL('../config/topologies/', import.meta.url);

interface Command {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

function tunnelled(via: string, code: number, ...payload: number[]): Command {
  const hops = parseVia(via) ?? [];
  const command: RoutedCommand = {
    hops,
    tags: hops.map((_, i) => i + 1),
    opcode: code,
    payload: Uint8Array.from(payload),
  };
  return encodeRoute(command);
}

/** One turn of the mix; bind and unbind come in pairs, so that every one of them is taken. */
function turn(step: (ms: number) => void): readonly (Command | { readonly wait: () => void })[] {
  const ports = { opcode: 0x5101, payload: Uint8Array.of(8, 0, 4, 5, 6, 14, 15, 22, 24) };
  const vcs = { opcode: 0x5200, payload: Uint8Array.of(0, 255, 1, 0) };
  const reads = [
    tunnelled('port:14/ld:3', 0x0001),
    tunnelled('port:14', 0x5401, 0, 16),
    tunnelled('port:15', 0x5400),
    tunnelled('port:14/ld:2', 0x4000),
  ];
  const bind = { opcode: 0x5201, payload: Uint8Array.of(0, 9, 15, 0, 5, 0) };
  const unbind = { opcode: 0x5202, payload: Uint8Array.of(0, 9, 2) };
  const pass = { wait: () => step(100) };
  const commands: (Command | { readonly wait: () => void })[] = [];
  for (let i = 0; i < 2; i++) {
    commands.push(
      ports,
      vcs,
      reads[2 * i] ?? ports,
      bind,
      pass,
      ports,
      ports,
      vcs,
      reads[2 * i + 1] ?? ports,
      unbind,
      pass,
      ports,
    );
  }
  return commands;
}

/** Per second of the clock, and per second of processor time: the one that counts on a machine that is busy. */
function rates(done: number, startMs: number, since: NodeJS.CpuUsage): string {
  const { user, system } = process.cpuUsage(since);
  const perSecond = Math.round(done / ((performance.now() - startMs) / 1000));
  const perCpuSecond = Math.round(done / ((user + system) / 1e6));
  return `${perSecond.toLocaleString('en')} commands/s, ${perCpuSecond.toLocaleString('en')} per CPU second`;
}

function inProcess(): void {
  let nowMs = 0;
  const emulator = createEmulator(loadTopology(new URL('default-32.yaml', topologies).pathname), {}, () => nowMs);
  const commands = turn((ms) => {
    nowMs += ms;
  });
  let done = 0;
  let refused = 0;
  const run = (untilMs: number): void => {
    while (performance.now() < untilMs) {
      for (let k = 0; k < 50; k++) {
        for (const command of commands) {
          if ('wait' in command) {
            command.wait();
            continue;
          }
          if (emulator.execute(command.opcode, command.payload).returnCode > 1) refused++;
          done++;
        }
      }
    }
  };
  run(performance.now() + 1000);
  done = 0;
  const startMs = performance.now();
  const used = process.cpuUsage();
  run(startMs + seconds * 1000);
  console.log(`in process: ${rates(done, startMs, used)} (${refused} refused)`);
}

async function asBackend(): Promise<void> {
  let nowMs = 0;
  const backend = createEmulatorBackend({
    topology: new URL('default-32.yaml', topologies).pathname,
    clock: () => nowMs,
  });
  await backend.open();
  const commands = turn((ms) => {
    nowMs += ms;
  });
  let done = 0;
  const startMs = performance.now();
  const used = process.cpuUsage();
  while (performance.now() < startMs + seconds * 1000) {
    for (const command of commands) {
      if ('wait' in command) command.wait();
      else {
        await backend.execute({ opcode: opcode(command.opcode), payload: command.payload }, Number.MAX_VALUE);
        done++;
      }
    }
  }
  console.log(`as Backend: ${rates(done, startMs, used)}`);
}

function memory(): void {
  const collect = globalThis.gc;
  const bytes = (): number => {
    collect?.();
    const usage = process.memoryUsage();
    return usage.heapUsed + usage.external;
  };
  const before = bytes();
  const startMs = performance.now();
  const emulator = createEmulator(loadTopology(new URL('max-255.yaml', topologies).pathname));
  const madeMs = performance.now() - startMs;
  // Touch every LD once, so that nothing is counted that only waits to be made.
  for (let port = 16; port < 255; port++) {
    for (let ld = 0; ld < 16; ld++) {
      const { opcode: code, payload } = tunnelled(`port:${port}/ld:${ld}`, 0x4200);
      emulator.execute(code, payload);
    }
  }
  const lds = emulator.machine.state.devices.reduce((sum, device) => sum + device.lds.length, 0);
  const used = (bytes() - before) / 2 ** 20;
  const rss = process.memoryUsage().rss / 2 ** 20;
  console.log(
    `255 ports, ${lds} LDs: made in ${madeMs.toFixed(0)} ms, ${used.toFixed(1)} MiB of heap, ${rss.toFixed(0)} MiB resident${
      collect === undefined ? ' (without --expose-gc: garbage counted)' : ''
    }`,
  );
}

memory();
inProcess();
await asBackend();
