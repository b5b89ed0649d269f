import { get, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { CoreApi, EventPage, EventQuery, FabricEvent } from '../../../src/broker/core-api.ts';
import { createHttpEdge, type HttpEdge, type HttpLimits } from '../../../src/edge/index.ts';
import { fakeCore, GOOD_TOKEN, refused } from '../../support/fake-core.ts';

const authorization = `Bearer ${GOOD_TOKEN}`;
let edge: HttpEdge | undefined;
const open: { destroy(): void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) one.destroy();
  await edge?.close();
  edge = undefined;
});

const event = (seq: number, more: object = {}): FabricEvent => ({
  kind: 'record',
  id: `00000000-${seq}`,
  log: 'warning',
  source: 'switch',
  timestamp: '5',
  handle: seq,
  record: '00',
  type: 'unknown',
  ...more,
});

/** A core with so many events, and more to come. */
class Feed {
  readonly all: FabricEvent[] = [];
  readonly queries: EventQuery[] = [];
  ended: 'EAUTH' | 'EAGAIN' | undefined;
  #wake = (): void => {};

  constructor(count: number) {
    for (let i = 1; i <= count; i++) this.all.push(event(i));
  }

  add(one: FabricEvent): void {
    this.all.push(one);
    this.#wake();
  }

  end(code: 'EAUTH' | 'EAGAIN'): void {
    this.ended = code;
    this.#wake();
  }

  readonly events: CoreApi['events'] = async (credential, name, query = {}) => {
    if (credential.token !== GOOD_TOKEN) return refused('EAUTH');
    if (name !== 'sw0') return refused('ENOENT');
    this.queries.push(query);
    if (this.#page(query).events.length === 0 && (query.waitMs ?? 0) > 0) {
      await new Promise<void>((done) => {
        const timer = setTimeout(done, query.waitMs);
        this.#wake = () => {
          clearTimeout(timer);
          done();
        };
      });
    }
    return this.ended === undefined ? { ok: true, value: this.#page(query) } : refused(this.ended);
  };

  #page({ after, limit = 100 }: EventQuery): EventPage {
    const from = after === undefined ? 0 : after === 'now' ? this.all.length : Number(after.split('-')[1]);
    const events = this.all.slice(from, from + limit);
    return { events, next: `00000000-${from + events.length}`, more: from + events.length < this.all.length };
  }
}

async function listen(feed: Feed, limits: Partial<HttpLimits> = {}, more: Partial<CoreApi> = {}): Promise<string> {
  const core = fakeCore({ events: feed.events, ...more });
  edge = createHttpEdge(core, { limits: { shutdownMs: 500, ...limits } });
  return (await edge.listen('127.0.0.1', 0)).url;
}

interface Reading {
  readonly status: number;
  readonly response: IncomingMessage;
  text(): string;
  /** Waits until the text holds something. */
  until(part: string): Promise<void>;
  readonly ended: Promise<void>;
}

async function read(url: string, headers: { readonly [name: string]: string } = {}): Promise<Reading> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = get(url, { headers: { authorization, accept: 'text/event-stream', ...headers } }, resolve);
  request.on('error', reject);
  open.push(request);
  const response = await promise;
  let text = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise<void>((done) => response.once('close', done));
  return {
    status: response.statusCode ?? 0,
    response,
    text: () => text,
    ended,
    async until(part) {
      for (let turn = 0; turn < 3000 && !text.includes(part); turn++) await new Promise((done) => setTimeout(done, 5));
      expect(text).toContain(part);
    },
  };
}

const path = '/v1/switches/sw0/events';

