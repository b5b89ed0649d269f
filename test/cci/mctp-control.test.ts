import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/cci/index.ts';
import { controlReply } from '../../src/cci/mctp-control.ts';

const terms = { uuid: Uint8Array.from({ length: 16 }, (_, i) => i), eid: 9, allowSetEid: false };

function ask(hex: string, more: Partial<typeof terms> = {}): string {
  return toHex(controlReply(fromHex(hex) ?? new Uint8Array(0), { ...terms, ...more }));
}

describe('MCTP control messages', () => {
  it.each([
    ['Get EID', '8002', '0002000900' + '00'],
    ['Get UUID', '8003', '000300000102030405060708090a0b0c0d0e0f'],
    ['Get version of the FM API', '800407', '00040001f2f1ff00'],
    ['Get version of the CCI', '800408', '00040001f2f1ff00'],
    ['Get version of MCTP control', '800400', '00040001f1f3f100'],
    ['Get version of MCTP itself', '8004ff', '00040001f1f3f100'],
    ['Get version of a type that is not there', '800405', '000480'],
    ['Get version without a type is that of MCTP control', '8004', '00040001f1f3f100'],
    ['Get types', '8005', '000500020708'],
    ['Set EID, refused with an answer', '80010022', '000105'],
    ['an unknown command, answered all the same', '8577', '057705'],
    ['a datagram, answered without its bits', 'c502', '050200090000'],
    ['nothing at all', '', '000005'],
  ])('%s', (_what, request, reply) => {
    expect(ask(request)).toBe(reply);
  });

  it('Set EID succeeds only where the operator allows it', () => {
    expect(ask('80010022', { allowSetEid: true })).toBe('000100002200');
    expect(ask('8001', { allowSetEid: true })).toBe('000100000000');
  });
});
