import { afterEach, describe, expect, it } from 'vitest';
import { serveEmulator } from '../../../src/backend/emulator/index.ts';
import { createMctpTcpBackend, type MctpTcpBackend } from '../../../src/backend/mctp-tcp/index.ts';
import { type Dialect, fromHex, opcode, toHex } from '../../../src/cci/index.ts';

const topology = new URL('../../../config/topologies/small.yaml', import.meta.url).pathname;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function rig(dialect: Dialect, options: object = {}) {
  const served = await serveEmulator({ topology, port: 0, dialect, support: 'all' });
  closers.push(() => served.close());
  const backend = createMctpTcpBackend({ host: '127.0.0.1', port: served.address.port, dialect, ...options });
  closers.push(() => backend.close());
  await backend.open();
  return { served, backend };
}

async function send(backend: MctpTcpBackend, code: number, payload = ''): Promise<string> {
  const bytes = fromHex(payload) ?? new Uint8Array(0);
  const reply = await backend.execute({ opcode: opcode(code), payload: bytes }, performance.now() + 2000);
  return `${reply.returnCode}:${toHex(reply.payload)}`;
}

/** LD info of the MLD behind port 3, and Identify of it, in tunnels of the specification. */
const ldInfo = '03000c00000900005400000000000000';
const identifyMld = '03000c00000900010000000000000000';

describe.each(['spec', 'jackrabbit'] as const)('an emulated switch on the wire, dialect %s', (dialect) => {
  it('answers as one in the same process does', async () => {
    const { served, backend } = await rig(dialect);
    for (const [code, payload] of [
      [0x0001, ''],
      [0x0003, ''],
      [0x5100, ''],
      [0x5101, '020203'],
      [0x5200, '00ff0100'],
      [0x5300, ldInfo],
    ] as const) {
      const inside = served.emulator.execute(code, fromHex(payload) ?? new Uint8Array(0));
      expect(`${code}: ${await send(backend, code, payload)}`).toBe(
        `${code}: ${inside.returnCode}:${toHex(inside.payload)}`,
      );
    }
  });

  it('takes requests and replies of many packets, and as many at once as it says', async () => {
    const { backend } = await rig(dialect);
    const write = `03${'00f08f'}ffff${'0010'}${'00'.repeat(8)}${'a5'.repeat(4096)}`;
    expect(await send(backend, 0x5302, write)).toBe('0:00000000');
    const read = `03${'00f00f'}ffff${'0010'}${'00'.repeat(8)}`;
    expect(await send(backend, 0x5302, read)).toBe(`0:00100000${'a5'.repeat(4096)}`);
    const ports = (await Promise.all(Array.from({ length: 8 }, (_, port) => send(backend, 0x5101, `010${port}`)))).map(
      (reply) => reply.slice(10, 12),
    );
    expect(ports).toEqual(['00', '01', '02', '03', '04', '05', '06', '07']);
  });

  it('outlives a switch that goes away and comes back', async () => {
    const { served, backend } = await rig(dialect);
    const { port } = served.address;
    const before = await send(backend, 0x5100);
    await served.close();
    await expect(send(backend, 0x5100)).rejects.toMatchObject({ code: 'EIO' });
    const again = await serveEmulator({ topology, port, dialect });
    closers.push(() => again.close());
    expect(await send(backend, 0x5100)).toBe(before);
  });
});

describe('an emulated switch of the old dialect', () => {
  it('is never asked for what it does not serve, and the caller hears so at once', async () => {
    const { served, backend } = await rig('jackrabbit');
    served.emulator.control.inject({ fault: { kind: 'missing' }, count: 1000 } as never);
    for (const [code, payload] of [
      [0x0400, ''],
      [0x0401, ''],
      [0x5104, ''],
      [0xc000, ''],
      [0x5300, identifyMld],
    ] as const) {
      expect(await send(backend, code, payload)).toBe('3:');
    }
  });

  it('is never sent what ends it or keeps it from answering', async () => {
    const { served, backend } = await rig('jackrabbit');
    served.emulator.control.inject({ fault: { kind: 'missing' }, count: 1000 } as never);
    const memory = (length: string, address: string): string => `0300f00f0000${length}${address}`;
    expect(await send(backend, 0x5102, '0309')).toBe('2:');
    expect(await send(backend, 0x5102, '03')).toBe('22:');
    expect(await send(backend, 0x5302, memory('0110', '00'.repeat(8)))).toBe('2:');
    expect(await send(backend, 0x5302, memory('0400', 'fd'.padEnd(16, 'f')))).toBe('2:');
    const long = 2000;
    const size = (n: number): string =>
      `${(n & 0xff).toString(16).padStart(2, '0')}${(n >> 8).toString(16).padStart(2, '0')}`;
    const tunnel = `0300${size(12 + long)}0009000254${size(long)}00${'00'.repeat(4)}${'00'.repeat(long)}`;
    expect(await send(backend, 0x5300, tunnel)).toBe('22:');
    await expect(send(backend, 0x5300, '03000000')).rejects.toMatchObject({ code: 'EINVAL', outcome: 'not-sent' });
  });

  it('says what is assumed of it', async () => {
    const { backend } = await rig('jackrabbit');
    expect(backend.identity.description).toContain('Command Effects Log assumed');
    expect(backend.identity.kind).toBe('mctp-tcp/jackrabbit');
    const bind = backend.assumedCel?.([]).get(0x5201);
    expect(bind).toBe(0x40);
    expect(backend.assumedCel?.([{ kind: 'port', port: 3 as never }]).has(0x5400)).toBe(true);
    expect(backend.assumedCel?.([{ kind: 'port', port: 3 as never }, { kind: 'ldpool' }]).size).toBe(0);
  });
});

describe('the contract of a backend', () => {
  it('cannot be used before it is open, and not opened where nobody listens', async () => {
    const backend = createMctpTcpBackend({ host: '127.0.0.1', port: 1, dialect: 'spec' });
    expect(() => backend.identity).toThrow('not open');
    await expect(backend.open()).rejects.toMatchObject({ code: 'EIO', outcome: 'not-sent' });
    await expect(send(backend, 0x0001)).rejects.toMatchObject({ code: 'EINVAL', outcome: 'not-sent' });
    await backend.close();
  });

  it('keeps to its numbers: payload, commands in flight, deadline', async () => {
    const { backend } = await rig('spec', { max_payload: 256, max_in_flight: 1 });
    expect(backend).toMatchObject({ maxPayload: 256, maxInFlight: 1, touchesHostHardware: false });
    expect(backend.identity.bootId).toContain('mctp-tcp:127.0.0.1:');
    await expect(send(backend, 0x0001, '00'.repeat(257))).rejects.toMatchObject({
      code: 'EINVAL',
      outcome: 'not-sent',
    });
    const first = send(backend, 0x0001);
    await expect(send(backend, 0x0001)).rejects.toMatchObject({ code: 'EBUSY', outcome: 'not-sent' });
    await first;
    const late = backend.execute({ opcode: opcode(1), payload: new Uint8Array(0) }, performance.now() - 1);
    await expect(late).rejects.toMatchObject({ code: 'ETIMEDOUT', outcome: 'not-sent' });
    await backend.close();
    await backend.close();
  });
});
