import { afterEach, describe, expect, it } from 'vitest';
import { type ServedEmulator, type ServeOptions, serveEmulator } from '../../../src/backend/emulator/index.ts';
import type { Dialect } from '../../../src/cci/index.ts';
import { topologyPath } from './rig.ts';
import { hex, Wire } from './wire.ts';

const open: (ServedEmulator | Wire)[] = [];

async function serve(options: Partial<ServeOptions> = {}): Promise<ServedEmulator> {
  const served = await serveEmulator({ topology: topologyPath('small'), port: 0, timing: { bindMs: 0 }, ...options });
  open.push(served);
  return served;
}

async function wire(served: ServedEmulator, dialect: Dialect = 'spec'): Promise<Wire> {
  const client = await Wire.to(served.address.port, dialect);
  open.push(client);
  return client;
}

afterEach(async () => {
  for (const thing of open.splice(0)) {
    if (thing instanceof Wire) thing.end();
    else await thing.close();
  }
});

describe('the conversations of section 3, jackrabbit dialect', () => {
  const conversation: readonly (readonly [string, string, string])[] = [
    [
      'Identify without component type',
      '00 00 00 01 00 00 00 00 00 00 00 00',
      '10 00 00 01 00 11 00 00 00 00 00 00 98 1e 01 00 00 00 00 00 00 ee ff c0 00 00 00 00 0d',
    ],
    [
      'port state of one port',
      '00 00 00 01 51 02 00 00 00 00 00 00 01 03',
      '10 00 00 01 51 14 00 00 00 00 00 00 01 00 00 00 03 03 03 00 05 06 10 08 1f 05 05 04 00 04 00 04',
    ],
    [
      'VCS info of VCS 0',
      '00 00 00 00 52 04 00 00 00 00 00 00 00 ff 01 00',
      '10 00 00 00 52 18 00 00 00 00 00 00 01 00 00 00 00 01 00 04 02 02 ff 00 03 03 00 00 00 00 ff 00 00 00 ff 00',
    ],
    ['bind', '00 00 00 01 52 06 00 00 00 00 00 00 00 02 03 00 01 00', '10 00 00 01 52 00 00 01 01 00 00 00'],
    [
      'background status after it',
      '00 00 00 02 00 00 00 00 00 00 00 00',
      '10 00 00 02 00 08 00 00 00 00 00 00 c8 00 01 52 00 00 00 00',
    ],
    ['unbind, option 2', '00 00 00 02 52 03 00 00 00 00 00 00 00 02 02', '10 00 00 02 52 00 00 01 01 00 00 00'],
    ['port control', '00 00 00 02 51 02 00 00 00 00 00 00 05 00', '10 00 00 02 51 00 00 00 00 00 00 00'],
    [
      'PPB configuration read',
      '00 00 00 03 51 08 00 00 00 00 00 00 05 00 f0 00 00 00 00 00',
      '10 00 00 03 51 04 00 00 00 00 00 00 98 1e 02 00',
    ],
    [
      'LD configuration write',
      '00 00 00 01 53 0c 00 00 00 00 00 00 03 01 f0 80 01 00 00 00 a4 a3 a2 a1',
      '10 00 00 01 53 04 00 00 00 00 00 00 00 00 00 00',
    ],
    [
      'LD memory write',
      '00 00 00 02 53 14 00 00 00 00 00 00 03 00 f0 8f 01 00 04 00 00 10 00 00 00 00 00 00 04 03 02 01',
      '10 00 00 02 53 04 00 00 00 00 00 00 00 00 00 00',
    ],
    [
      'LD memory read that carries meaningless data',
      '00 00 00 02 53 14 00 00 00 00 00 00 03 00 f0 0f 01 00 04 00 00 10 00 00 00 00 00 00 aa aa aa aa',
      '10 00 00 02 53 08 00 00 00 00 00 00 04 00 00 00 04 03 02 01',
    ],
    [
      'LD info through a tunnel with its type byte (D03)',
      '00 00 00 00 53 11 00 00 00 00 00 00 03 00 0d 00 08 00 00 00 00 54 00 00 00 00 00 00 00',
      '10 00 00 00 53 1c 00 00 00 00 00 00 18 00 00 00 08 10 00 00 00 54 0b 00 00 00 00 00 00 00 00 00 00 10 00 00 00 04 00 03',
    ],
    [
      'a refused tunnel: Invalid Input, no payload',
      '00 00 00 00 53 11 00 00 00 00 00 00 06 00 0d 00 08 00 00 00 00 54 00 00 00 00 00 00 00',
      '10 00 00 00 53 00 00 00 02 00 00 00',
    ],
    ['a denied opcode', '00 00 00 77 77 00 00 00 00 00 00 00', '10 00 00 77 77 00 00 00 03 00 00 00'],
  ];

  it('is answered byte for byte', async () => {
    const served = await serve({ dialect: 'jackrabbit', timing: { bindMs: 0, unbindMs: 0 } });
    const client = await wire(served, 'jackrabbit');
    for (const [what, request, reply] of conversation) {
      expect(`${what}: ${await client.ask(hex(request))}`).toBe(`${what}: ${hex(reply)}`);
    }
  });

  it('answers 255 ports with those that exist, over several packets', async () => {
    const served = await serve({ dialect: 'jackrabbit' });
    const client = await wire(served, 'jackrabbit');
    const ids = Array.from({ length: 255 }, (_, i) => i.toString(16).padStart(2, '0')).join('');
    const reply = await client.ask(`00 00 00 01 51 00 01 00 00 00 00 00 ff ${ids}`.replaceAll(' ', ''));
    expect(reply.slice(0, 32)).toBe(hex('10 00 00 01 51 84 00 00 00 00 00 00 08 00 00 00'));
    expect(reply.length / 2).toBe(12 + 4 + 8 * 16);
    expect(client.flags.map((flag) => flag.toString(16))).toEqual(['80', '10', '60']);
  });

  it('takes any AER register value where the spec dialect wants a bit position (D13)', async () => {
    const body = hex(`00 00 00 03 52 28 00 00 00 00 00 00 00 00 00 00 00 10 04 00 ${'00 '.repeat(32)}`);
    const jackrabbit = await wire(await serve({ dialect: 'jackrabbit' }), 'jackrabbit');
    expect(await jackrabbit.ask(body)).toBe(hex('10 00 00 03 52 00 00 00 00 00 00 00'));
    const spec = await wire(await serve());
    expect(await spec.ask(body)).toBe(hex('01 00 00 03 52 00 00 00 02 00 00 00'));
  });

  it('takes a limit above its own and answers with the one that holds (D15)', async () => {
    const client = await wire(await serve({ dialect: 'jackrabbit' }), 'jackrabbit');
    expect(await client.ask(hex('00 00 00 04 00 01 00 00 00 00 00 00 14'))).toBe(
      hex('10 00 00 04 00 01 00 00 00 00 00 00 0d'),
    );
  });
});

