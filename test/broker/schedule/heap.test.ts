import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from '../../../src/broker/schedule/heap.ts';

it('always gives the least, whatever was moved or taken out before', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), key: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ do: fc.constant('move' as const), at: fc.nat(), key: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ do: fc.constant('remove' as const), at: fc.nat() }),
    fc.record({ do: fc.constant('pop' as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new Heap<{ key: number; place: number }>((a, b) => a.key < b.key);
      const model: { key: number; place: number }[] = [];
      for (const one of steps) {
        if (one.do === 'push') {
          const entry = { key: one.key, place: -1 };
          model.push(entry);
          heap.push(entry);
        } else if (one.do === 'pop') {
          const { first } = heap;
          if (first !== undefined) {
            heap.remove(first);
            model.splice(model.indexOf(first), 1);
            expect(first.place).toBe(-1);
            // Out of the heap already: nothing happens.
            heap.remove(first);
            heap.moved(first);
          }
        } else {
          const entry = model[one.at % Math.max(1, model.length)];
          if (entry === undefined) continue;
          if (one.do === 'move') {
            entry.key = one.key;
            heap.moved(entry);
          } else {
            heap.remove(entry);
            model.splice(model.indexOf(entry), 1);
          }
        }
        expect(heap.size).toBe(model.length);
        expect(heap.first?.key).toBe(model.length === 0 ? undefined : Math.min(...model.map(({ key }) => key)));
      }
    }),
    { numRuns: 300, seed: 7 },
  );
});
