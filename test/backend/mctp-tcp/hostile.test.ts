import { afterEach, describe, expect, it } from 'vitest';
import { createMctpTcpBackend, type MctpTcpBackend } from '../../../src/backend/mctp-tcp/index.ts';
import { opcode, toHex } from '../../../src/cci/index.ts';
import { PACKET_SIZE } from '../../../src/cci/mctp.ts';
import { type Asked, FakeSwitch } from './fake-switch.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function rig(behave: (asked: Asked) => void, options: object = {}) {
  const fake = await FakeSwitch.start(behave);
  closers.push(async () => fake[Symbol.asyncDispose]());
  const backend = createMctpTcpBackend({
    host: '127.0.0.1',
    port: fake.port,
    dialect: 'jackrabbit',
    drain_ms: 50,
    ...options,
  });
  closers.push(() => backend.close());
  await backend.open();
  return { fake, backend };
}

const PORTS = 0x5101;

async function ask(backend: MctpTcpBackend, ports = 1, waitMs = 2000): Promise<string> {
  const payload = Uint8Array.from({ length: ports + 1 }, (_, i) => (i === 0 ? ports : i));
  const reply = await backend.execute({ opcode: opcode(PORTS), payload }, performance.now() + waitMs);
  return toHex(reply.payload);
}

/** As many port blocks as were asked for, with a mark in the last byte. */
function blocks({ request }: Asked): Uint8Array {
  const count = request.payload[0] ?? 0;
  const payload = new Uint8Array(4 + count * 16).fill(0x11);
  payload.set([count, 0, 0, 0]);
  payload[payload.length - 1] = 0x77;
  return payload;
}

const honest = (asked: Asked): void => {
  asked.socket.write(asked.reply({ payload: blocks(asked) }));
};

