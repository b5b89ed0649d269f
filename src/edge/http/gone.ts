import type { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';

/**
 * Has whoever waits for it gone away? To be asked before `close` is listened for: what is closed already does not say so
 * again. A response over HTTP/2 does not know it itself, only its stream does.
 */
export function isGone(carrier: Socket | ServerResponse): boolean {
  const { stream } = carrier as Partial<Pick<Http2ServerResponse, 'stream'>>;
  return stream === undefined ? carrier.destroyed : stream.destroyed || stream.closed;
}
