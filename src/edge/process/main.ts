import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { pino } from 'pino';
import { type Confinement, confine, type LaunchReport } from '../../sandbox/index.ts';
import { FileToken } from '../mctp/index.ts';
import { CoreLink } from './core-link.ts';
import { EdgeListenError, type EdgeMaterial, type EdgeOptions, type OpenEdge, openEdge } from './open-edge.ts';
import type { EdgeSaid } from './said.ts';

/**
 * The edge as a process of its own: listeners, and a channel to the core at descriptor 3. It is told everything and reads
 * no file of the broker's. Started by `src/sandbox/launcher.ts`.
 */
const launched = JSON.parse(process.argv[2] ?? '{"absent":["everything: it was started by itself"]}') as LaunchReport;

// Whoever ends the broker may signal all of its processes; what is under way needs this one until the core says so.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

let edge: OpenEdge | undefined;
let isEnding = false;
const told = Promise.withResolvers<EdgeOptions>();
const link = new CoreLink(new Socket({ fd: 3, readable: true, writable: true }), {
  onOptions: (options) => told.resolve(options as EdgeOptions),
  onSupply: (material) => renew(material as EdgeMaterial),
  onStop: () => void end(),
  // Without its core there is nothing to ask, and nobody to end it.
  onLost: () => process.exit(isEnding ? 0 : 1),
});

const options = await told.promise;
const log = pino(
  { level: options.logLevel, redact: ['token', '*.token', 'payload', '*.payload', 'headers.authorization'] },
  pino.destination(2),
);
try {
  edge = await openEdge(link.core, options, {
    log,
    tokens: (name, onProblem) => new FileToken(name, onProblem, 1000, tokenOfCore),
  });
  const confinement: Confinement = await confine(launched);
  // What lives was made at the start: as in the core, the heap grows by a tenth from here on, not to several times as much.
  setFlagsFromString('--heap-growing-percent=10');
  link.ready({ ok: true, addresses: edge.addresses, confinement } satisfies EdgeSaid);
} catch (error) {
  const why = error instanceof Error ? error.message : String(error);
  const said: EdgeSaid =
    error instanceof EdgeListenError
      ? { ok: false, door: error.door, where: error.where, why: error.why }
      : { ok: false, why };
  link.ready(said);
  link.flush();
}

/** The token files are the core's to read: it is asked by the name that the settings give. */
async function tokenOfCore(name: string): Promise<string> {
  const answer = await link.ask({ token: name });
  return typeof answer === 'string' ? answer : '';
}

/** The core has looked at it; should it not fit all the same, what is in force stays. */
function renew(material: EdgeMaterial): void {
  try {
    edge?.renew(material);
  } catch (error) {
    log.error({ err: error }, 'a new certificate was not taken');
  }
}

async function end(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  await edge?.close();
  process.exit(0);
}
