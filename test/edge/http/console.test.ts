import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createHttpEdge, type HttpEdge } from '../../../src/edge/http/index.ts';
import { APPROVE, caller, OPEN, REASON, startConsoleBroker, tidy, value } from '../../broker/console/console-broker.ts';
import type { BrokerFixture } from '../../support/broker-fixture.ts';

let broker: BrokerFixture;
let edge: HttpEdge;
let url = '';

async function start(section = ''): Promise<void> {
  broker = await startConsoleBroker({ section });
  edge = createHttpEdge(broker.core, { limits: { headersTimeoutMs: 2000 } });
  ({ url } = await edge.listen('127.0.0.1', 0));
}

afterEach(async () => {
  await tidy(broker);
  await edge.close();
  await broker.close();
});

interface Message {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** A client that does what the page of the protocol says, and nothing more. */
class Line {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  text = '';
  received = 0;
  sent = 0;
  code: number | undefined;

  constructor(token: string, path = '/v1/switches/sw0/console') {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code) => {
      this.code = code;
    });
    this.socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) {
        const message = JSON.parse(data.toString()) as Message;
        this.messages.push(message);
        if (message.type === 'opened') this.received = Number(message.offset);
        return;
      }
      expect(Number(data.readBigUInt64LE(0))).toBe(this.received);
      this.received += data.length - 8;
      this.text += data.subarray(8).toString('latin1');
      this.say({ type: 'ack', offset: this.received });
    });
  }

  async open(): Promise<this> {
    await new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode))));
    });
    return this;
  }

  say(message: object): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  type(text: string): void {
    const frame = Buffer.alloc(8 + Buffer.byteLength(text));
    frame.writeBigUInt64LE(BigInt(this.sent));
    frame.write(text, 8);
    this.sent += frame.length - 8;
    this.socket.send(frame);
  }

  async message(type: string): Promise<Message> {
    await expect.poll(() => this.messages.some((one) => one.type === type)).toBe(true);
    return this.messages.find((one) => one.type === type) ?? { type: '' };
  }

  async until(text: string): Promise<void> {
    await expect.poll(() => this.text).toContain(text);
  }
}

const tokenOf = async (name: 'alice' | 'bob' | 'carol', scopes: readonly string[] = OPEN) =>
  (await caller(broker, name, scopes)).token;
const wish = { type: 'open', program: 'tool', reason: REASON, columns: 90, rows: 30 };

async function opened(token: string): Promise<Line> {
  const line = await new Line(token).open();
  line.say(wish);
  await line.message('opened');
  await line.until('$ ');
  return line;
}

