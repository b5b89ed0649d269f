import { openSync, writeSync } from 'node:fs';
import { enableCompileCache, registerHooks } from 'node:module';
import type { EmulatorBackend } from '../../src/backend/emulator/index.ts';
import type { JournalFileSystem } from '../../src/broker/journal/file-system.ts';
import type { HttpLimits } from '../../src/edge/http/options.ts';

/**
 * Loaded into a real broker before anything else (`node --import`): writes down what reaches the device, before it does, in
 * writes that the kernel has before the next step, and brings faults about that nothing outside can (a clock that is put
 * wrong, a slow disk, death in the middle of one step), as the parent process says.
 */
export interface PreloadPlan {
  /** Where each request that reaches the device is written: one line, the opcode in four hexadecimal digits. */
  readonly deviceLog: string;
  /** Limits of the listener, where the shipped ones would make a test wait. */
  readonly limits?: Partial<HttpLimits>;
}

/** A function of the pipeline, and on which side of it the process ends. */
export interface Moment {
  readonly module: string;
  readonly name: string;
  readonly side: 'before' | 'after';
  /** What its last argument has to be, where it is called for several reasons. */
  readonly last?: string;
}

export type Order =
  | { readonly kind: 'clock'; readonly offsetMs: number }
  | { readonly kind: 'disk'; readonly delayMs: number }
  | { readonly kind: 'die'; readonly at: Moment }
  | { readonly kind: 'device'; readonly delayMs: number }
  /** Takes memory until there is none. */
  | { readonly kind: 'swell' };

// As `bin/cci.js` does, which comes later: most of a start is compiling.
enableCompileCache(new URL('../../node_modules/.cache/cci', import.meta.url).pathname);

const plan: PreloadPlan = JSON.parse(process.env.RELIABILITY_PLAN ?? '{}');
delete process.env.RELIABILITY_PLAN;
const deviceLog = openSync(plan.deviceLog, 'a');

let offsetMs = 0;
let diskMs = 0;
let deviceMs = 0;
let moment: Moment | undefined;
const hoard: unknown[] = [];

process.on('message', (order: Order) => {
  if (order.kind === 'clock') offsetMs = order.offsetMs;
  else if (order.kind === 'disk') diskMs = order.delayMs;
  else if (order.kind === 'device') deviceMs = order.delayMs;
  else if (order.kind === 'die') moment = order.at;
  else setTimeout(() => swell(), 30);
  process.send?.('done');
});
process.channel?.unref();

const RealDate = Date;
const shifted = () => RealDate.now() + offsetMs;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: []) => (args.length === 0 ? new target(shifted()) : Reflect.construct(target, args)),
  get: (target, key, receiver) => (key === 'now' ? shifted : Reflect.get(target, key, receiver)),
});

function swell(): void {
  for (;;) hoard.push(Array.from({ length: 10_000 }, (_, i) => `${hoard.length} ${i}`));
}

/** Dies here, if this is where it was told to. A signal to oneself is there before the call returns. */
export function pass(at: Moment): void {
  if (moment?.module !== at.module || moment.name !== at.name || moment.side !== at.side) return;
  if (moment.last !== undefined && moment.last !== at.last) return;
  process.kill(process.pid, 'SIGKILL');
}

type Called = (this: unknown, ...args: unknown[]) => unknown;

/** The same function, with a moment on both sides of it. */
export function between(module: string, name: string, inner: Called): Called {
  return function (...args) {
    const last = typeof args.at(-1) === 'string' ? { last: String(args.at(-1)) } : {};
    pass({ module, name, side: 'before', ...last });
    const result = inner.apply(this, args);
    const after = (): void => pass({ module, name, side: 'after', ...last });
    if (!(result instanceof Promise)) {
      after();
      return result;
    }
    return result.then((value) => {
      after();
      return value;
    });
  };
}

/** Exports of the pipeline that have moments; the broker imports these wrappers in their place. */
const WRAPPED: { readonly [module: string]: readonly string[] } = {
  authenticate: ['authenticate'],
  admit: ['admit'],
  decode: ['decode'],
  decide: ['decide'],
  course: ['reached'],
  record: ['recordIntent', 'recordOutcome'],
  reply: ['replyTo'],
};

registerHooks({
  load(url, context, nextLoad) {
    const module = /\/src\/broker\/pipeline\/([a-z-]+)\.ts$/.exec(url)?.[1] ?? '';
    const names = WRAPPED[module];
    if (names === undefined) return nextLoad(url, context);
    const real = JSON.stringify(`${url}?real`);
    const source = [
      `import * as real from ${real};`,
      `import { between } from ${JSON.stringify(import.meta.url)};`,
      `export * from ${real};`,
      ...names.map(
        (name) => `export const ${name} = between('${module}', '${name}', (...args) => real.${name}(...args));`,
      ),
    ].join('\n');
    return { format: 'module', source, shortCircuit: true };
  },
});

const [{ EmulatorBackend: Emulated }, { hostJournalFileSystem }, { defaultHttpLimits }] = await Promise.all([
  import('../../src/backend/emulator/emulator-backend.ts'),
  import('../../src/broker/journal/file-system.ts'),
  import('../../src/edge/http/options.ts'),
]);
Object.assign(defaultHttpLimits, plan.limits);
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const { execute } = Emulated.prototype;
Emulated.prototype.execute = async function (this: EmulatorBackend, request, deadlineMs) {
  const isChange = request.opcode === 0x5201 || request.opcode === 0x5202;
  if (isChange) pass({ module: 'device', name: 'execute', side: 'before' });
  writeSync(deviceLog, `${request.opcode.toString(16).padStart(4, '0')}\n`);
  const reply = await execute.call(this, request, deadlineMs);
  if (isChange) pass({ module: 'device', name: 'execute', side: 'after' });
  if (isChange && deviceMs > 0) await pause(deviceMs);
  return reply;
};

const open = hostJournalFileSystem.open.bind(hostJournalFileSystem);
const slow: Pick<JournalFileSystem, 'open'> = {
  async open(path, mode) {
    const file = await open(path, mode);
    return {
      ...file,
      append: async (bytes) => {
        if (diskMs > 0) await pause(diskMs);
        return file.append(bytes);
      },
      overwrite: async (bytes, position) => {
        if (diskMs > 0) await pause(diskMs);
        return file.overwrite(bytes, position);
      },
    };
  },
};
Object.assign(hostJournalFileSystem, slow);
