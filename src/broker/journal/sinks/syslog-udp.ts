import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type SyslogHeader, syslogMessage } from './syslog-message.ts';
import type { SinkTransport } from './transport.ts';

/** Largest payload of a UDP datagram in bytes. */
const DATAGRAM_MAX = 65_507;

/** RFC 5426. Delivered means sent: nobody can tell whether it arrived. Records over a datagram's size are lost to it. */
export function syslogUdp(host: string, port: number, header: SyslogHeader): SinkTransport {
  let socket: Promise<Socket> | undefined;
  const reset = (): void => {
    socket?.then((open) => open.close()).catch(() => undefined);
    socket = undefined;
  };
  return {
    async send(records) {
      socket ??= connected(host, port);
      const open = await socket;
      let tooLong = 0;
      for (const record of records) {
        const message = syslogMessage(record, header);
        if (message.length > DATAGRAM_MAX) tooLong += 1;
        else await sent(open, message);
      }
      return tooLong;
    },
    reset,
  };
}

/** Connected, so that a port without a listener is told. */
function connected(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    socket.unref();
    // Also later: an ICMP error belongs to a datagram that is gone already.
    socket.on('error', reject);
    socket.connect(port, host, () => resolve(socket));
  });
}

function sent(socket: Socket, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(message, (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}