describe('the console over WebSocket', () => {
  it('is a terminal: bytes both ways, its size, its end', async () => {
    await start();
    const line = await opened(await tokenOf('alice'));
    expect(await line.message('opened')).toMatchObject({
      recorded: true,
      watching: false,
      columns: 90,
      input_offset: 0,
    });
    line.type('stty size\r');
    await line.until('30 90');
    line.say({ type: 'resize', columns: 100, rows: 40 });
    await expect.poll(() => line.messages.findLast(({ type }) => type === 'state')).toMatchObject({ columns: 100 });
    line.type('stty size; exit 4\r');
    await line.until('40 100');
    expect(await line.message('ended')).toMatchObject({ why: 'exited', exit_code: 4 });
    await expect.poll(() => line.code).toBe(1000);
    // What was taken is told, so that whoever typed it knows what to send again.
    expect(line.messages.findLast(({ type }) => type === 'state')).toMatchObject({ input_offset: line.sent });
  });

  it('waits for the second person, whose word comes over HTTP', async () => {
    await start('approval: required');
    const line = await new Line(await tokenOf('alice')).open();
    line.say(wish);
    const { request, digest } = await line.message('waiting');
    const carol = { authorization: `Bearer ${await tokenOf('carol', APPROVE)}` };
    const listed = await edge.inject({ url: '/v1/switches/sw0/consoles', headers: carol });
    expect(listed.json()).toMatchObject({ requests: [{ id: request, digest, state: 'waiting', reason: REASON }] });
    const approve = { method: 'POST', url: '/v1/switches/sw0/console/approve', headers: carol } as const;
    expect((await edge.inject({ ...approve, payload: { request, digest: 'f'.repeat(64) } })).statusCode).toBe(400);
    expect((await edge.inject({ ...approve, payload: { request, digest } })).json()).toMatchObject({ state: 'ready' });
    await line.message('opened');
  });

  it('ends with a problem where the request is denied', async () => {
    await start('approval: required');
    const line = await new Line(await tokenOf('alice')).open();
    line.say(wish);
    const { request } = await line.message('waiting');
    const headers = { authorization: `Bearer ${await tokenOf('carol', APPROVE)}` };
    const payload = { request, reason: 'not tonight' };
    await edge.inject({ method: 'POST', url: '/v1/switches/sw0/console/deny', headers, payload });
    expect(await line.message('problem')).toMatchObject({ problem: { code: 'EPERM', status: 403 } });
    await expect.poll(() => line.code).toBe(4403);
  });

  it('says that the broker stops, instead of being lost: nobody tries to come back to it', async () => {
    await start();
    const line = await opened(await tokenOf('alice'));
    const { session } = await line.message('opened');
    const look = await new Line(await tokenOf('bob')).open();
    look.say({ type: 'watch', session });
    await look.message('opened');
    await broker.endConsoles();
    await edge.close();
    for (const one of [line, look]) {
      expect(await one.message('ended')).toMatchObject({ why: 'broker-stopped' });
      await expect.poll(() => one.code).toBe(1000);
    }
  });

  it('takes a request back with its connection', async () => {
    await start('approval: required');
    const alice = await caller(broker, 'alice');
    const line = await new Line(alice.token).open();
    line.say(wish);
    await line.message('waiting');
    line.socket.terminate();
    await expect
      .poll(async () => value(await broker.core.consoles(alice, 'sw0')).requests.map(({ state }) => state))
      .toEqual(['denied']);
  });

  it('goes on after a lost connection, without a byte missing or typed twice', async () => {
    await start();
    const token = await tokenOf('alice');
    const first = await opened(token);
    const { session, seat } = await first.message('opened');
    first.type('echo bef""ore\r');
    await first.until('before');
    first.socket.terminate();
    const second = new Line(token);
    second.text = first.text;
    second.sent = first.sent;
    await second.open();
    second.say({ type: 'resume', session, seat, after: first.received });
    expect(await second.message('opened')).toMatchObject({ session, offset: first.received, input_offset: first.sent });
    second.type('echo aft""er\r');
    await second.until('after');
    expect(second.text.match(/before/g)).toHaveLength(1);
    second.say({ type: 'close' });
    expect(await second.message('ended')).toMatchObject({ why: 'closed' });
  });

  it('shows a session to whoever may watch it, who ends it over HTTP', async () => {
    await start();
    const line = await opened(await tokenOf('alice'));
    const { session } = await line.message('opened');
    const token = await tokenOf('bob');
    const look = await new Line(token).open();
    look.say({ type: 'watch', session });
    expect(await look.message('opened')).toMatchObject({
      watching: true,
      principal: expect.stringContaining('#alice'),
    });
    line.type('echo sh""own\r');
    await look.until('shown');
    const payload = { session, reason: 'enough' };
    const headers = { authorization: `Bearer ${token}` };
    expect(
      (await edge.inject({ method: 'POST', url: '/v1/switches/sw0/console/kill', headers, payload })).statusCode,
    ).toBe(200);
    expect(await line.message('ended')).toMatchObject({ why: 'killed' });
    expect(await look.message('ended')).toMatchObject({ why: 'killed' });
  });

  it('is not opened without a token, on another switch, or by what is no message', async () => {
    await start();
    await expect(new Line('nothing').open()).rejects.toThrow('401');
    const token = await tokenOf('alice');
    await expect(new Line(token, '/v1/switches/sw9/console').open()).rejects.toThrow('404');
    const bad = [
      'nonsense',
      '[]',
      '{"type":"toString"}',
      '{"type":"ack","offset":0}',
      JSON.stringify({ ...wish, columns: 0 }),
      JSON.stringify({ ...wish, path: '/bin/sh' }),
      JSON.stringify({ type: 'resume', session: 'x', seat: 'y', after: 0 }),
      JSON.stringify({ ...wish, reason: 'x'.repeat(5000) }),
      Buffer.from([1, 2, 3]),
    ];
    for (const message of bad) {
      const line = await new Line(token).open();
      line.socket.send(message);
      await expect.poll(() => line.code).toBe(1007);
    }
    expect(value(await broker.core.consoles(await caller(broker, 'alice'), 'sw0')).sessions).toEqual([]);
  });

  it('is told what stands against it', async () => {
    await start();
    const line = await new Line(await tokenOf('carol')).open();
    line.say(wish);
    expect(await line.message('problem')).toMatchObject({ problem: { code: 'EPERM' } });
    await expect.poll(() => line.code).toBe(4403);
  });
});
