import { hash } from 'node:crypto';
import { taintBit } from './bits.ts';
import type { LedgerState } from './ledger-state.ts';
import { lockdownLevels } from './types.ts';

const FORMAT = 'cci taint ledger';
const VERSION = 1;

/**
 * The text of a ledger file: one JSON object `{format, version, sha256, state}`, where `sha256` is over the compact
 * JSON of `state`. The checksum finds damage; it is no protection from somebody who may write the file.
 */
export function ledgerText(state: LedgerState): string {
  const body = JSON.stringify(state);
  return `{"format":"${FORMAT}","version":${VERSION},"sha256":"${hash('sha256', body)}","state":${body}}\n`;
}

/** What a ledger file says, or why it says nothing that can be relied on. */
export type ParsedLedger =
  | { readonly ok: true; readonly state: LedgerState }
  | { readonly ok: false; readonly why: string };

/** Reads the text of a ledger file. Never throws. */
export function parseLedger(text: string): ParsedLedger {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    return { ok: false, why: 'it is not JSON' };
  }
  if (!isObject(file) || file.format !== FORMAT) return { ok: false, why: 'it is not a taint ledger' };
  if (file.version !== VERSION)
    return { ok: false, why: `it is of version \`${String(file.version)}\`, not ${VERSION}` };
  if (file.sha256 !== hash('sha256', JSON.stringify(file.state) ?? ''))
    return { ok: false, why: 'its checksum is wrong' };
  if (!isState(file.state)) return { ok: false, why: 'a field of it is missing or of the wrong type' };
  return { ok: true, state: file.state };
}

// The shape is checked although the checksum was right: a file with a checksum of its own making must not crash us.
type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isTime: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isLetter: Check = (value) => typeof value === 'string' && taintBit(value) !== undefined;
const isLevel: Check = (value) => lockdownLevels.some((level) => level === value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(fields).every(([name, check]) => check(value[name]));

const isEntry = shape({
  letter: isLetter,
  atMs: isTime,
  by: isText,
  record: isText,
  scope: isText,
  reason: isText,
  ordinal: isCount,
  raisedOn: (value) => value === undefined || isText(value),
});
const isAcknowledgement = shape({
  letter: isLetter,
  scope: isText,
  atMs: isTime,
  by: isText,
  reason: isText,
  upTo: isCount,
});
const isGroup = shape({
  letter: isLetter,
  scope: isText,
  serial: isText,
  bootId: isText,
  count: isCount,
  first: isEntry,
  recent: listOf(isEntry),
  acknowledgements: listOf(isAcknowledgement),
});
const stateShape = shape({
  bootId: isText,
  serial: isText,
  ordinal: isCount,
  runTime: isLevel,
  levelChanges: listOf(shape({ level: isLevel, atMs: isTime, by: isText, reason: isText })),
  groups: listOf(isGroup),
});

function isState(value: unknown): value is LedgerState {
  return stateShape(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
