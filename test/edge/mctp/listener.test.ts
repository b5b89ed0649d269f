import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeMessage, readUint } from '../../../src/cci/index.ts';
import {
  createMctpListener,
  endpointUuid,
  type MctpLimits,
  type MctpListener,
  type Relay,
} from '../../../src/edge/mctp/index.ts';
import { hex, Wire } from '../../backend/emulator/wire.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A reply of the specification to a request of it. */
function reply(message: Uint8Array, payload = new Uint8Array(0)): Uint8Array {
  return encodeMessage({
    category: 'response',
    tag: readUint(message, 1, 1),
    opcode: readUint(message, 3, 2),
    background: false,
    returnCode: 0,
    vendorStatus: 0,
    payload,
  });
}

async function rig(relay: Relay = async (message) => reply(message), limits: Partial<MctpLimits> = {}) {
  const listener: MctpListener = createMctpListener({
    dialect: 'spec',
    relay,
    uuid: endpointUuid('test'),
    limits: { shutdownMs: 50, ...limits },
  });
  const { port } = await listener.listen('127.0.0.1', 0);
  closers.push(() => listener.close());
  return { listener, port };
}

async function wire(port: number): Promise<Wire> {
  const client = await Wire.to(port);
  closers.push(() => client.end());
  return client;
}

async function raw(port: number): Promise<{ socket: Socket; ended: () => boolean }> {
  const socket = connect({ host: '127.0.0.1', port });
  let isEnded = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    isEnded = true;
  });
  socket.resume();
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  closers.push(() => void socket.destroy());
  return { socket, ended: () => isEnded };
}

const identify = (tag: string): string => hex(`00 ${tag} 00 01 00 00 00 00 00 00 00 00`);

describe('every request is answered', () => {
  it.each([
    ['a request', '00 07 00 01 51 02 00 00 00 00 00 00 01 03', 7, '01 07 00 01 51 00 00 00 00 00 00 00'],
    ['Get EID', '80 02', 0, '00 02 00 00 00 00'],
    ['Set EID, refused', '80 01 00 22', 0, '00 01 05'],
    ['an unknown control command', '80 66', 0, '00 66 05'],
    [
      'the type that plugs devices, refused',
      '00 09 00 01 00 00 00 00 00 00 00 00',
      0x70,
      '01 09 00 01 00 00 00 00 03 00 00 00',
    ],
    ['a type nobody has', '00 09 00 01 00 00 00 00 00 00 00 00', 0x55, '01 09 00 01 00 00 00 00 03 00 00 00'],
  ])('%s', async (_what, request, type, expected) => {
    const { port } = await rig();
    const client = await wire(port);
    expect((await client.ask(hex(request), type)).slice(0, hex(expected).length)).toBe(hex(expected));
  });

  it('with tag, type and addresses turned round, and its own sequence', async () => {
    const { port } = await rig();
    const client = await wire(port);
    for (const tag of [3, 5, 1, 7, 2]) client.socket.write(client.packets(identify('01'), 8, { tag, source: 0x1d }));
    await expect.poll(() => client.messages.length).toBe(5);
    expect(client.messages.map(({ tag }) => tag)).toEqual([3, 5, 1, 7, 2]);
    expect(client.messages[0]).toMatchObject({ type: 8, tagOwner: false, destination: 0x1d, source: 0 });
    expect(client.flags).toEqual([0xc3, 0xd5, 0xe1, 0xf7, 0xc2]);
  });

  it('also where the relay fails, and where it never comes back', async () => {
    const { port } = await rig(
      (message) => (message[1] === 1 ? Promise.reject(new Error('gone')) : new Promise(() => {})),
      { answerMs: 40 },
    );
    const client = await wire(port);
    expect(await client.ask(identify('01'), 8)).toBe(hex('01 01 00 01 00 00 00 00 04 00 00 00'));
    expect(await client.ask(identify('02'), 8)).toBe(hex('01 02 00 01 00 00 00 00 04 00 00 00'));
  });

  it('whose last byte was lost, with 0016h', async () => {
    const { port } = await rig();
    const client = await wire(port);
    const body = hex(`00 0a 00 01 51 34 00 00 00 00 00 00 33 ${'02 '.repeat(50)}`);
    expect(await client.ask(body)).toBe(hex('01 0a 00 01 51 00 00 00 16 00 00 00'));
  });

  it('by one that ends its side right behind it', async () => {
    const { port } = await rig(async (message) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return reply(message);
    });
    const client = await wire(port);
    client.socket.end(client.packets(identify('05'), 8));
    expect(await client.next()).toBe(hex('01 05 00 01 00 00 00 00 00 00 00 00'));
    await expect.poll(() => client.closed).toBe(true);
  });

  it('and nothing is ever sent that was not asked for', async () => {
    const { port } = await rig();
    const client = await wire(port);
    const unowned = client.packets(identify('01'), 8);
    unowned[3] = (unowned[3] ?? 0) & ~0x08;
    client.socket.write(unowned);
    expect(await client.ask(identify('02'), 8)).toBe(hex('01 02 00 01 00 00 00 00 00 00 00 00'));
    expect(client.messages).toEqual([]);
  });
});

