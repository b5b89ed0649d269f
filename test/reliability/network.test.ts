import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../support/eventually.ts';
import { END_HEADERS, FRAME, frame, rawHttp2, request } from '../support/http2-frames.ts';
import { type Answer, COMMANDS, command, read } from './ask.ts';
import type { Running } from './broker-process.ts';
import { fault } from './fault.ts';
import { type Raw, raw } from './raw.ts';

const isWhole = process.env.RELIABILITY === 'whole';
const post = (token: string, more: string): string =>
  `POST ${COMMANDS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n${more}\r\n`;

fault('slow', async ({ start, sees, kept, figure }) => {
  // The whole run takes the limits as they are shipped.
  const limits = { headersTimeoutMs: 1300, requestTimeoutMs: 1800, keepAliveMs: 1300, streamPingMs: 400 };
  const wish = isWhole ? {} : { limits };
  const [plain, secure] = await Promise.all([start(wish), start({ ...wish, tls: true })]);
  const token = await plain.installation.token({ tenant: 'acme' });
  const other = await secure.installation.token({ tenant: 'acme' });
  const ca = secure.installation.certificate?.certificate ?? '';
  const began = performance.now();
  const took = (): number => performance.now() - began;
  const slow: { readonly [name: string]: Promise<Answer> } = {
    header: raw(plain, 'GET /healthz HTTP/1.1\r\nhost: x\r\n').end,
    nothing: deaf(plain),
    body: raw(plain, `${post(token, 'content-length: 100\r\n')}{`).end,
    handshake: raw(secure, Buffer.from([0x16, 0x03, 0x01])).end,
    preface: rawHttp2(secure.port, ca).then(async ({ ended }) => {
      await ended;
      return { socket: 'closed', tookMs: took() };
    }),
    http2: halfOverHttp2(secure, ca, other).then((status) => ({ status, tookMs: took() })),
    frame: halfFrame(plain, token).then(() => ({ socket: 'closed', tookMs: took() })),
  };
  sees('others', await command(plain, token, read));
  sees('others', await command(secure, other, read));
  for (const [name, end] of Object.entries(slow)) {
    const answer = await end;
    sees(name, answer);
    figure(`${name}Ms`, answer.tookMs);
  }
  sees('others', await command(plain, token, read));
  for (const broker of [plain, secure]) {
    await broker.stop();
    await kept(broker.installation);
  }
});

/** Says nothing, reads nothing and keeps its side open: only the broker can end it. */
async function deaf(broker: Running): Promise<Answer> {
  const began = performance.now();
  const { socket } = raw(broker, '', true);
  await new Promise((done) => socket.once('connect', done));
  // What the broker has given up is gone from the kernel's table, or knows of no process.
  const port = socket.localPort ?? 0;
  await eventually(() => holds(broker, port)).toBe(true);
  await expect.poll(() => holds(broker, port), { timeout: 90_000, interval: 100 }).toBe(false);
  socket.destroy();
  return { socket: 'closed', tookMs: performance.now() - began };
}

/** Does the broker still have its end of the connection from this port? State 01 is established, 08 half closed. */
function holds(broker: Running, port: number): boolean {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync(`/proc/${broker.pid}/net/tcp`, 'utf8').split('\n');
  const mine = lines.find((line) => line.includes(`0100007F:${hex(broker.port)} 0100007F:${hex(port)} `));
  // The inode of a socket that no process holds is 0.
  return mine !== undefined && mine.trim().split(/\s+/)[9] !== '0';
}

