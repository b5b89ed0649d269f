import { connect, type TLSSocket } from 'node:tls';

/** Frames of HTTP/2 as bytes (RFC 9113 section 4), for clients that do what no library lets them do. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals that enter no table (RFC 7541 section 6.2.2). */
export function block(headers: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length, 7), bytes]);
}

/** An integer with a prefix of so many bits (RFC 7541 section 5.1). */
function number(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export const request = (path: string, more: readonly (readonly [string, string])[] = [], method = 'GET') =>
  block([[':method', method], [':scheme', 'https'], [':path', path], [':authority', 'localhost'], ...more]);

export interface Received {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A connection that has said the preface. */
export interface RawHttp2 {
  readonly socket: TLSSocket;
  readonly received: Received[];
  /** Fulfilled when the peer has ended it. */
  readonly ended: Promise<void>;
  send(...frames: readonly Uint8Array[]): Promise<void>;
  /** Code of the GOAWAY that came, if one did. */
  goaway(): number | undefined;
}

export async function rawHttp2(port: number, ca: string, settings: Uint8Array = new Uint8Array(0)): Promise<RawHttp2> {
  const socket = connect({ host: '127.0.0.1', port, ca, ALPNProtocols: ['h2'], servername: 'localhost' });
  const received: Received[] = [];
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const size = rest.readUIntBE(0, 3);
      const payload = rest.subarray(9, 9 + size);
      received.push({ type: rest.readUInt8(3), flags: rest.readUInt8(4), stream: rest.readUInt32BE(5), payload });
      rest = rest.subarray(9 + size);
    }
  });
  socket.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
  socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, settings)]));
  return {
    socket,
    received,
    ended,
    send: (...frames) =>
      new Promise((resolve) => {
        if (socket.destroyed || !socket.writable) return resolve();
        void ended.then(resolve);
        socket.write(Buffer.concat(frames), () => resolve());
      }),
    goaway: () => received.findLast(({ type }) => type === FRAME.goaway)?.payload.readUInt32BE(4),
  };
}
