import type { RegisterAccess } from './accesses.ts';

/** Where the registers of QEMU's Switch CCI lie in its BAR. */
const MAILBOX = 0x88n;
const PAYLOAD = 0xa8n;
const BAR_BYTES = 0x1000n;

/** Every access that the driver may make, by what QEMU decodes at the place; anything else is wrong. */
const rows: readonly {
  readonly from: bigint;
  readonly to: bigint;
  readonly read: readonly number[];
  readonly write: readonly number[];
}[] = [
  // The capability array and the blocks it names: read in whole words.
  { from: 0x00n, to: MAILBOX, read: [4, 8], write: [] },
  { from: 0x88n, to: 0x8cn, read: [4], write: [] },
  { from: 0x8cn, to: 0x90n, read: [4], write: [4] },
  { from: 0x90n, to: 0x98n, read: [8], write: [8] },
  { from: 0x98n, to: 0xa0n, read: [8], write: [] },
  { from: 0xa0n, to: 0xa8n, read: [8], write: [] },
  { from: PAYLOAD, to: 0x8a8n, read: [4], write: [4] },
  { from: 0x8a8n, to: 0x8b0n, read: [4, 8], write: [] },
];

export interface WidthReport {
  /** Accesses that no row allows, in words. */
  readonly wrong: readonly string[];
  /** Doorbells that were rung. */
  readonly commands: number;
  /** `write 8 at 0x90` and so on, with how often. */
  readonly seen: { readonly [access: string]: number };
}

/** Holds the accesses to one BAR against the table. @param base where the machine has put the BAR */
export function checkWidths(accesses: readonly RegisterAccess[], base: bigint): WidthReport {
  const wrong: string[] = [];
  const seen: { [access: string]: number } = {};
  let commands = 0;
  for (const { kind, address, size, value } of accesses) {
    const offset = address - base;
    if (offset < 0n || offset >= BAR_BYTES) continue;
    const place = offset >= PAYLOAD && offset < 0x8a8n ? 'payload' : `0x${offset.toString(16)}`;
    const text = `${kind} ${size} at ${place}`;
    seen[text] = (seen[text] ?? 0) + 1;
    const row = rows.find(({ from, to }) => offset >= from && offset < to);
    const isAligned = offset % BigInt(size) === 0n;
    if (row === undefined || !isAligned || !row[kind].includes(size)) {
      wrong.push(`${kind} of ${size} bytes at 0x${offset.toString(16)}`);
    }
    if (kind === 'write' && offset === 0x8cn && value === 1n) commands++;
  }
  return { wrong, commands, seen };
}
