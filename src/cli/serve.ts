import { setFlagsFromString } from 'node:v8';
import { type Certificates, openCertificates } from './certificates.ts';
import { edgeOptions } from './edge-options.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { openListeners } from './listeners.ts';
import type { RunningEdge } from './separate-edge.ts';
import { openService } from './service.ts';
import { type ConfigFlags, DEFAULT_CONFIG } from './settings.ts';
import { LocalError, UsageError } from './usage-error.ts';
import { version } from './version.ts';

export interface ServeFlags extends ConfigFlags {
  readonly port?: string;
  readonly checkConfig?: boolean;
}

/** `cci serve`: broker and listener, until SIGINT or SIGTERM. SIGHUP loads certificates and policy again. */
export async function serve(io: Io, flags: ServeFlags): Promise<ExitCode> {
  const port = portOf(flags.port);
  if (flags.checkConfig === true) {
    return (await import('./check-config.ts')).checkConfiguration(io, flags.config ?? DEFAULT_CONFIG);
  }
  // Before there are children, none of which speaks for the service.
  const service = await openService(io);
  const { nextSteps, StartError, startBroker } = await import('../broker/index.ts');
  const broker = await startBroker(flags.config ?? DEFAULT_CONFIG, {
    ...(port === undefined ? {} : { http: { port } }),
    ...(flags.stateDirectory === undefined ? {} : { stateDirectory: flags.stateDirectory }),
  }).catch((error: unknown) => {
    if (!(error instanceof StartError)) throw error;
    const sentence = error.message.split('\n', 1)[0]?.replace(/:$/, '') ?? 'the broker does not start';
    throw new LocalError(sentence, 'mend what is named above, then start again', error.problems);
  });
  let certificates: Certificates | undefined;
  let edge: RunningEdge | undefined;
  try {
    certificates = await openCertificates(broker.config, broker.log);
    const opened = certificates;
    const words = await version();
    edge = await openListeners(broker, opened, () => edgeOptions(broker.config, opened, words));
    const serving = `${[...broker.config.switches.keys()].join(', ')} at ${edge.addresses.http.url}`;
    const told = io.untilTold(() => {
      service.reloading();
      void reload(io, broker, certificates).finally(() => service.ready(`serving ${serving}`));
    });
    const { health, url } = edge.addresses.http;
    const block = [broker.startupBlock, ...edge.lines, ...healthLine(health), nextSteps(broker.config, url)];
    io.err(`${block.join('\n')}\n`);
    service.ready(`serving ${serving}`);
    // What lives was made at the start. From here on the heap grows to a tenth more than what lives, not to several times as
    // much: a broker shares its host. Measured by bench/broker.ts: a third less memory under load, no slower.
    setFlagsFromString('--heap-growing-percent=10');
    await new Promise<void>((resolve) => told.addEventListener('abort', () => resolve(), { once: true }));
    service.stopping();
    io.err('stopping: what is in flight is finished first\n');
  } finally {
    await broker.endConsoles();
    await edge?.close();
    certificates?.close();
    await broker.close();
    service.close();
  }
  return EXIT.done;
}

async function reload(
  io: Io,
  broker: { reloadPolicy(by: string): Promise<readonly string[]> },
  certificates: Certificates | undefined,
): Promise<void> {
  for (const line of (await certificates?.reload()) ?? []) io.err(`${line}\n`);
  const problems = await broker.reloadPolicy('SIGHUP');
  if (problems.length === 0) io.err('the policy was loaded again\n');
  else
    io.err(`the new policy was refused, the old one is in force:\n${problems.map((line) => `  ${line}\n`).join('')}`);
}

function healthLine(at: { readonly host: string; readonly port: number } | undefined): readonly string[] {
  return at === undefined ? [] : [`  health     ${at.host}:${at.port}, /healthz and /readyz alone, plain HTTP`];
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535)) throw new UsageError(`\`${text}\` is not a port`, 'give 0 to 65535; 0 takes a free one');
  return port;
}
