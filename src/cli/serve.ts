import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { openListeners } from './listeners.ts';
import { type ConfigFlags, DEFAULT_CONFIG } from './settings.ts';
import { LocalError, UsageError } from './usage-error.ts';
import { version } from './version.ts';

export interface ServeFlags extends ConfigFlags {
  readonly port?: string;
}

/** `cci serve`: broker and listener, until SIGINT or SIGTERM. SIGHUP loads the policy again. */
export async function serve(io: Io, flags: ServeFlags): Promise<ExitCode> {
  const port = portOf(flags.port);
  const [{ nextSteps, StartError, startBroker }, { createHttpEdge }] = await Promise.all([
    import('../broker/index.ts'),
    import('../edge/index.ts'),
  ]);
  const broker = await startBroker(flags.config ?? DEFAULT_CONFIG, {
    ...(port === undefined ? {} : { http: { port } }),
    ...(flags.stateDirectory === undefined ? {} : { stateDirectory: flags.stateDirectory }),
  }).catch((error: unknown) => {
    if (!(error instanceof StartError)) throw error;
    const sentence = error.message.split('\n', 1)[0]?.replace(/:$/, '') ?? 'the broker does not start';
    throw new LocalError(sentence, 'mend what is named above, then start again', error.problems);
  });
  try {
    const edge = createHttpEdge(broker.core, { log: broker.log, version: await version() });
    const { host } = broker.config.http;
    const address = await edge.listen(host, broker.config.http.port).catch((error: unknown) => {
      throw listenError(error, `${host}:${broker.config.http.port}`);
    });
    const listeners = await openListeners(broker).catch(async (error: unknown) => {
      await edge.close();
      throw error;
    });
    const told = io.untilTold(() => void reload(io, broker));
    const block = [broker.startupBlock, ...listeners.lines, nextSteps(broker.config, address.url)];
    io.err(`${block.join('\n')}\n`);
    await new Promise<void>((resolve) => told.addEventListener('abort', () => resolve(), { once: true }));
    io.err('stopping: what is in flight is finished first\n');
    await Promise.all([edge.close(), listeners.close()]);
  } finally {
    await broker.close();
  }
  return EXIT.done;
}

async function reload(io: Io, broker: { reloadPolicy(by: string): Promise<readonly string[]> }): Promise<void> {
  const problems = await broker.reloadPolicy('SIGHUP');
  if (problems.length === 0) io.err('the policy was loaded again\n');
  else
    io.err(`the new policy was refused, the old one is in force:\n${problems.map((line) => `  ${line}\n`).join('')}`);
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535)) throw new UsageError(`\`${text}\` is not a port`, 'give 0 to 65535; 0 takes a free one');
  return port;
}

function listenError(error: unknown, where: string): LocalError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'EADDRINUSE') {
    return new LocalError(`something listens at ${where} already`, 'end it, or take another port with --port');
  }
  return new LocalError(`cannot listen at ${where} (${code})`, 'name another address in the configuration');
}
