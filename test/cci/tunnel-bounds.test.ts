import { describe, expect, test } from 'vitest';
import {
  encodeRoute,
  formatVia,
  type Hop,
  hopsProblem,
  type LdId,
  type PortId,
  parseVia,
} from '../../src/cci/index.ts';

const port = (id: number): Hop => ({ kind: 'port', port: id as PortId });
const ld = (id: number): Hop => ({ kind: 'ld', ld: id as LdId });

describe('a path that no command can have is never sent', () => {
  test.each<readonly [string, readonly Hop[], string]>([
    ['a port below 0', [port(-1)], 'port -1 is not 0 to 255'],
    ['a port over 255, which would become port 0', [port(256)], 'port 256 is not 0 to 255'],
    ['half a port', [port(1.5)], 'port 1.5 is not 0 to 255'],
    ['an LD below 0', [port(1), ld(-1)], 'ld -1 is not 0 to 255'],
    ['an LD over 255', [port(1), ld(256)], 'ld 256 is not 0 to 255'],
    ['half an LD', [port(1), ld(0.5)], 'ld 0.5 is not 0 to 255'],
    ['an LD in front of its port', [ld(1)], 'ld is not a target of layer 0'],
    ['a port behind a port', [port(1), port(2)], 'port is not a target of layer 1'],
    ['three steps', [port(1), ld(1), ld(1)], 'a path of 3 hops, at most 2 are known'],
  ])('%s', (_name, hops, problem) => {
    expect(hopsProblem(hops)).toBe(problem);
    const command = { hops, tags: [0, 0, 0], opcode: 1, payload: new Uint8Array(0) };
    expect(() => encodeRoute(command)).toThrow(problem);
  });
});

test.each(['port:0', 'port:255', 'port:255/ld:255', 'port:0/ld:0', 'port:7/ldpool'])('`%s` is a path', (text) => {
  const hops = parseVia(text);
  expect(hops && hopsProblem(hops)).toBeUndefined();
  expect(hops && formatVia(hops)).toBe(text);
});

test.each(['port:256', 'port:1/ld:256', 'port:01', 'port:1/ld:00', 'port:-1', 'ld:1', 'port:1/', 'port:1/ldpool/ld:1'])(
  '`%s` is none',
  (text) => {
    expect(parseVia(text)).toBeUndefined();
  },
);
