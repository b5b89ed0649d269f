import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hex16 } from '../../../src/cci/index.ts';
import { crashing, neverEqual, oldSession, sameWords } from './old-session.ts';
import { type Rehearsal, startRehearsal } from './rehearsal.ts';
import { hexBytes, Library, readOld, runOldTool } from './tools.ts';

describe('the shipped rehearsal, old dialect on both sides', () => {
  let rehearsal: Rehearsal;
  beforeAll(async () => {
    rehearsal = await startRehearsal();
  });
  afterAll(async () => rehearsal[Symbol.asyncDispose]());

  it('a tool shows the same as without the broker, to the last byte of every packet', async () => {
    for (const command of oldSession) {
      const direct = await runOldTool(rehearsal.direct, command);
      const brokered = await runOldTool(rehearsal.open, command);
      expect(`${command.what}: ${brokered}`).toBe(`${command.what}: ${direct}`);
      if (command.type === undefined) readOld(brokered);
    }
  });

  it('a tool shows the same words where the broker says what the device would have said', async () => {
    for (const command of sameWords) {
      const direct = readOld(await runOldTool(rehearsal.direct, command));
      const brokered = readOld(await runOldTool(rehearsal.open, command));
      // The tool shows the code that is furthest inside.
      const shown = ({ code, payload }: typeof direct): number =>
        code === 0 ? Number.parseInt(`${payload.slice(28, 30)}${payload.slice(26, 28)}`, 16) : code;
      expect(shown(brokered)).toBe(shown(direct));
    }
  });

  it('and is answered where it cannot be the same', async () => {
    for (const command of neverEqual) {
      expect(await runOldTool(rehearsal.open, command)).toMatch(/^010000c0/);
    }
    const [, setEid, emulator] = neverEqual;
    if (setEid === undefined || emulator === undefined) throw new Error('missing');
    expect((await runOldTool(rehearsal.open, setEid)).slice(8, 16)).toBe('00000105');
    expect(readOld(await runOldTool(rehearsal.open, emulator)).code).toBe(3);
  });

  it('what ends that switch, or keeps it from answering, is answered at once and never sent', async () => {
    for (const command of crashing) {
      rehearsal.requests.length = 0;
      const reply = await runOldTool(rehearsal.open, command);
      if (command.type === 8) {
        // It is served all the same, as the type that the switch knows.
        expect(readOld(reply).code, command.what).toBe(0);
        continue;
      }
      expect(`${command.what}: ${readOld(reply).code}`).toMatch(/: (2|3|22)$/);
      const sent = rehearsal.requests.map(hex16).filter((opcode) => !['0x0001', '0x0002'].includes(opcode));
      expect(`${command.what}: ${sent.join()}`).toBe(`${command.what}: `);
    }
    const [identify] = oldSession;
    if (identify === undefined) throw new Error('missing');
    expect(readOld(await runOldTool(rehearsal.open, identify)).code).toBe(0);
  });

  it("a tenant's refused commands print an error at once and never reach the switch", async () => {
    const refused: string[] = [];
    for (const command of oldSession) {
      if (command.type !== undefined) continue;
      rehearsal.requests.length = 0;
      const direct = readOld(await runOldTool(rehearsal.direct, command));
      const reply = readOld(await runOldTool(rehearsal.guest, command));
      if (reply.code <= 1) continue;
      refused.push(command.what);
      expect(`${command.what}: ${rehearsal.requests.length}`).toBe(`${command.what}: 0`);
      // What the tool has a text for.
      expect(reply.code).toBeLessThanOrEqual(0x16);
      expect(direct.code).toBeLessThanOrEqual(0x16);
    }
    expect(refused).toContain('bind LD 2 of the MLD at port 14');
    expect(refused).toContain('read memory of an LD that is bound, which the switch refuses');
    expect(refused).toContain('LD info');
    expect(refused).toContain('hold a port in reset');
  });

  it('a tenant sees his port and no other', async () => {
    const all = oldSession.find(({ what }) => what.startsWith('all ports'));
    if (all === undefined) throw new Error('missing');
    const { code, payload } = readOld(await runOldTool(rehearsal.guest, all));
    expect(code).toBe(0);
    expect(payload.slice(0, 10)).toBe('0100000001');
    expect(payload.length).toBe(2 * 20);
  });
});

describe('a switch that serves one connection', () => {
  it('serves many tools through the broker, each in its turn', async () => {
    await using rehearsal = await startRehearsal();
    const [identify] = oldSession;
    const ports = oldSession.find(({ what }) => what.startsWith('all ports'));
    if (identify === undefined || ports === undefined) throw new Error('missing');
    const direct = [await runOldTool(rehearsal.direct, identify), await runOldTool(rehearsal.direct, ports)];
    const before = await rehearsal.connections();
    const replies = await Promise.all(
      Array.from({ length: 60 }, (_, i) => runOldTool(rehearsal.open, i % 2 === 0 ? identify : ports, 10_000)),
    );
    for (const [i, reply] of replies.entries()) expect(reply).toBe(direct[i % 2]);
    expect([before, await rehearsal.connections()]).toEqual([1, 1]);
  });

  it('that goes away is answered for at once, and is there again when it comes back', async () => {
    await using rehearsal = await startRehearsal();
    const [identify] = oldSession;
    if (identify === undefined) throw new Error('missing');
    await rehearsal.upstream.close();
    expect(readOld(await runOldTool(rehearsal.open, identify)).code).toBe(4);
    expect(readOld(await runOldTool(rehearsal.open, identify, 1000)).code).toBe(4);
    await rehearsal.restartUpstream();
    await expect.poll(async () => readOld(await runOldTool(rehearsal.open, identify)).code).toBe(0);
  });
});

describe('the rehearsal in the dialect of the specification', () => {
  it('the library shows the same as without the broker, with connections that stay', async () => {
    await using rehearsal = await startRehearsal('spec');
    const direct = new Library(rehearsal.direct);
    const brokered = new Library(rehearsal.open);
    const tunnelled = (inner: string): string => {
      const bytes = hexBytes(inner);
      return `0e00${Buffer.from([bytes.length & 0xff, bytes.length >> 8]).toString('hex')}${bytes.toString('hex')}`;
    };
    const session: readonly (readonly [number, string])[] = [
      [0x0001, ''],
      [0x0002, ''],
      [0x0003, ''],
      [0x0400, ''],
      [0x5100, ''],
      [0x5101, '0400010e03'],
      [0x5200, '00ff0100'],
      [0x5201, '0004 0e00 0200'],
      [0x5202, '000402'],
      [0x5102, '0700'],
      [0x5102, '0701'],
      [0x5103, '0700f00000000000'],
      [0x5301, '0e00f0000300000000000000'],
      [0x5302, '0e00f00f03000400 0000000000000000'],
      [0x5302, '0e00f0000300 0400 0000000000000000 00'],
      [0x5300, tunnelled('000700 0054 0000 00 0000 cdab')],
      [0x5300, tunnelled('000800 0100 0000 00 0000 cdab')],
      [0x5300, tunnelled('000900 0154 0200 00 0000 cdab 0010')],
    ];
    for (const [opcode, payload] of session) {
      const bytes = hexBytes(payload);
      expect(`${hex16(opcode)} ${await brokered.send(opcode, bytes)}`).toBe(
        `${hex16(opcode)} ${await direct.send(opcode, bytes)}`,
      );
    }
    direct.end();
    brokered.end();
  });
});