describe('what comes in', () => {
  it('may be cut anywhere, or come all at once, and is answered in its order', async () => {
    const { port } = await rig();
    const client = await wire(port);
    const bytes = Buffer.concat(
      Array.from({ length: 20 }, (_, i) => client.packets(identify(i.toString(16).padStart(2, '0')), 8)),
    );
    for (let at = 0; at < bytes.length; at += 131) {
      client.socket.write(bytes.subarray(at, at + 131));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (let i = 0; i < 20; i++) expect((await client.next()).slice(2, 4)).toBe(i.toString(16).padStart(2, '0'));
  });

  it('of one connection is carried out one after the other', async () => {
    let under = 0;
    let most = 0;
    const { port } = await rig(async (message) => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => setTimeout(resolve, 2));
      under--;
      return reply(message);
    });
    const client = await wire(port);
    client.socket.write(
      Buffer.concat(Array.from({ length: 30 }, (_, i) => client.packets(identify(i.toString(16).padStart(2, '0')), 8))),
    );
    for (let i = 0; i < 30; i++) await client.next();
    expect(most).toBe(1);
  });

  it('that is no MCTP ends the connection', async () => {
    const { port } = await rig();
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\x02\x00', '\x00']) {
      const { socket, ended } = await raw(port);
      socket.write(bytes);
      await expect.poll(ended).toBe(true);
    }
  });

  it('that could never be complete ends the connection', async () => {
    const { port } = await rig();
    const client = await wire(port);
    const first = client.packets(hex('00 01 00 01 51 ff ff 00 00 00 00 00'), 7);
    first[3] = (first[3] ?? 0) & ~0x40;
    client.socket.write(first);
    await expect.poll(() => client.closed).toBe(true);
  });

  it('in random bytes neither ends the listener nor gets an answer that it should not', async () => {
    const { port } = await rig();
    for (let round = 0; round < 30; round++) {
      const { socket } = await raw(port);
      const bytes = Buffer.from(Array.from({ length: 68 * 4 }, (_, i) => (i * 131 + round * 17) & 0xff));
      for (let at = 0; at < bytes.length; at += 68) bytes[at] = 1;
      socket.write(bytes);
    }
    const client = await wire(port);
    expect((await client.ask(identify('09'), 8)).slice(0, 4)).toBe('0109');
  });
});

