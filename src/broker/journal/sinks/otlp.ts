import type { Agent, IncomingMessage } from 'node:http';
import type { DurableRecord } from '../contract.ts';
import type { SinkTransport } from './transport.ts';

export interface OtlpAddress {
  /** With its path, which is `/v1/logs` as a rule. */
  readonly url: string;
  readonly ca?: string;
  /** Value of the Authorization header. */
  readonly authorization?: string;
}

// Not by an import, and only where there is such a sink: importing this module looks at everything that it could lead to,
// a client for HTTP among it, which takes 35 ms of the start.
const http = () => process.getBuiltinModule('node:http');
const https = () => process.getBuiltinModule('node:https');

const TIME = /^\{"v":1,"seq":\d+,"at":"([^"]+)"/;
const ANSWER_MAX = 64 << 10;

/** OTLP logs over HTTP, JSON encoding. Delivered means that the collector has answered with success. */
export function otlpTransport(address: OtlpAddress): SinkTransport {
  const url = new URL(address.url);
  const isSecure = url.protocol === 'https:';
  const newAgent = () => {
    const options = { keepAlive: true, maxSockets: 1 };
    return isSecure
      ? new (https().Agent)({
          ...options,
          minVersion: 'TLSv1.2',
          ...(address.ca === undefined ? {} : { ca: address.ca }),
        })
      : new (http().Agent)(options);
  };
  let agent = newAgent();
  return {
    async send(records, signal) {
      const body = JSON.stringify(exportOf(records));
      const { status, text } = await posted(url, body, { agent, signal, authorization: address.authorization });
      if (status >= 200 && status < 300) return rejectedOf(text);
      // Bad data stays bad; anything else an operator may mend, and until then it waits.
      if (status === 400 || status === 413) return records.length;
      throw new Error(`the collector answered ${status}`);
    },
    reset() {
      agent.destroy();
      agent = newAgent();
    },
  };
}

/** `ExportLogsServiceRequest`: the body of each log record is the line of the journal as it is. */
function exportOf(records: readonly DurableRecord[]): object {
  const resource = { attributes: [attribute('service.name', 'cci-broker')] };
  const logRecords = records.map(({ kind, sequence, text }) => {
    const nanos = `${BigInt(Date.parse(TIME.exec(text)?.[1] ?? '') || 0) * 1_000_000n}`;
    return {
      timeUnixNano: nanos,
      observedTimeUnixNano: nanos,
      severityNumber: 10,
      severityText: 'INFO2',
      body: { stringValue: text.trimEnd() },
      attributes: [
        attribute('cci.journal.kind', kind),
        { key: 'cci.journal.sequence', value: { intValue: String(sequence) } },
      ],
    };
  });
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'cci-broker.journal' }, logRecords }] }] };
}

function attribute(key: string, text: string): object {
  return { key, value: { stringValue: text } };
}

interface Posting {
  readonly agent: Agent;
  readonly signal: AbortSignal;
  readonly authorization: string | undefined;
}

function posted(
  url: URL,
  body: string,
  { agent, signal, authorization }: Posting,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(authorization === undefined ? {} : { authorization }),
    };
    const request = (url.protocol === 'https:' ? https() : http()).request(
      url,
      { method: 'POST', headers, agent, signal },
      (response) => {
        answerOf(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
      },
    );
    request.on('error', reject);
    request.on('socket', (socket) => socket.unref());
    request.end(body);
  });
}

/** The answer, of which no more is read than a collector would say. */
async function answerOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response.setEncoding('utf8')) {
    text += piece;
    if (text.length > ANSWER_MAX) {
      response.destroy();
      break;
    }
  }
  return text;
}

/** `partialSuccess.rejectedLogRecords`, a 64-bit number that JSON carries as text. */
function rejectedOf(text: string): number {
  try {
    const { partialSuccess }: { partialSuccess?: { rejectedLogRecords?: unknown } } = JSON.parse(text);
    const count = Number(partialSuccess?.rejectedLogRecords ?? 0);
    return Number.isSafeInteger(count) && count > 0 ? count : 0;
  } catch {
    // Success was said by the status.
    return 0;
  }
}
