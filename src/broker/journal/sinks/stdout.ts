import type { Writable } from 'node:stream';
import type { SinkTransport } from './transport.ts';

/** Records as they are, one a line. Delivered means that the stream has taken them. */
export function streamTransport(stream: Writable): SinkTransport {
  // Without this, a reader that goes away would end the broker.
  stream.on('error', () => undefined);
  return {
    send: (records) =>
      new Promise((resolve, reject) => {
        stream.write(records.map(({ text }) => text).join(''), (error) => {
          if (error === null || error === undefined) resolve(0);
          else reject(error);
        });
      }),
    reset: () => undefined,
  };
}
