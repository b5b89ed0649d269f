import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { JournalSettings } from './config/index.ts';
import { JournalError } from './journal/index.ts';
import {
  type Loss,
  otlpTransport,
  Sink,
  type SinkTransport,
  streamTransport,
  syslogStream,
  syslogUdp,
} from './journal/sinks/index.ts';
import type { BrokerMetrics } from './metrics.ts';

type Settings = JournalSettings['sinks'][number];

const BUFFER_BYTES = 8 << 20;

/**
 * The places that get a copy of the journal, as they are configured. None of them is reached yet.
 * @throws JournalError `io` for a file of theirs that can't be read
 */
export async function openSinks(
  settings: readonly Settings[],
  log: Logger,
  metrics: BrokerMetrics,
  onRecovered: (sink: string, loss: Loss) => void,
): Promise<readonly Sink[]> {
  return Promise.all(
    settings.map(async (one) => {
      const { name } = one;
      // There from the beginning, so that an alarm on it needs no first loss.
      metrics.sinkLost.inc({ sink: name }, 0);
      return new Sink({
        name,
        transport: await transportOf(one),
        bufferBytes: one.buffer_bytes ?? BUFFER_BYTES,
        deadlineMs: one.enforced?.deadline_ms,
        onLost: (count) => metrics.sinkLost.inc({ sink: name }, count),
        onRecovered: (loss) => onRecovered(name, loss),
        onError: (error) => log.warn({ sink: name, err: error }, 'a sink does not take the records of the journal'),
      });
    }),
  );
}

async function transportOf(settings: Settings): Promise<SinkTransport> {
  if (settings.kind === 'stdout') return streamTransport(process.stdout);
  const ca = settings.ca_file === undefined ? {} : { ca: await textOf(settings.ca_file) };
  if (settings.kind === 'otlp') {
    const secret = settings.authorization_file;
    const authorization = secret === undefined ? {} : { authorization: (await textOf(secret)).trim() };
    return otlpTransport({ url: settings.url, ...ca, ...authorization });
  }
  const { host, port, transport, facility = 13 } = settings;
  const header = { facility, hostname: hostname(), procid: String(process.pid) };
  if (transport === 'udp') return syslogUdp(host, port, header);
  return syslogStream({ host, port, ...(transport === 'tls' ? { tls: ca } : {}) }, header);
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new JournalError('io', `\`${path}\` of a sink can't be read`, { cause: error });
  }
}
