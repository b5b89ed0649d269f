import { readUint, writeUint } from './bytes.ts';

/** UUID of the Command Effects Log. */
export const CEL_UUID = '0da9c0b5-bf41-4b78-8f79-96b1623b3f17';
/** UUID of the vendor debug log: the only one that 0403h may clear (R6). */
export const VENDOR_DEBUG_LOG_UUID = '5e1819d9-11a9-400c-811f-d60719403d86';
/** Bytes of one CEL entry. */
export const CEL_ENTRY_SIZE = 4;

/** One command that a component says it has, and what it says that command does. */
export interface CelEntry {
  readonly opcode: number;
  /** Effect bits in the specification's positions; only 0-6 mean the same everywhere (D07). */
  readonly effects: number;
}

/** Entries of a CEL; a last piece of fewer than four bytes is ignored. */
export function decodeCel(log: Uint8Array): readonly CelEntry[] {
  const entries: CelEntry[] = [];
  for (let at = 0; at + CEL_ENTRY_SIZE <= log.length; at += CEL_ENTRY_SIZE) {
    entries.push({ opcode: readUint(log, at, 2), effects: readUint(log, at + 2, 2) });
  }
  return entries;
}

export function encodeCel(entries: readonly CelEntry[]): Uint8Array {
  const log = new Uint8Array(entries.length * CEL_ENTRY_SIZE);
  entries.forEach((entry, i) => {
    writeUint(log, i * CEL_ENTRY_SIZE, 2, entry.opcode);
    writeUint(log, i * CEL_ENTRY_SIZE + 2, 2, entry.effects);
  });
  return log;
}

/** Names of the effect bits in the specification's numbering. */
export const effectBits: readonly string[] = [
  'configuration-change-after-cold-reset',
  'immediate-configuration-change',
  'immediate-data-change',
  'immediate-policy-change',
  'immediate-log-change',
  'security-state-change',
  'background-operation',
  'secondary-mailbox-supported',
  'request-abort-supported',
  'reset-bits-valid',
  'configuration-change-after-conventional-reset',
  'configuration-change-after-cxl-reset',
];
