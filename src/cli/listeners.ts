import type { BrokerConfig, RunningBroker } from '../broker/index.ts';
import type { EdgeAddresses, EdgeOptions } from '../edge/index.ts';
import type { Certificates } from './certificates.ts';
import { listenError } from './listen-error.ts';
import type { RunningEdge } from './separate-edge.ts';

/** Opens all listeners, in the process that the configuration says, and gives them new certificates as they come. */
export async function openListeners(
  broker: RunningBroker,
  certificates: Certificates,
  options: () => EdgeOptions,
): Promise<RunningEdge> {
  const separate = broker.config.edge.process === 'separate';
  const edge = separate
    ? await (await import('./separate-edge.ts')).startSeparateEdge(broker, options)
    : await inThisProcess(broker, options());
  certificates.onHttpChange((material) => edge.renew({ http: material }));
  for (const i of broker.config.listeners.keys()) {
    certificates.onListenerChange(i, (material) => edge.renew({ listeners: { [i]: material } }));
  }
  return { ...edge, lines: [...edge.lines, ...listenerLines(broker.config, edge.addresses)] };
}

async function inThisProcess(broker: RunningBroker, options: EdgeOptions): Promise<RunningEdge> {
  // The file itself: the rest of its folder is for the other form, and a start is short.
  const { EdgeListenError, openEdge } = await import('../edge/process/open-edge.ts');
  const edge = await openEdge(broker.core, options, { log: broker.log }).catch((error: unknown) => {
    if (error instanceof EdgeListenError) throw listenError(error.door, error.where, error.why);
    throw error;
  });
  return {
    addresses: edge.addresses,
    lines: [
      '  edge       in the process of the core, not confined (for development; `edge.process: separate` parts them)',
    ],
    renew: (material) => edge.renew(material),
    close: () => edge.close(),
  };
}

/** One line for each door besides HTTP. */
function listenerLines({ listeners }: BrokerConfig, addresses: EdgeAddresses): readonly string[] {
  return listeners.map(({ dialect, switch: name, bindings: [one, ...more], tls }, i) => {
    const { host, port } = addresses.listeners[i] ?? { host: '?', port: 0 };
    const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const whom =
      one?.certificate === undefined ? `tenant ${one?.tenant}` : `whom the certificate stands for (${more.length + 1})`;
    const how = tls === undefined ? '' : ', TLS with client certificates';
    return `  mctp       ${where}, dialect ${dialect}, ${name} as ${whom}${how}`;
  });
}
