import type { RunningBroker } from '../broker/index.ts';
import type { MctpListener } from '../edge/index.ts';
import { LocalError } from './usage-error.ts';

/** The doors of a configuration besides HTTP, open. */
export interface Listeners {
  /** One line each, for the block that the broker shows at its start. */
  readonly lines: readonly string[];
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  close(): Promise<void>;
}

/** Opens the listeners that the configuration names: none in the one that comes with the project. */
export async function openListeners(broker: RunningBroker): Promise<Listeners> {
  const { listeners } = broker.config;
  const open: MctpListener[] = [];
  const lines: string[] = [];
  const addresses: { readonly host: string; readonly port: number }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.map((listener) => listener.close()));
  };
  if (listeners.length === 0) return { lines, addresses, close };
  const { coreRelay, createMctpListener, endpointUuid, FileToken } = await import('../edge/index.ts');
  for (const one of listeners) {
    const { dialect, tenant, host, port = 2508 } = one;
    const listener = createMctpListener({
      dialect,
      uuid: endpointUuid(`${one.switch} ${tenant}`),
      limits: {
        ...(one.connections === undefined ? {} : { connections: one.connections }),
        ...(one.idle_ms === undefined ? {} : { idleMs: one.idle_ms }),
        ...(one.assembly_ms === undefined ? {} : { assemblyMs: one.assembly_ms }),
        ...(one.answer_ms === undefined ? {} : { answerMs: one.answer_ms }),
      },
      relay: coreRelay(broker.core, {
        switch: one.switch,
        tenant,
        ...(one.principal === undefined ? {} : { principal: one.principal }),
        tokens: new FileToken(one.token_file, (problem) => broker.log.error(`MCTP listener of ${tenant}: ${problem}`)),
        onProblem: (problem) => broker.log.error(`MCTP listener of ${tenant}: requests are refused: ${problem}`),
      }),
    });
    try {
      const bound = await listener.listen(host, port);
      open.push(listener);
      addresses.push(bound);
      const where = bound.host.includes(':') ? `[${bound.host}]` : bound.host;
      lines.push(`  mctp       ${where}:${bound.port}, dialect ${dialect}, ${one.switch} as tenant ${tenant}`);
    } catch (error) {
      await close();
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      throw new LocalError(
        `cannot listen at ${host}:${port} for MCTP (${code})`,
        'name another address under `listeners` of the configuration',
      );
    }
  }
  return { lines, addresses, close };
}
