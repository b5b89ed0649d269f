import { createInterface } from 'node:readline';
import koffi from 'koffi';
import { loadNative } from '../../../src/backend/native/index.ts';
import { type Koffi, wordAccess } from '../../../src/backend/native/koffi-calls.ts';

/**
 * Makes one access to a page for each line on its input, so that another process can watch which bytes each instruction
 * touches. The page is ordinary memory: an access is compiled the same whatever is behind it.
 */

const native = await loadNative();
const library = koffi as unknown as Koffi;
const { address } = native.allocate(4096);
const access = wordAccess(library);
const one = koffi as unknown as { types: { [name: string]: unknown } };
let sink: unknown = 0;

const accesses: { readonly [name: string]: () => void } = {
  load32: () => {
    sink = access.load32(address, 8);
  },
  load64: () => {
    sink = access.load64(address, 8);
  },
  store32: () => access.store32(address, 8, 0x8765_4321),
  store64: () => access.store64(address, 8, 0xfedc_ba98_7654_3210n),
  // What the watcher has to tell from the others.
  load8: () => {
    sink = library.decode(address, 8, one.types.uint8_t);
  },
  store16: () => library.encode(address, 8, one.types.uint16_t, 7),
  twice: () => {
    access.store32(address, 8, 1);
    access.store32(address, 12, 2);
  },
  // Compiled JavaScript around it makes no difference: this is what a busy driver does.
  hot: () => {
    for (let round = 0; round < 20_000; round++) sink = access.load32(address, 64 + (round % 8) * 4);
    sink = access.load32(address, 8);
  },
};

// Where only parents may trace (Yama), this process says that anybody may.
const prctl = koffi.load(null).func('prctl', 'int', ['int', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']);
prctl(0x59616d61, 0xffff_ffff_ffff_ffffn, 0, 0, 0);

createInterface({ input: process.stdin }).on('line', (line) => {
  accesses[line]?.();
  console.log(`${line} ${typeof sink}`);
});
console.log(`${process.pid} ${address + 8n}`);
