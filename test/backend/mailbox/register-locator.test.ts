import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BackendError } from '../../../src/backend/index.ts';
import { locateDeviceRegisters } from '../../../src/backend/mailbox/register-locator.ts';
import { configOfCci } from './fake-native.ts';

/** Reads a configuration space and counts how often; a list that loops is found out by the count. */
async function locate(config: Uint8Array) {
  const words = new Uint32Array(config.buffer);
  let reads = 0;
  const read32 = (offset: number): number => {
    reads++;
    if (offset % 4 !== 0 || offset < 0 || offset >= 4096) throw new Error(`a read at ${offset}`);
    if (reads > 5000) throw new Error('it reads for ever');
    return words[offset / 4] ?? 0;
  };
  return locateDeviceRegisters({ read32 }).catch((error: unknown) => {
    if (error instanceof BackendError) return error.message.replace('the CXL register locator of the function ', '');
    throw error;
  });
}

const cases: [name: string, change: { readonly [offset: number]: number }, result: unknown][] = [
  ['the emulated device', {}, { bar: 0, offset: 0 }],
  [
    'a locator behind another capability, with other blocks before its own',
    { 256: 0x1801_0001, 384: 0x0001_0023, 388: 0x0240_1e98, 392: 8, 396: 0x0000_0100, 404: 0x0002_0304, 408: 1 },
    { bar: 4, offset: 0x1_0002_0000 },
  ],
  [
    'a vendor DVSEC before it',
    { 256: 0x1801_0023, 260: 0x0240_8086, 384: 0x0001_0023, 388: 0x0180_1e98, 392: 8, 396: 0x0300 },
    { bar: 0, offset: 0 },
  ],
  ['another CXL DVSEC alone', { 264: 7 }, 'is missing'],
  ['no extended capabilities', { 256: 0 }, 'is missing'],
  ['a function that is gone', { 256: 0xffff_ffff }, 'is missing'],
  ['a list that loops', { 256: 0x1001_0001 }, 'is in a broken capability list'],
  ['a list that leads into the first 256 bytes', { 256: 0x0401_0001 }, 'is in a broken capability list'],
  ['a list of unaligned entries', { 256: 0x1021_0001 }, 'is in a broken capability list'],
  ['a locator past the end', { 260: 0xfff0_1e98 }, 'is longer than the configuration space'],
  ['a locator without room for an entry', { 260: 0x0100_1e98 }, 'names no device register block'],
  ['no block of device registers', { 268: 0x0000_0100 }, 'names no device register block'],
  ['two blocks of device registers', { 276: 0x0001_0301 }, 'names two device register blocks'],
  ['a BAR that a function has not', { 268: 0x0000_0306 }, 'names a place that cannot exist'],
  ['an offset that no BAR has', { 272: 0xffff_ffff }, 'names a place that cannot exist'],
];
test.each(cases)('%s', async (_, change, result) => {
  expect(await locate(configOfCci(change))).toEqual(result);
});

test('no configuration space makes it read for ever, elsewhere, or fail in another way', async () => {
  const pointer = fc.integer({ min: 0x0f0, max: 0x13c }).map((next) => ((next << 20) | 0x1_0023) >>> 0);
  const word = fc.oneof(pointer, fc.constantFrom(0x0240_1e98, 8, 0x0300), fc.integer({ min: 0, max: 0xffff_ffff }));
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 16, maxLength: 20 }), async (words) => {
      const config = configOfCci(Object.fromEntries(words.map((value, index) => [0x100 + 4 * index, value])));
      const found = await locate(config);
      if (typeof found !== 'string') expect(found.bar).toBeLessThan(6);
    }),
    { numRuns: 500 },
  );
});