describe('clients that are slow, silent or many', () => {
  it('that never end a packet are let go, those between packets are not', async () => {
    const { port } = await rig(undefined, { assemblyMs: 60 });
    const { socket, ended } = await raw(port);
    const idle = await raw(port);
    socket.write(Uint8Array.of(1, 0));
    const drip = setInterval(() => socket.write(Uint8Array.of(0)), 20);
    await expect.poll(ended).toBe(true);
    clearInterval(drip);
    expect(idle.ended()).toBe(false);
  });

  it('that never end a message keep nobody waiting and can go on with another', async () => {
    const { port } = await rig(undefined, { assemblyMs: 30 });
    const client = await wire(port);
    for (let tag = 0; tag < 8; tag++) {
      const half = client
        .packets(hex(`00 01 00 01 51 80 00 00 00 00 00 00 7f ${'01'.repeat(127)}`), 7, { tag })
        .subarray(0, 68);
      client.socket.write(half);
    }
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect((await client.ask(identify('03'), 8)).slice(0, 4)).toBe('0103');
  });

  it('that say nothing are let go in the end', async () => {
    const { port } = await rig(undefined, { idleMs: 60 });
    const { ended } = await raw(port);
    await expect.poll(ended).toBe(true);
  });

  it('that read nothing hold no more than one reply, and are let go', async () => {
    let asked = 0;
    const { port, listener } = await rig(
      async (message) => {
        asked++;
        return reply(message, new Uint8Array(8000));
      },
      { writeMs: 100 },
    );
    const socket = connect({ host: '127.0.0.1', port });
    closers.push(() => void socket.destroy());
    let isEnded = false;
    socket.on('error', () => {});
    socket.on('close', () => {
      isEnded = true;
    });
    socket.pause();
    const client = await wire(port);
    const burst = Buffer.concat(Array.from({ length: 2000 }, () => client.packets(identify('01'), 8)));
    socket.write(burst);
    await expect.poll(() => asked).toBeGreaterThan(0);
    expect((await client.ask(identify('02'), 8)).slice(0, 4)).toBe('0102');
    socket.once('end', () => {});
    await expect.poll(() => listener.connections).toBe(1);
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked).toBe(before);
    socket.resume();
    await expect.poll(() => isEnded).toBe(true);
  });

  it('are each served in their turn, two hundred of them', async () => {
    const { port } = await rig(async (message) => {
      await new Promise((resolve) => setImmediate(resolve));
      return reply(message);
    });
    const clients = await Promise.all(Array.from({ length: 200 }, () => wire(port)));
    for (let i = 0; i < 20; i++) clients[i]?.socket.write(Uint8Array.of(1, 0, 0));
    const replies = await Promise.all(clients.slice(20).map((client) => client.ask(identify('01'), 8)));
    expect(new Set(replies).size).toBe(1);
  });

  it('that hold connections open for nothing make room for others', async () => {
    const { port, listener } = await rig(undefined, { connections: 3, yieldsAfterMs: 1000 });
    const idle = await Promise.all([raw(port), raw(port), raw(port)]);
    await expect.poll(() => listener.connections).toBe(3);
    const early = await raw(port);
    await expect.poll(early.ended).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    const client = await wire(port);
    expect((await client.ask(identify('01'), 8)).slice(0, 4)).toBe('0101');
    await expect.poll(() => idle.filter(({ ended }) => ended()).length).toBe(1);
    expect(listener.connections).toBe(3);
  });

  it('that go away have what was not sent taken back', async () => {
    const signals: AbortSignal[] = [];
    const { port, listener } = await rig((_message, { gone }) => {
      signals.push(gone);
      return new Promise(() => {});
    });
    const client = await wire(port);
    client.socket.write(client.packets(identify('01'), 8));
    await expect.poll(() => signals.length).toBe(1);
    client.socket.resetAndDestroy();
    await expect.poll(() => signals[0]?.aborted).toBe(true);
    expect(listener.connections).toBe(0);
  });
});

describe('the end', () => {
  it('lets what is under way be answered, then closes', async () => {
    const asked = Promise.withResolvers<void>();
    const { port, listener } = await rig(
      async (message) => {
        asked.resolve();
        await new Promise((resolve) => setTimeout(resolve, 30));
        return reply(message);
      },
      { shutdownMs: 1000 },
    );
    const [busy, idle] = [await wire(port), await wire(port)];
    const answer = busy.ask(identify('01'), 8);
    await asked.promise;
    const closing = listener.close();
    expect((await answer).slice(0, 4)).toBe('0101');
    await closing;
    await expect.poll(() => busy.closed && idle.closed).toBe(true);
    const refused = new Promise((resolve) => connect({ host: '127.0.0.1', port }).once('error', resolve));
    expect(await refused).toMatchObject({ code: 'ECONNREFUSED' });
  });
});