async function halfOverHttp2(broker: Running, ca: string, token: string): Promise<number> {
  const client = await rawHttp2(broker.port, ca);
  const headers = [
    ['authorization', `Bearer ${token}`],
    ['content-type', 'application/json'],
  ] as const;
  await client.send(frame(FRAME.headers, END_HEADERS, 1, request(COMMANDS, headers, 'POST')));
  await client.send(frame(FRAME.data, 0, 1, Buffer.from('{')));
  const answer = () => client.received.find(({ type, stream }) => type === FRAME.headers && stream === 1);
  await expect.poll(answer, { timeout: 90_000, interval: 50 }).toBeDefined();
  client.socket.destroy();
  // HPACK: a literal status with the name of entry 8 of the static table, the value in plain or Huffman code.
  const block = answer()?.payload ?? Buffer.alloc(0);
  return block.includes('408') || block.includes(Buffer.from([0x68, 0x1e, 0x3f])) ? 408 : huffman408(block);
}

/** 408 in the Huffman code of RFC 7541: 4 is 011010, 0 is 00000, 8 is 011110; 17 bits and seven of padding. */
function huffman408(block: Buffer): number {
  return block.includes(Buffer.from([0b01101000, 0b00001111, 0b01111111])) ? 408 : 0;
}

async function halfFrame(broker: Running, token: string): Promise<void> {
  const client = raw(
    broker,
    `GET /v1/switches/sw0/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nconnection: upgrade\r\n` +
      'upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
    false,
  );
  client.socket.removeAllListeners('data');
  client.socket.resume();
  setTimeout(() => client.socket.write(Buffer.from([0x82, 0xfe])), 100);
  await client.end;
}

fault('half-open', async ({ install, sees, kept, figure }) => {
  const address = '10.77.0.1';
  const ready = `ip link set lo up && ip address add ${address}/32 dev lo && exec "$@"`;
  const through = ['unshare', '--net', 'sh', '-c', ready, 'sh'];
  const installation = install({ limits: { streamPingMs: 700 }, through });
  const broker = await installation.start();
  const token = await installation.token({ tenant: 'acme' });
  const inside = ['nsenter', `--net=/proc/${broker.pid}/ns/net`] as const;
  const script = new URL('far-client.ts', import.meta.url).pathname;
  const words = [inside[1], process.execPath, script, String(broker.port), token, address];
  const client = spawn(inside[0], words, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  try {
    const next = (): Promise<{ readonly open?: boolean; readonly status?: number; readonly text?: string }> =>
      new Promise((done) => client.once('message', (said) => done(said as object)));
    expect(await next()).toEqual({ open: true });
    const metrics = async () => {
      const answer = next();
      client.send('/metrics');
      return answer;
    };
    const streams = async () => /^cci_edge_streams (\d+)/m.exec((await metrics()).text ?? '')?.[1];
    expect(await streams()).toBe('1');
    execFileSync(inside[0], [inside[1], 'ip', 'address', 'del', `${address}/32`, 'dev', 'lo']);
    const gone = performance.now();
    const { status = 0 } = await metrics();
    sees('others', { status });
    await eventually(streams).toBe('0');
    figure('goneMs', performance.now() - gone);
  } finally {
    client.kill();
  }
  await broker.stop();
  await kept(installation);
});

fault('idle', async ({ start, sees, kept, figure }) => {
  const broker = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  const before = broker.memory();
  const own = broker.descriptors();
  const began = performance.now();
  let [most, memory] = [0, before];
  const half = `${post(token, 'content-length: 100\r\n')}{`;
  const clients: Raw[] = [];
  for (let i = 0; i < 10_000; i += 1) {
    clients.push(raw(broker, i % 2 === 0 ? '' : half, true));
    if (i % 500 !== 499) continue;
    await new Promise((done) => clients.at(-1)?.socket.once('connect', done).once('close', done));
    most = Math.max(most, broker.descriptors() - own);
    memory = Math.max(memory, broker.memory());
    sees('others', await command(broker, token, read));
  }
  expect(most).toBeLessThanOrEqual(1025);
  figure('memory', before);
  figure('more', memory - before);
  figure('open', most);
  await expect.poll(() => broker.descriptors() - own, { timeout: 90_000, interval: 100 }).toBeLessThanOrEqual(2);
  figure('freedMs', performance.now() - began);
  sees('surplus', { socket: 'closed' });
  for (const { socket } of clients) socket.destroy();
  sees('after', await command(broker, token, read));
  await broker.stop();
  await kept(installation);
});

fault('large-body', async ({ start, sees, kept, figure }) => {
  const broker = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  sees('others', await command(broker, token, read));
  const before = broker.memory();
  sees('announced', await raw(broker, `${post(token, `content-length: ${2 ** 30}\r\n`)}{`).end);
  const head = post(token, 'transfer-encoding: chunked\r\n');
  const chunk = Buffer.from(`4000\r\n${' '.repeat(0x4000)}\r\n`);
  // More than is allowed, and then he listens.
  sees('sent', await raw(broker, Buffer.concat([Buffer.from(head), ...Array.from({ length: 5 }, () => chunk)])).end);
  // Whether one who never stops hears the answer before his connection is reset is a race.
  const client = raw(broker, head);
  const send = (): void => {
    if (client.socket.writable && client.written() < 2 ** 30) client.socket.write(chunk, () => setImmediate(send));
  };
  client.socket.once('connect', send);
  await client.end;
  figure('sent', client.written() / 1024);
  expect(client.written()).toBeLessThan(16 * 2 ** 20);
  figure('more', Math.max(0, broker.memory() - before));
  sees('others', await command(broker, token, read));
  await broker.stop();
  await kept(installation);
});

const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 2 } };