describe('a switch that says nothing', () => {
  it('is given up at the deadline, and the outcome is unknown', async () => {
    const { backend } = await rig(() => {});
    await expect(ask(backend, 1, 60)).rejects.toMatchObject({ code: 'ETIMEDOUT', outcome: 'unknown' });
  });

  it('whose answer comes too late does not give it to the next one who asks', async () => {
    const held: Asked[] = [];
    const { backend } = await rig((asked) => {
      if (held.length === 0) held.push(asked);
      else {
        const [late] = held;
        late?.socket.write(late.reply({ payload: Uint8Array.of(0, 0, 0, 0) }));
        honest(asked);
      }
    });
    await expect(ask(backend, 1, 40)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    expect(await ask(backend, 2)).toMatch(/^02000000/);
  });

  it('while it still owes answers is not sent more than it can hold', async () => {
    const { backend, fake } = await rig(() => {}, { max_in_flight: 2 });
    const first = [ask(backend, 1, 300), ask(backend, 2, 300)];
    await expect(ask(backend, 3)).rejects.toMatchObject({ code: 'EBUSY', outcome: 'not-sent' });
    await Promise.allSettled(first);
    expect(fake.asked.length).toBe(2);
  });

  it('runs out of tags rather than mixing up its answers', async () => {
    const { backend } = await rig(() => {});
    await Promise.allSettled(Array.from({ length: 8 }, () => ask(backend, 1, 30)));
    await expect(ask(backend)).rejects.toMatchObject({ code: 'EBUSY', outcome: 'not-sent' });
  });
});

describe('a switch whose answers come in pieces', () => {
  it('is understood wherever they are cut', async () => {
    const { backend } = await rig(async (asked) => {
      const bytes = asked.reply({ payload: blocks(asked) });
      for (const byte of bytes) {
        asked.socket.write(Uint8Array.of(byte));
        if (byte === 0x77) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    expect(await ask(backend, 5)).toMatch(/77$/);
  });

  it('and stop in the middle of a packet or of a message is given up', async () => {
    for (const cut of [30, PACKET_SIZE]) {
      const { backend } = await rig((asked) => {
        asked.socket.write(asked.reply({ payload: blocks(asked) }).subarray(0, cut));
      });
      await expect(ask(backend, 5, 60)).rejects.toMatchObject({ code: 'ETIMEDOUT', outcome: 'unknown' });
    }
  });

  it('and leave one out are not put together from what is left', async () => {
    const { backend } = await rig((asked) => {
      const bytes = asked.reply({ payload: blocks(asked) });
      asked.socket.write(Buffer.concat([bytes.subarray(0, PACKET_SIZE), bytes.subarray(2 * PACKET_SIZE)]));
    });
    await expect(ask(backend, 10)).rejects.toMatchObject({ code: 'EPROTO', outcome: 'unknown' });
  });

  it('and begin in the middle are not believed', async () => {
    const { backend } = await rig((asked) => {
      asked.socket.write(asked.reply({ payload: blocks(asked) }).subarray(PACKET_SIZE));
    });
    await expect(ask(backend, 10)).rejects.toMatchObject({ code: 'EPROTO' });
  });
});

describe('a switch whose marks of first and last packet are stale', () => {
  it('is understood by the length it declares', async () => {
    const { backend } = await rig((asked) => {
      const bytes = asked.reply({ payload: blocks(asked) });
      for (let at = 0; at < bytes.length; at += PACKET_SIZE) bytes[at + 3] = (bytes[at + 3] ?? 0) | 0xc0;
      asked.socket.write(bytes);
    });
    for (let i = 0; i < 3; i++) expect(await ask(backend, 20)).toMatch(/^14000000.*77$/);
  });

  it('in the dialect of the specification is not believed', async () => {
    for (const spoil of [
      (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(3) | 0x40, 3),
      (bytes: Buffer) =>
        bytes.writeUInt8(bytes.readUInt8(bytes.length - PACKET_SIZE + 3) & ~0x40, bytes.length - PACKET_SIZE + 3),
    ]) {
      const fake = await FakeSwitch.start((asked) => {
        const bytes = asked.reply({ payload: blocks(asked) });
        spoil(bytes);
        asked.socket.write(bytes);
      }, 'spec');
      closers.push(async () => fake[Symbol.asyncDispose]());
      const backend = createMctpTcpBackend({ host: '127.0.0.1', port: fake.port, dialect: 'spec', drain_ms: 20 });
      closers.push(() => backend.close());
      await backend.open();
      await expect(ask(backend, 5)).rejects.toMatchObject({ code: 'EPROTO' });
    }
  });
});

describe('a switch that loses the last byte of messages that fill whole packets', () => {
  /** Three blocks: 12 + 52 bytes, and the packetiser forgets the type byte in front of them. */
  const lossy = (asked: Asked): void => {
    const payload = blocks(asked);
    const bytes = asked.reply({ payload });
    if ((payload.length + 12) % 64 !== 0) asked.socket.write(bytes);
    else {
      const short = bytes.subarray(0, bytes.length - PACKET_SIZE);
      short.writeUInt8(short.readUInt8(short.length - PACKET_SIZE + 3) | 0x40, short.length - PACKET_SIZE + 3);
      asked.socket.write(short);
    }
  };

  it('is refused where that was not configured', async () => {
    const { backend } = await rig(lossy);
    await expect(ask(backend, 3)).rejects.toMatchObject({ code: 'EPROTO' });
  });

  it('is read with a zero in its place where it was, and other messages keep theirs', async () => {
    const { backend } = await rig(lossy, { quirks: ['last-byte-lost'] });
    expect(await ask(backend, 3)).toMatch(/^03000000.*1100$/);
    expect(await ask(backend, 7)).toMatch(/^07000000.*1100$/);
    expect(await ask(backend, 4)).toMatch(/^04000000.*1177$/);
  });

  it('may also be one that lost none', async () => {
    const { backend } = await rig(honest, { quirks: ['last-byte-lost'] });
    expect(await ask(backend, 3)).toMatch(/^03000000.*1177$/);
  });
});

describe('a switch whose answers do not fit', () => {
  it.each([
    ['another tag of CCI', (asked: Asked) => asked.reply({ tag: 200 })],
    ['another opcode', (asked: Asked) => asked.reply({ opcode: 0x5100 })],
    ['another message type', (asked: Asked) => asked.reply({}, { type: 8 })],
    ['a request instead of a reply', (asked: Asked) => asked.reply({ category: 'request' })],
    ['more than was agreed', (asked: Asked) => asked.reply({ payload: new Uint8Array(9000) })],
    ['garbage', (_asked: Asked) => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.padEnd(PACKET_SIZE))],
  ])('is not believed: %s', async (_what, bytes) => {
    const { backend } = await rig((asked) => void asked.socket.write(bytes(asked)));
    await expect(ask(backend)).rejects.toMatchObject({ code: 'EPROTO', outcome: 'unknown' });
  });

  it('is waited for where it answers another tag of MCTP, or asks something itself', async () => {
    const { backend } = await rig((asked) => {
      asked.socket.write(asked.reply({}, { tag: (asked.message.tag + 3) % 8 }));
      asked.socket.write(asked.reply({}, { tagOwner: true }));
      honest(asked);
    });
    // The sequence runs on over what was thrown away: a message of several packets is still whole.
    expect(await ask(backend, 9)).toMatch(/^09000000/);
  });

  it('that come twice serve once', async () => {
    const { backend } = await rig((asked) => {
      const reply = asked.reply({ payload: blocks(asked) });
      asked.socket.write(Buffer.concat([reply, reply]));
    });
    for (let i = 1; i <= 20; i++) expect(await ask(backend, 1 + (i % 3))).toMatch(new RegExp(`^0${1 + (i % 3)}000000`));
  });

  it('twice, the second when its tag is in use again, is still that of the first', async () => {
    let first: Buffer | undefined;
    const { backend, fake } = await rig((asked) => {
      if (fake.asked.length === 9 && first !== undefined) asked.socket.write(first);
      const reply = asked.reply({ payload: blocks(asked) });
      first ??= reply;
      asked.socket.write(reply);
    });
    for (let i = 1; i <= 9; i++) expect(await ask(backend, i)).toMatch(new RegExp(`^0${i}000000`));
  });
});

describe('a switch that goes away', () => {
  it('in the middle of a message leaves the outcome unknown, and is connected to again', async () => {
    const { backend, fake } = await rig((asked) => {
      if (asked.connection > 0) honest(asked);
      else
        asked.socket.write(asked.reply({ payload: blocks(asked) }).subarray(0, 100), () =>
          asked.socket.resetAndDestroy(),
        );
    });
    await expect(ask(backend, 10)).rejects.toMatchObject({ code: 'EIO', outcome: 'unknown' });
    expect(await ask(backend, 10)).toMatch(/^0a000000/);
    expect(fake.sockets.length).toBe(2);
  });

  it('politely, with a command unanswered, leaves the outcome unknown too', async () => {
    const { backend } = await rig((asked) => void asked.socket.end());
    await expect(ask(backend)).rejects.toMatchObject({ code: 'EIO', outcome: 'unknown' });
  });
});

describe('the harm that a fabric manager can do', () => {
  it('no packet of a request is ever cut, and a request has one write per 17 packets', async () => {
    const { backend, fake } = await rig(
      (asked) => void asked.socket.write(asked.reply({ payload: new Uint8Array(4) })),
    );
    const payload = new Uint8Array(16 + 4096);
    payload.set([3, 0, 0xf0, 0x8f, 0, 0, 0, 0x10]);
    await backend.execute({ opcode: opcode(0x5302), payload }, performance.now() + 1000);
    expect(fake.chunks.reduce((sum, size) => sum + size, 0)).toBe(65 * PACKET_SIZE);
    for (const size of fake.chunks) expect(size % PACKET_SIZE).toBe(0);
  });

  it('it never sends another type than 07h, nor anything that was not asked for', async () => {
    const { backend, fake } = await rig(
      (asked) => void asked.socket.write(asked.reply({ payload: new Uint8Array(17) })),
    );
    await backend.execute({ opcode: opcode(1), payload: new Uint8Array(0) }, performance.now() + 1000);
    await backend.close();
    expect(fake.asked.map(({ message }) => message.type)).toEqual([7]);
    expect(fake.chunks).toEqual([PACKET_SIZE]);
  });

  it('it does not close its connection in the middle of a command, and never resets it', async () => {
    const { backend, fake } = await rig((asked) => void setTimeout(() => honest(asked), 30), { drain_ms: 1000 });
    const under = ask(backend, 2);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await backend.close();
    expect(await under).toMatch(/^02000000/);
    expect(fake.ends).toEqual(['end after 1']);
  });

  it('it has one connection at a time', async () => {
    const { backend, fake } = await rig(honest);
    await Promise.all(Array.from({ length: 8 }, () => ask(backend)));
    await backend.close();
    await backend.open();
    await Promise.all(Array.from({ length: 8 }, () => ask(backend)));
    expect(fake.sockets.length).toBe(2);
    expect(fake.ends).toEqual(['end after 8']);
  });
});
