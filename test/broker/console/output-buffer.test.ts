import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputBuffer } from '../../../src/broker/console/output-buffer.ts';

const KIB = 1024;

describe('the output of a console', () => {
  it('is the same bytes from any offset that is kept, and stays bounded', () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 1, max: 70 * KIB }) }),
      fc.record({ read: fc.integer({ min: -10, max: 3_000_000 }) }),
      fc.record({ acknowledge: fc.integer({ min: 0, max: 3_000_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buffer = new OutputBuffer();
        const byte = (at: number) => (at * 31 + (at >> 8)) & 0xff;
        for (const one of steps) {
          if ('append' in one) {
            const from = buffer.end;
            buffer.append(Uint8Array.from({ length: one.append }, (_, i) => byte(from + i)));
            buffer.release(buffer.end);
          } else if ('acknowledge' in one) buffer.acknowledge(one.acknowledge);
          else {
            const { offset, output } = buffer.page(one.read);
            expect(offset).toBe(Math.min(Math.max(one.read, buffer.start), buffer.end));
            expect(output.length).toBe(Math.min(64 * KIB, buffer.end - offset));
            for (let i = 0; i < output.length; i += 997) expect(output[i]).toBe(byte(offset + i));
          }
          expect(buffer.end - buffer.start).toBeLessThanOrEqual((2 * KIB + 70) * KIB);
          expect(buffer.unread).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 60, seed: 8 },
    );
  });

  it('keeps what nobody acknowledged, and a little of what was', () => {
    const buffer = new OutputBuffer();
    for (let i = 0; i < 16; i++) buffer.append(new Uint8Array(64 * KIB));
    buffer.release(buffer.end);
    expect(buffer.start).toBe(0);
    buffer.acknowledge(buffer.end);
    expect(buffer.end - buffer.start).toBe(256 * KIB);
    buffer.acknowledge(Number.MAX_SAFE_INTEGER);
    expect(buffer.unread).toBe(0);
  });

  it('shows nothing, and takes no word for it, before it stands in the recording', () => {
    const buffer = new OutputBuffer();
    buffer.append(new Uint8Array(10));
    expect(buffer.page(0)).toEqual({ offset: 0, output: new Uint8Array(0) });
    buffer.acknowledge(10);
    expect(buffer.unread).toBe(10);
    buffer.release(4);
    expect(buffer.page(0).output.length).toBe(4);
    expect(buffer.page(4).output.length).toBe(0);
    buffer.release(100);
    expect(buffer.page(0).output.length).toBe(10);
  });
});