describe('a list of events', () => {
  it('is one page of the core, with where to go on', async () => {
    const feed = new Feed(3);
    const url = await listen(feed);
    const reply = await fetch(`${url}${path}?after=00000000-1&limit=1`, { headers: { authorization } });
    expect(reply.status).toBe(200);
    expect(await reply.json()).toEqual({ events: [event(2)], next: '00000000-2', more: true });
    expect(feed.queries).toEqual([{ after: '00000000-1', limit: 1 }]);
  });

  it.each([
    ['?limit=0', 'limit'],
    ['?limit=10000', 'limit'],
    ['?limit=x', 'limit'],
    ['?before=1', 'before'],
    ['?after=1&after=2', 'after'],
    ['?token=secret', 'token'],
  ])('%s is refused and names the member', async (query, field) => {
    const url = await listen(new Feed(1));
    const reply = await fetch(`${url}${path}${query}`, { headers: { authorization } });
    expect(reply.status).toBe(400);
    expect(await reply.json()).toMatchObject({ code: 'EPARAM', field });
  });

  it('other routes still take no query', async () => {
    const url = await listen(new Feed(1));
    expect((await fetch(`${url}/v1/whoami?after=1`, { headers: { authorization } })).status).toBe(400);
  });
});

describe('server-sent events', () => {
  it('give what is kept, then what comes, each with its id', async () => {
    const feed = new Feed(2);
    const stream = await read(`${await listen(feed)}${path}`);
    expect(stream.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    await stream.until('id: 00000000-2\nevent: record\n');
    feed.add(event(3));
    await stream.until('id: 00000000-3\nevent: record\n');
    feed.add({ kind: 'gap', id: '00000000-4', lost: 7 });
    await stream.until(`event: gap\ndata: ${JSON.stringify({ kind: 'gap', id: '00000000-4', lost: 7 })}\n\n`);
  });

  it('go on behind Last-Event-ID, which outweighs the URL', async () => {
    const url = await listen(new Feed(5));
    const stream = await read(`${url}${path}?after=00000000-1`, { 'last-event-id': '00000000-4' });
    await stream.until('id: 00000000-5\n');
    expect(stream.text()).not.toContain('id: 00000000-4\n');
  });

  it('say where a reader stands who has seen nothing yet, and that they live', async () => {
    const stream = await read(`${await listen(new Feed(4), { eventHeartbeatMs: 20 })}${path}?after=now`);
    await stream.until('id: 00000000-4\n\n');
    await stream.until(': nothing new\n\n');
    expect(stream.text()).not.toContain('event: record');
  });

  it.each([
    ['without a token', { authorization: '' }, 401],
    ['of a switch that is not there', {}, 404],
  ] as const)('%s are a problem document, not a stream', async (_what, headers, status) => {
    const url = await listen(new Feed(1));
    const place = status === 404 ? '/v1/switches/sw9/events' : path;
    const stream = await read(`${url}${place}`, headers);
    expect(stream.status).toBe(status);
    await stream.ended;
    expect(stream.response.headers['content-type']).toContain('application/problem+json');
  });

  it('end with the token, and say so', async () => {
    const feed = new Feed(1);
    const stream = await read(`${await listen(feed)}${path}`);
    await stream.until('event: record');
    feed.end('EAUTH');
    await stream.ended;
    expect(stream.text()).toContain('event: end\ndata: {');
    expect(stream.text()).toContain('"code":"EAUTH"');
  });

  it('end when the broker shuts down, which does not wait for them', async () => {
    const stream = await read(`${await listen(new Feed(1), { shutdownMs: 5000 })}${path}`);
    await stream.until('event: record');
    const begun = performance.now();
    await edge?.close();
    await stream.ended;
    expect(stream.text()).toContain('event: end');
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  it('of a core that fails end as an internal error', async () => {
    let asked = 0;
    const events: CoreApi['events'] = async () => {
      if (asked++ > 0) throw new Error('broken');
      return { ok: true, value: { events: [event(1)], next: '00000000-1', more: false } };
    };
    const stream = await read(`${await listen(new Feed(0), {}, { events })}${path}`);
    await stream.ended;
    expect(stream.text()).toContain('"code":"EINTERNAL"');
  });

  it('of a reader who takes nothing are ended, and hold no more than a page', async () => {
    const feed = new Feed(0);
    for (let i = 1; i <= 2000; i++) feed.add(event(i, { record: 'ab'.repeat(20_000) }));
    const url = await listen(feed, { eventStallMs: 100 });
    const request = get(`${url}${path}`, { headers: { authorization, accept: 'text/event-stream' } });
    open.push(request);
    const { promise, resolve } = Promise.withResolvers<void>();
    request.once('response', (response) => {
      response.pause();
      response.once('error', () => resolve());
      response.once('close', () => resolve());
      // Only a reader of the socket hears that it was closed.
      setTimeout(() => response.resume(), 1200);
    });
    request.once('error', () => resolve());
    await promise;
    // Each page that was asked for fits the socket's buffers; a reader behind gets no more of them.
    expect(feed.queries.length).toBeLessThan(10);
  });

  it('one tenant cannot have all of them; a place that is given back is taken again', async () => {
    const url = await listen(new Feed(1), { eventStreams: 8, eventStreamsPerTenant: 2 });
    const streams = await Promise.all([1, 2, 3, 4].map(() => read(`${url}${path}`)));
    expect(streams.map(({ status }) => status).sort()).toEqual([200, 200, 429, 429]);
    for (const { response, status } of streams) if (status === 200) response.destroy();
    for (let turn = 0; turn < 2000; turn++) {
      const again = await read(`${url}${path}`);
      if (again.status === 200) return;
      await new Promise((done) => setTimeout(done, 5));
    }
    throw new Error('no place came free');
  });
});

describe('a WebSocket of events', () => {
  const socket = async (url: string, headers = { authorization }) => {
    const made = new WebSocket(url.replace('http', 'ws'), { headers });
    open.push({ destroy: () => made.terminate() });
    const messages: unknown[] = [];
    made.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString())));
    made.on('error', () => 0);
    const closed = new Promise<number>((done) => made.once('close', done));
    const status = await new Promise<number>((done) => {
      made.once('open', () => done(101));
      made.once('unexpected-response', (_request, response) => done(response.statusCode ?? 0));
    });
    const until = async (count: number) => {
      for (let turn = 0; turn < 3000 && messages.length < count; turn++)
        await new Promise((done) => setTimeout(done, 5));
      expect(messages.length).toBeGreaterThanOrEqual(count);
    };
    return { made, messages, closed, status, until };
  };

  it('gives each event as one message, and what comes', async () => {
    const feed = new Feed(2);
    const { messages, until } = await socket(`${await listen(feed)}${path}?after=00000000-1`);
    await until(1);
    feed.add(event(3));
    await until(2);
    expect(messages).toEqual([event(2), event(3)]);
  });

  it('is refused before the upgrade, with a status', async () => {
    const url = await listen(new Feed(1));
    expect((await socket(`${url}${path}`, { authorization: 'Bearer bad' })).status).toBe(401);
    expect((await socket(`${url}/v1/switches/sw9/events`)).status).toBe(404);
    expect((await socket(`${url}${path}?x=1`)).status).toBe(400);
  });

  it('takes no messages', async () => {
    const { made, closed } = await socket(`${await listen(new Feed(0))}${path}`);
    made.send('hello');
    expect(await closed).toBe(1003);
  });

  it.each([
    ['EAUTH', 4401],
    ['EAGAIN', 1013],
  ] as const)('ends with %s', async (code, expected) => {
    const feed = new Feed(1);
    const { messages, closed, until } = await socket(`${await listen(feed)}${path}`);
    await until(1);
    feed.end(code);
    expect(await closed).toBe(expected);
    expect(messages.at(-1)).toMatchObject({ kind: 'end', code });
  });

  it('that answers no ping is dropped', async () => {
    const { made, closed } = await socket(`${await listen(new Feed(0), { eventHeartbeatMs: 30 })}${path}`);
    made.pong = () => undefined as never;
    (made as unknown as { _receiver: { removeAllListeners(name: string): void } })._receiver.removeAllListeners('ping');
    expect([1006, 4408]).toContain(await closed);
  });

  it('nothing unasked for is sent on the stream of commands', async () => {
    const feed = new Feed(0);
    const url = await listen(feed);
    const { messages, made } = await socket(`${url}/v1/switches/sw0/stream`);
    feed.add(event(1));
    await new Promise((done) => setTimeout(done, 50));
    expect(messages).toEqual([]);
    made.close();
  });
});
