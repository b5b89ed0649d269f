import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineSlabs, type Slab } from '../../../src/broker/journal/line-slabs.ts';

function put(slabs: LineSlabs, text: string): { readonly slab: Slab; readonly bytes: Buffer } {
  const slab = slabs.room(text.length);
  const start = slab.end;
  slab.end += slab.bytes.write(text, start, 'latin1');
  slab.lines += 1;
  return { slab, bytes: slab.bytes.subarray(start, slab.end) };
}

it('leaves a line as it was written until it is released, whatever comes and goes meanwhile', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ put: fc.integer({ min: 1, max: 200_000 }) }) },
    { weight: 1, arbitrary: fc.record({ put: fc.integer({ min: 262_145, max: 400_000 }) }) },
    { weight: 3, arbitrary: fc.record({ release: fc.integer({ min: 1, max: 4 }) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const slabs = new LineSlabs();
      const live: { readonly text: string; readonly line: ReturnType<typeof put> }[] = [];
      let letter = 0;
      for (const wish of steps) {
        if ('put' in wish) {
          const text = String.fromCharCode(97 + (letter++ % 26)).repeat(wish.put);
          live.push({ text, line: put(slabs, text) });
        } else for (const { line } of live.splice(0, wish.release)) slabs.release(line.slab);
        for (const { text, line } of live) expect(line.bytes.toString('latin1') === text).toBe(true);
      }
    }),
    { numRuns: 40 },
  );
});

it('uses the same memory again when all of its lines are released', () => {
  const slabs = new LineSlabs();
  const first = put(slabs, 'x'.repeat(200_000));
  const second = put(slabs, 'y'.repeat(200_000));
  expect(second.slab).not.toBe(first.slab);
  slabs.release(first.slab);
  slabs.release(second.slab);
  const third = put(slabs, 'z'.repeat(200_000));
  const fourth = put(slabs, 'z'.repeat(200_000));
  expect(new Set([first.slab, second.slab, third.slab, fourth.slab]).size).toBe(2);
});

it('keeps memory with a line that is never released to itself', () => {
  const slabs = new LineSlabs();
  const stays = put(slabs, 'stays');
  for (let i = 0; i < 20; i++) slabs.release(put(slabs, 'x'.repeat(200_000)).slab);
  expect(stays.bytes.toString()).toBe('stays');
});

it('does not keep the memory of a huge line', () => {
  const slabs = new LineSlabs();
  const huge = put(slabs, 'x'.repeat(1_000_000));
  slabs.release(huge.slab);
  const after = [put(slabs, 'y'.repeat(262_144)), put(slabs, 'y'.repeat(262_144))];
  expect(after.some(({ slab }) => slab === huge.slab && slab.bytes.length > 300_000)).toBe(false);
});
