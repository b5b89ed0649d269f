import fc from 'fast-check';
import { type CommandRow, catalogue, isTyped } from '../../../src/cci/index.ts';

/** A command of any kind: bytes that mean something often enough to get past the length check. */
export interface RandomCommand {
  readonly opcode: number;
  readonly via: string;
  readonly payload: Uint8Array;
  /** Milliseconds that pass before it. */
  readonly waitMs: number;
}

const rows = (catalogue as readonly CommandRow[]).filter(isTyped);
/** Small numbers and the edges of a byte: ids that exist, and some that do not. */
const byte = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 8 }) },
  { weight: 1, arbitrary: fc.constantFrom(0x0f, 0xf0, 0xff) },
);

const anyKind: fc.Arbitrary<RandomCommand> = fc
  .tuple(
    fc.constantFrom(...rows),
    fc.constantFrom('', 'port:3', 'port:2', 'port:3/ld:1', 'port:3/ld:3', 'port:5', 'port:4', 'port:3/ldpool'),
  )
  .chain(([row, via]) => {
    const min = row.request.min;
    const max = Math.min(row.request.max ?? min + 80, min + 80);
    return fc.record({
      opcode: fc.constant(row.opcode),
      via: fc.constant(via),
      payload: fc.array(byte, { minLength: min, maxLength: max }).map((bytes) => Uint8Array.from(bytes)),
      waitMs: fc.constantFrom(0, 0, 1, 30, 600),
    });
  });

const small = (max: number) => fc.integer({ min: 0, max });

/** Binds and unbinds that mostly make sense. */
const binding: fc.Arbitrary<RandomCommand> = fc
  .tuple(fc.boolean(), small(1), small(3), small(7), fc.constantFrom(0, 1, 2, 3, 255), small(2))
  .map(([binds, vcs, vppb, port, ld, option]) => ({
    opcode: binds ? 0x5201 : 0x5202,
    via: '',
    payload: binds ? Uint8Array.of(vcs, vppb, port, 0, ld, ld === 255 ? 255 : 0) : Uint8Array.of(vcs, vppb, option),
    waitMs: 60,
  }));

/** New sizes for LDs, in granules that mostly fit. */
const allocation: fc.Arbitrary<RandomCommand> = fc
  .tuple(fc.constantFrom('port:3', 'port:7'), small(3), fc.array(small(120), { minLength: 2, maxLength: 8 }))
  .map(([via, start, sizes]) => {
    const lds = Math.floor(sizes.length / 2);
    const payload = new Uint8Array(4 + lds * 16);
    payload[0] = lds;
    payload[1] = start;
    for (let i = 0; i < lds * 2; i++) payload[4 + i * 8] = sizes[i] ?? 0;
    return { opcode: 0x5402, via, payload, waitMs: 0 };
  });

/** Capacity of the DCD behind port 4 given and taken. */
const capacity: fc.Arbitrary<RandomCommand> = fc
  .tuple(fc.constantFrom(0x5604, 0x5605, 0x5606, 0x5607), small(4), small(4), small(2), small(20), small(3))
  .map(([code, host, policy, region, blocks, tag]) => {
    const reference = code >= 0x5606;
    const payload = new Uint8Array(reference ? 16 : 28);
    payload[reference ? 15 : 27] = tag;
    if (!reference) {
      payload[0] = host;
      payload[2] = code === 0x5604 ? policy % 4 : policy === 3 ? 0x10 : 0;
      if (code === 0x5604) payload[3] = region;
      payload[7] = 0x10 * (blocks % 16);
    }
    return { opcode: code, via: 'port:4', payload, waitMs: 10 };
  });

export const commands = {
  anyKind,
  binding,
  allocation,
  capacity,
  mixed: fc.oneof(anyKind, binding, allocation, { weight: 1, arbitrary: capacity }),
};