describe('the spec dialect', () => {
  it('answers the worked example of a tunnel of two levels', async () => {
    const client = await wire(await serve());
    const request = `00 11 00 00 53 20 00 00 00 00 00 00 03 00 1c 00 00 22 00 00 53 10 00 00 00 00 00 00
      01 00 0c 00 00 33 00 01 00 00 00 00 00 00 00 00`;
    const reply = `01 11 00 00 53 32 00 00 00 00 00 00 2e 00 00 00 01 22 00 00 53 22 00 00 00 00 00 00
      1e 00 00 00 01 33 00 01 00 12 00 00 00 00 00 00 98 1e 93 0d 00 00 00 00 03 ee ff c0 00 00 02 00 0d 03`;
    expect(await client.ask(hex(request))).toBe(hex(reply));
  });

  it.each([
    [
      'Identify has 18 bytes, component type last',
      '00 05 00 01 00 00 00 00 00 00 00 00',
      8,
      '01 05 00 01 00 12 00 00 00 00 00 00 98 1e 01 00 00 00 00 00 00 ee ff c0 00 00 00 00 0d 00',
    ],
    [
      'generic commands are taken on type 07h too (D14)',
      '00 06 00 03 00 00 00 00 00 00 00 00',
      7,
      '01 06 00 03 00 01 00 00 00 00 00 00 0d',
    ],
    [
      'vendor status in a request is ignored (D16)',
      '00 07 00 03 00 00 00 00 00 00 cd ab',
      8,
      '01 07 00 03 00 01 00 00 00 00 00 00 0d',
    ],
    [
      'a response category is refused with an answer',
      '01 08 00 03 00 00 00 00 00 00 00 00',
      8,
      '01 08 00 03 00 00 00 00 02 00 00 00',
    ],
    [
      'a category in the high nibble is refused (D01)',
      '10 08 00 03 00 00 00 00 00 00 00 00',
      8,
      '01 08 00 03 00 00 00 00 02 00 00 00',
    ],
    [
      'the type 70h that plugs devices is refused with an answer',
      '00 09 00 01 00 00 00 00 00 00 00 00',
      0x70,
      '01 09 00 01 00 00 00 00 03 00 00 00',
    ],
  ] as const)('%s', async (_why, request, type, reply) => {
    const client = await wire(await serve());
    // The length of a type that is not CCI is not on the wire: padding stays.
    expect((await client.ask(hex(request), type)).slice(0, hex(reply).length)).toBe(hex(reply));
  });

  it('refuses a message whose last byte was lost with 0016h', async () => {
    const client = await wire(await serve());
    // Payload of 52: header and payload fill a packet but for the type byte.
    const body = hex(`00 0a 00 01 51 34 00 00 00 00 00 00 33 ${'02 '.repeat(50)}`);
    expect(await client.ask(body)).toBe(hex('01 0a 00 01 51 00 00 00 16 00 00 00'));
  });

  it('keeps the tag of MCTP, answers the source and clears the tag owner', async () => {
    const client = await wire(await serve());
    client.socket.write(client.packets(hex('00 01 00 03 00 00 00 00 00 00 00 00'), 8, { tag: 3, source: 0x1d }));
    await expect.poll(() => client.messages.length).toBe(1);
    expect(client.messages[0]).toMatchObject({ type: 8, tag: 3, tagOwner: false, destination: 0x1d, source: 0 });
    expect(client.flags).toEqual([0xc3]);
  });
});

