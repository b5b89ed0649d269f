import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { octetCounted, type SyslogHeader, syslogMessage } from './syslog-message.ts';
import type { SinkTransport } from './transport.ts';

export interface StreamAddress {
  readonly host: string;
  readonly port: number;
  /** Present for TLS (RFC 5425); with an authority of its own in PEM, or the ones of the system. */
  readonly tls?: { readonly ca?: string };
}

/**
 * Octet counting over TCP or TLS (RFC 6587, RFC 5425). The protocol has no acknowledgement: delivered means that the
 * kernel has taken the bytes of a connection that stands. What is on its way when the other side dies is lost unseen.
 */
export function syslogStream(address: StreamAddress, header: SyslogHeader): SinkTransport {
  let connection: Promise<Socket> | undefined;
  const reset = (): void => {
    const old = connection;
    connection = undefined;
    old?.then((socket) => socket.destroy()).catch(() => undefined);
  };
  return {
    async send(records, signal) {
      connection ??= connected(address, signal);
      const mine = connection;
      const socket = await mine;
      if (socket.destroyed || !socket.writable) {
        if (connection === mine) reset();
        throw new Error('the connection was closed');
      }
      await written(socket, Buffer.concat(records.map((record) => octetCounted(syslogMessage(record, header)))));
      return 0;
    },
    reset,
  };
}

function connected({ host, port, tls }: StreamAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined
        ? tcpConnect({ host, port })
        : tlsConnect({
            host,
            port,
            minVersion: 'TLSv1.2',
            ...(tls.ca === undefined ? {} : { ca: tls.ca }),
            // A name in the certificate is asked for where there is a name.
            ...(isIP(host) === 0 ? { servername: host } : {}),
          });
    const give = (): void => {
      socket.destroy();
      reject(new Error('no connection in time'));
    };
    signal.addEventListener('abort', give, { once: true });
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      signal.removeEventListener('abort', give);
      socket.setKeepAlive(true, 10_000);
      socket.unref();
      resolve(socket);
    });
    // Also later: a broken connection is seen by the next write.
    socket.on('error', reject);
    socket.on('end', () => socket.destroy());
    // Nothing is ever said to us; unread it would keep the end from being seen.
    socket.resume();
  });
}

function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('the connection was closed'));
    socket.once('close', closed);
    socket.write(bytes, (error) => {
      socket.removeListener('close', closed);
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}
