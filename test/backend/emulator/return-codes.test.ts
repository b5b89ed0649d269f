import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { returnCodeName } from '../../../src/cci/index.ts';
import { Rig, type Shipped } from './rig.ts';

interface Case {
  readonly why: string;
  readonly opcode: number;
  readonly payload?: string;
  readonly via?: string;
  readonly on?: Shipped;
  readonly layer?: number;
  readonly code: number;
}

const cases = parse(readFileSync(new URL('return-codes.yaml', import.meta.url), 'utf8')) as readonly Case[];

describe('return codes of refusals', () => {
  it.each(cases)('$why', ({ opcode, payload, via, on, layer, code }) => {
    const reply = new Rig(on).send(opcode, payload ?? '', via);
    const answered = layer === undefined ? reply.layers.length - 1 : layer;
    expect(returnCodeName(reply.layers[answered]?.returnCode ?? -1)).toBe(returnCodeName(code));
    // Only the layer that answers may refuse; those around it carry its reply.
    expect(reply.layers.slice(0, answered).every((around) => around.returnCode === 0)).toBe(true);
  });
});
