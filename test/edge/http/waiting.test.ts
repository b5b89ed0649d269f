import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { CommandAnswer, CoreResult, SubmitOptions } from '../../../src/broker/core-api.ts';
import { encodeMessage } from '../../../src/cci/index.ts';
import { createHttpEdge, type HttpEdge } from '../../../src/edge/index.ts';
import { answered, type FakeCore, fakeCore, GOOD_TOKEN, refused } from '../../support/fake-core.ts';

// What a client can say about how long it waits, and what the core hears when it waits no longer.

let edge: HttpEdge | undefined;
afterEach(() => edge?.close());

const path = '/v1/switches/sw0/commands';
const headers = { authorization: `Bearer ${GOOD_TOKEN}`, 'content-type': 'application/json' };

async function started(answer: () => Promise<CoreResult<CommandAnswer>>) {
  const core: FakeCore = fakeCore({ submit: answer });
  edge = createHttpEdge(core, { limits: { shutdownMs: 100 } });
  const { url } = await edge.listen('127.0.0.1', 0);
  const options = () =>
    core.calls.filter(({ method }) => method === 'submit').map((call) => call.arguments?.[0] as SubmitOptions);
  const cancelled = () => core.calls.filter(({ method }) => method === 'cancel').map((call) => call.arguments?.[0]);
  return {
    url,
    options,
    cancelled,
    post: (more: object) =>
      fetch(`${url}${path}`, { method: 'POST', headers: { ...headers, ...more }, body: '{"command":"identify"}' }),
  };
}

const message = (tag: number) =>
  encodeMessage({
    category: 'request',
    tag,
    opcode: 1,
    background: false,
    returnCode: 0,
    vendorStatus: 0,
    payload: new Uint8Array(0),
  });

async function opened(url: string, more: object = {}): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/switches/sw0/stream`, {
    headers: { authorization: `Bearer ${GOOD_TOKEN}`, ...more },
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

describe('a client that closes its connection', () => {
  it('before the answer has its request cancelled, by the handle that it was submitted with', async () => {
    const gate = Promise.withResolvers<CoreResult<CommandAnswer>>();
    const { url, options, cancelled } = await started(() => gate.promise);
    const outgoing = httpRequest(`${url}${path}`, { method: 'POST', headers });
    outgoing.on('error', () => {});
    outgoing.end('{"command":"identify"}');
    await expect.poll(() => options().length).toBe(1);
    expect(cancelled()).toEqual([]);
    outgoing.destroy();
    await expect.poll(cancelled).toEqual([options()[0]?.handle]);
    gate.resolve(answered());
  });

  it('after the answer has nothing cancelled', async () => {
    const { post, cancelled, options } = await started(async () => answered());
    expect((await post({ connection: 'close' })).status).toBe(200);
    expect((await post({ connection: 'close' })).status).toBe(200);
    const handles = options().map(({ handle }) => handle);
    expect(new Set(handles).size).toBe(2);
    await new Promise((done) => setTimeout(done, 20));
    expect(cancelled()).toEqual([]);
  });

  it('of a stream has every message cancelled that is under way, and no other', async () => {
    const gates: PromiseWithResolvers<CoreResult<CommandAnswer>>[] = [];
    const { url, options, cancelled } = await started(() => {
      const gate = Promise.withResolvers<CoreResult<CommandAnswer>>();
      gates.push(gate);
      return gate.promise;
    });
    const socket = await opened(url);
    for (const tag of [1, 2, 3]) socket.send(message(tag));
    await expect.poll(() => options().length).toBe(3);
    gates[1]?.resolve(answered());
    await new Promise((resolve) => socket.once('message', resolve));
    socket.terminate();
    await expect.poll(() => cancelled().length).toBe(2);
    const [first, , third] = options().map(({ handle }) => handle);
    expect(cancelled()).toEqual([first, third]);
    for (const gate of gates) gate.resolve(answered());
  });
});

describe('the header cci-deadline-ms', () => {
  it('goes along with the command; without it no deadline does', async () => {
    const { post, options } = await started(async () => answered());
    await post({ 'cci-deadline-ms': '250' });
    await post({});
    expect(options().map(({ deadlineMs }) => deadlineMs)).toEqual([250, undefined]);
  });

  it.each(['0', '-1', '1.5', '600001', '9999999', 'soon', '', '10, 20'])('is refused as %j', async (text) => {
    const { post, options } = await started(async () => answered());
    const response = await post({ 'cci-deadline-ms': text });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'EPARAM', field: 'cci-deadline-ms' });
    expect(options()).toEqual([]);
  });

  it('of an upgrade holds for every message of the stream', async () => {
    const { url, options } = await started(async () => answered());
    const socket = await opened(url, { 'cci-deadline-ms': '75' });
    socket.send(message(1));
    await expect.poll(() => options().map(({ deadlineMs }) => deadlineMs)).toEqual([75]);
    socket.terminate();
    await expect(opened(url, { 'cci-deadline-ms': 'soon' })).rejects.toThrow('400');
  });
});

describe('a refusal for want of room', () => {
  it('says in the header Retry-After when to ask again, in whole seconds, and in the document in milliseconds', async () => {
    const { post } = await started(async () => refused('EAGAIN', { retryAfterMs: 1200, returnCode: 5 }));
    const response = await post({});
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await response.json()).toMatchObject({ code: 'EAGAIN', retryAfterMs: 1200, returnCode: 5 });
  });
});
