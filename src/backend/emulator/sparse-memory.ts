/** Memory that costs only what was written: 4 KiB pages by index. Unwritten bytes read 0. */
export type SparseMemory = Map<number, Uint8Array>;

const PAGE = 4096;

/** Reads `length` bytes. The caller has checked the bounds. */
export function readSparse(memory: SparseMemory | null, address: bigint, length: number): Uint8Array {
  const result = new Uint8Array(length);
  if (memory === null) return result;
  let done = 0;
  while (done < length) {
    const at = address + BigInt(done);
    const offset = Number(at % BigInt(PAGE));
    const size = Math.min(PAGE - offset, length - done);
    const page = memory.get(Number(at / BigInt(PAGE)));
    if (page !== undefined) result.set(page.subarray(offset, offset + size), done);
    done += size;
  }
  return result;
}

/**
 * Writes bytes.
 *
 * @param enabled tells for each byte whether it is written; left out: all
 */
export function writeSparse(
  memory: SparseMemory,
  address: bigint,
  bytes: Uint8Array,
  enabled?: (index: number) => boolean,
): void {
  for (let i = 0; i < bytes.length; i++) {
    if (enabled !== undefined && !enabled(i)) continue;
    const at = address + BigInt(i);
    const index = Number(at / BigInt(PAGE));
    let page = memory.get(index);
    if (page === undefined) {
      page = new Uint8Array(PAGE);
      memory.set(index, page);
    }
    page[Number(at % BigInt(PAGE))] = bytes[i] ?? 0;
  }
}

/** Drops everything at and above an address that is a multiple of the page size. */
export function truncateSparse(memory: SparseMemory | null, size: bigint): void {
  for (const index of memory?.keys() ?? []) if (BigInt(index) * BigInt(PAGE) >= size) memory?.delete(index);
}
