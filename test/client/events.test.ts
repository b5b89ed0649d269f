import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { BrokerError, type Client, createClient, ProtocolError, type SwitchEvent } from '../../src/client/index.ts';

interface Asked {
  readonly url: string;
  readonly last: string | undefined;
  readonly token: string | undefined;
}

let close: (() => void) | undefined;
afterEach(() => close?.());

/** A server that answers the n-th request with the n-th part, and then ends the connection. */
async function serve(parts: readonly ((response: ServerResponse) => void)[]) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const { url = '', headers } = request;
    asked.push({ url, last: headers['last-event-id']?.toString(), token: headers.authorization });
    const part = parts[asked.length - 1] ?? parts.at(-1);
    part?.(response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const begin = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });
const frame = (id: number, more: object = {}) =>
  `id: 0a-${id}\nevent: record\ndata: ${JSON.stringify({ kind: 'record', id: `0a-${id}`, ...more })}\n\n`;
const problem = (code: string, status: number) => ({
  type: `urn:switch-cci:problem:${code}`,
  title: 'x',
  status,
  detail: 'no',
  code,
  errno: code,
  requestId: 'r',
  returnCode: 2,
});
const refuse = (code: string, status: number) => (response: ServerResponse) =>
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem(code, status)));

async function take(client: Client, count: number, options: Parameters<Client['events']>[0] = {}) {
  const got: SwitchEvent[] = [];
  for await (const event of client.events(options)) {
    got.push(event);
    if (got.length === count) break;
  }
  return got.map(({ id }) => id);
}

describe('events as they come', () => {
  it('go on behind the last one when the connection breaks off, however the bytes were cut', async () => {
    const { url, asked } = await serve([
      (response) => {
        begin(response).write(`retry: 2000\n\n${frame(1)}`);
        const [head, tail] = [frame(2).slice(0, 17), frame(2).slice(17)];
        response.write(head);
        setTimeout(() => response.write(tail), 10);
        setTimeout(() => response.destroy(), 30);
      },
      (response) => begin(response).end(`: nothing new\n\n${frame(3)}`),
    ]);
    expect(await take(createClient({ url, token: 't' }), 3)).toEqual(['0a-1', '0a-2', '0a-3']);
    expect(asked.map(({ last }) => last)).toEqual([undefined, '0a-2']);
  });

  it('asked for from now on, they go on from where the broker said that now was', async () => {
    const { url, asked } = await serve([
      (response) => begin(response).end('id: 0a-7\n\n'),
      (response) => begin(response).end(frame(8)),
    ]);
    expect(await take(createClient({ url, token: 't' }), 1, { after: 'now' })).toEqual(['0a-8']);
    expect(asked.map((one) => [one.url, one.last])).toEqual([
      ['/v1/switches/sw0/events?after=now', undefined],
      ['/v1/switches/sw0/events', '0a-7'],
    ]);
  });

  it('outlast a broker that is full or restarted', async () => {
    const end = `event: end\ndata: ${JSON.stringify(problem('EIO', 503))}\n\n`;
    const { url } = await serve([
      refuse('EAGAIN', 429),
      (response) => begin(response).end(`${frame(1)}${end}`),
      (response) => begin(response).end(frame(2)),
    ]);
    expect(await take(createClient({ url, token: 't' }), 2)).toEqual(['0a-1', '0a-2']);
  });

  it.each([
    ['EPERM', 403],
    ['EAUTH', 401],
    ['ENOENT', 404],
  ])('end with %s', async (code, status) => {
    const { url } = await serve([refuse(code, status)]);
    const error = await take(createClient({ url, token: 't' }), 1).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ code });
  });

  it('go on with a new token where the old one ended', async () => {
    const end = `event: end\ndata: ${JSON.stringify(problem('EAUTH', 401))}\n\n`;
    const { url, asked } = await serve([
      (response) => begin(response).end(`${frame(1)}${end}`),
      (response) => begin(response).end(frame(2)),
    ]);
    let given = 0;
    expect(await take(createClient({ url, tokenProvider: () => `t${++given}` }), 2)).toEqual(['0a-1', '0a-2']);
    expect(new Set(asked.map(({ token }) => token)).size).toBe(2);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['a page that is no stream', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')],
    ['an event that is none', (response) => begin(response).end('id: 1\ndata: {"kind":"other"}\n\n')],
    ['data that is not JSON', (response) => begin(response).end('data: {\n\n')],
    ['an end in other words', (response) => begin(response).end('event: end\ndata: {}\n\n')],
    ['an event without end', (response) => begin(response).end('x'.repeat(2 << 20))],
  ])('%s is a protocol error', async (_what, part) => {
    const { url } = await serve([part]);
    await expect(take(createClient({ url, token: 't' }), 1)).rejects.toBeInstanceOf(ProtocolError);
  });

  it('end without an error when they are told to', async () => {
    const { url } = await serve([(response) => void begin(response).write(frame(1))]);
    const stop = new AbortController();
    const got: string[] = [];
    for await (const { id } of createClient({ url, token: 't' }).events({ signal: stop.signal })) {
      got.push(id);
      stop.abort();
    }
    expect(got).toEqual(['0a-1']);
  });
});

it('one page is asked for with where to begin', async () => {
  const page = { events: [{ kind: 'gap', id: '0a-1', lost: 2 }], next: '0a-1', more: false };
  const { url, asked } = await serve([(response) => response.end(JSON.stringify(page))]);
  expect(await createClient({ url, token: 't' }).listEvents({ after: '0a-0', limit: 5 })).toEqual(page);
  expect(asked[0]?.url).toBe('/v1/switches/sw0/events?after=0a-0&limit=5');
});