describe('streams', () => {
  it('takes packets cut anywhere and several requests at once, and answers in order', async () => {
    const client = await wire(await serve());
    const parts = [1, 2, 3, 4].map((tag) => client.packets(`000${tag}00030000000000000000`, 8));
    const bytes = Buffer.concat(parts);
    for (let at = 0; at < bytes.length; at += 31) {
      client.socket.write(bytes.subarray(at, at + 31));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const tags: string[] = [];
    for (let i = 0; i < 4; i++) tags.push((await client.next()).slice(2, 4));
    expect(tags).toEqual(['01', '02', '03', '04']);
  });

  it('serves many connections on one state; half-open and idle ones hold up nobody', async () => {
    const served = await serve();
    const clients = await Promise.all(Array.from({ length: 40 }, () => wire(served)));
    clients[0]?.socket.write(Uint8Array.of(1, 0, 0, 0x88));
    const replies = await Promise.all(clients.slice(1).map((client) => client.ask('000100030000000000000000', 8)));
    expect(new Set(replies)).toEqual(new Set(['0101000300010000000000000d']));
  });

  it('closes a stream of another protocol', async () => {
    const client = await wire(await serve());
    client.socket.write('GET / HTTP/1.1\r\n\r\n');
    await expect.poll(() => client.closed).toBe(true);
  });

  it('closes connections on which nothing comes', async () => {
    const client = await wire(await serve({ idleMs: 50 }));
    await expect.poll(() => client.closed).toBe(true);
  });

  it('ends with connections open', async () => {
    const served = await serve();
    const client = await wire(served);
    await served.close();
    await expect.poll(() => client.closed).toBe(true);
  });
});

describe('MCTP control messages (section 6)', () => {
  it.each([
    ['Get EID', '80 02', '00 02 00 00 00 00'],
    ['Get version of 07h', '80 04 07', '00 04 00 01 f2 f1 ff 00'],
    ['Get version of MCTP itself', '80 04 ff', '00 04 00 01 f1 f3 f1 00'],
    ['Get version of a type that is not there', '80 04 05', '00 04 80'],
    ['Get types', '80 05', '00 05 00 02 07 08'],
    ['Set EID, refused with an answer', '80 01 00 22', '00 01 05'],
    ['an unknown command, answered all the same', '85 77', '05 77 05'],
  ])('%s', async (_what, request, reply) => {
    const client = await wire(await serve());
    expect((await client.ask(hex(request), 0)).slice(0, hex(reply).length)).toBe(hex(reply));
  });

  it('Set EID is answered with success where the operator allows it', async () => {
    const client = await wire(await serve({ allowSetEid: true }));
    expect((await client.ask(hex('80 01 00 22'), 0)).slice(0, 12)).toBe('000100002200');
  });
});

describe('faults on the wire', () => {
  it('duplicates, delays, withholds and mislabels replies', async () => {
    const served = await serve();
    const client = await wire(served);
    const ask = hex('00 01 00 03 00 00 00 00 00 00 00 00');
    served.emulator.control.inject({ fault: { kind: 'duplicate' } });
    expect(await client.ask(ask)).toBe(await client.next());
    served.emulator.control.inject({ fault: { kind: 'wrong-tag' } });
    expect(await client.ask(ask)).toBe(hex('01 02 00 03 00 01 00 00 00 00 00 00 0d'));
    served.emulator.control.inject({ fault: { kind: 'wrong-opcode' } });
    expect(await client.ask(ask)).toBe(hex('01 01 00 02 00 01 00 00 00 00 00 00 0d'));
    served.emulator.control.inject({ fault: { kind: 'late', ms: 60 } });
    const startMs = performance.now();
    await client.ask(ask);
    expect(performance.now() - startMs).toBeGreaterThan(50);
    served.emulator.control.inject({ fault: { kind: 'missing' } });
    await expect(client.ask(ask, 7, 1000)).rejects.toThrow('silence');
  });
});