fault('compressed', async ({ start, sees, kept, figure }) => {
  const broker = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  sees('others', await command(broker, token, read));
  const before = broker.memory();
  const bomb = Buffer.alloc(64 * 2 ** 20, ' ');
  const packed = { gzip: [gzipSync(bomb), 'gzip'], brotli: [brotliCompressSync(bomb, FAST), 'br'] } as const;
  for (const [name, [bytes, coding]] of Object.entries(packed)) {
    const head = post(token, `content-encoding: ${coding}\r\ncontent-length: ${bytes.length}\r\nconnection: close\r\n`);
    sees(name, await raw(broker, Buffer.concat([Buffer.from(head), bytes])).end);
  }
  const socket = new WebSocket(`ws://127.0.0.1:${broker.port}/v1/switches/sw0/stream`, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: true,
  });
  await new Promise((done) => socket.once('open', done));
  expect(socket.extensions).toBe('');
  sees('deflate', { status: 101 });
  socket.terminate();
  figure('more', Math.max(0, broker.memory() - before));
  await broker.stop();
  await kept(installation);
});

fault('headers', async ({ start, sees, kept, figure }) => {
  const broker = await start({ tls: true });
  const plain = await start();
  const { installation } = broker;
  const token = await installation.token({ tenant: 'acme' });
  sees('others', await command(broker, token, read));
  const before = broker.memory();
  const many = Array.from({ length: 100_000 }, (_, i) => `x${i}: 1\r\n`).join('');
  sees('many', await raw(plain, `GET /healthz HTTP/1.1\r\nhost: x\r\n${many}\r\n`).end);
  sees('large', await raw(plain, `GET /healthz HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(2 ** 20)}\r\n\r\n`).end);
  const client = await rawHttp2(broker.port, installation.certificate?.certificate ?? '');
  await client.send(frame(FRAME.headers, 0, 1, request('/healthz')));
  const more = frame(FRAME.continuation, 0, 1, Buffer.from('\0\x01a\x7f\x81\x7e'.padEnd(8192, 'b')));
  let sent = 0;
  while (client.socket.writable && sent < 64 * 2 ** 20) {
    await client.send(more);
    sent += more.length;
  }
  await client.ended;
  sees('continuation', { socket: 'closed' });
  expect(sent).toBeLessThan(16 * 2 ** 20);
  figure('frames', sent / 1024);
  figure('more', Math.max(0, broker.memory() - before));
  sees('others', await command(broker, token, read));
  for (const one of [broker, plain]) {
    await one.stop();
    await kept(one.installation);
  }
});
