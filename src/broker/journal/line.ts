import { hash } from 'node:crypto';
import { JournalError } from './errors.ts';
import type { LineSlabs, Slab } from './line-slabs.ts';
import type { JournalRecord, RecordKind } from './records.ts';

/** `prev` of the first record. */
export const GENESIS = '0'.repeat(64);
/** Bytes of `,"hash":"<64 hex digits>"}`, the end of every line. */
const SUFFIX_BYTES = 75;
/** More than `,"signature":"<86 letters>"`. */
const SIGNATURE_BYTES = 128;
/** Bytes of UTF-8 that one unit of a string takes at most. */
const UTF8_MOST = 3;
/** Units from which the bytes of a line are counted before there is room made for them. */
const COUNTED_FROM = 16_384;
const RESERVED = ['v', 'seq', 'at', 'mono', 'kind', 'prev', 'signature', 'hash'];

/** Where a chain has got to. */
export interface ChainHead {
  /** Sequence of the last record, 0 when there is none. */
  readonly sequence: number;
  readonly hash: string;
}

export const emptyChain: ChainHead = { sequence: 0, hash: GENESIS };

export interface Line {
  /** With its newline, in `slab`: as long as that is not released. */
  readonly bytes: Buffer;
  readonly slab: Slab;
  readonly head: ChainHead;
}

/** Where a line is put. */
export interface LinePlace {
  readonly slabs: LineSlabs;
  readonly maxBytes: number;
}

/**
 * Members of a body that many records share, as the JSON that they are in each. Made once, it saves making them again; the
 * checks of a body were done then.
 */
export class PreparedMembers {
  /** `"a":1,"b":2`, never empty. */
  readonly text: string;
  readonly names: readonly string[];

  /** @throws JournalError `invalid` as for a body; also for members that JSON leaves out altogether */
  constructor(members: object) {
    const text = textOf('prepared', members);
    if (text.length <= 2) throw new JournalError('invalid', 'prepared members are no members');
    this.text = text.slice(1, -1);
    this.names = Object.keys(members);
    Object.freeze(this);
  }
}

/** @throws JournalError `invalid` */
function textOf(kind: string, body: object): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(body);
  } catch (error) {
    throw new JournalError('invalid', `a ${kind} record can't be written as JSON`, { cause: error });
  }
  if (text === undefined || !text.startsWith('{')) throw new JournalError('invalid', `a ${kind} record is no object`);
  for (const name of RESERVED) {
    if (Object.hasOwn(body, name)) throw new JournalError('invalid', `\`${name}\` can't be used in a record`);
  }
  return text;
}

/**
 * The line of one record. Its hash covers the very bytes before it, so that a verifier needs no canonical form:
 * SHA-256 over the line up to, and without, `,"hash":`. A signature covers the line up to, and without, `,"signature":`.
 * @throws JournalError `invalid` for a body that JSON can't carry, that uses a reserved name, or that makes it too long
 */
export function buildLine(
  kind: RecordKind,
  body: object,
  head: ChainHead,
  at: string,
  monoMs: number,
  { slabs, maxBytes }: LinePlace,
  sign?: (bytes: Uint8Array) => Uint8Array,
  prepared?: PreparedMembers,
): Line {
  const text = textOf(kind, body);
  for (const name of prepared?.names ?? []) {
    if (Object.hasOwn(body, name)) throw new JournalError('invalid', `\`${name}\` is in the record twice`);
  }
  const sequence = head.sequence + 1;
  const mono = Math.round(monoMs * 1000) / 1000;
  const own = text.length > 2 ? `${text.slice(1, -1)},` : '';
  const inner = prepared === undefined ? own : `${own}${prepared.text},`;
  const content = `{"v":1,"seq":${sequence},"at":"${at}","mono":${mono},"kind":"${kind}",${inner}"prev":"${head.hash}"`;
  if (content.length > maxBytes) throw tooLong(kind, content.length, maxBytes);
  // Of a long one it is worth counting, of a short one it is not.
  const most = content.length < COUNTED_FROM ? content.length * UTF8_MOST : Buffer.byteLength(content);
  const slab = slabs.room(most + SIGNATURE_BYTES + SUFFIX_BYTES + 1);
  const { bytes, end: start } = slab;
  let end = start + bytes.write(content, start);
  if (sign !== undefined) {
    const signature = Buffer.from(sign(bytes.subarray(start, end))).toString('base64url');
    end += bytes.write(`,"signature":"${signature}"`, end, 'latin1');
  }
  const digest = hash('sha256', bytes.subarray(start, end));
  end += bytes.write(`,"hash":"${digest}"}\n`, end, 'latin1');
  if (end - start > maxBytes) throw tooLong(kind, end - start, maxBytes);
  // From here on it is there; whatever failed before has left nothing.
  slab.end = end;
  slab.lines += 1;
  return { bytes: bytes.subarray(start, end), slab, head: { sequence, hash: digest } };
}

function tooLong(kind: RecordKind, bytes: number, maxBytes: number): JournalError {
  return new JournalError('invalid', `a ${kind} record of ${bytes} bytes is over the limit of ${maxBytes}`);
}

/** What one line holds, whatever came before it. */
export type ParsedLine =
  | {
      readonly ok: true;
      readonly record: JournalRecord /** Does the hash fit the content? */;
      readonly intact: boolean;
    }
  | { readonly ok: false; readonly why: string };

/** Reads a line without its newline. Never throws. Without `check`, `intact` is not looked into and false. */
export function parseLine(bytes: Uint8Array, check: boolean = true): ParsedLine {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    return { ok: false, why: 'it is not JSON' };
  }
  if (!isFramed(value)) return { ok: false, why: 'it is not a journal record' };
  return { ok: true, record: value, intact: check && endsWithItsHash(bytes, value.hash) };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function endsWithItsHash(bytes: Uint8Array, claimed: string): boolean {
  const cut = bytes.length - SUFFIX_BYTES;
  if (cut < 0) return false;
  const suffix = Buffer.from(bytes.buffer, bytes.byteOffset + cut, SUFFIX_BYTES).toString('latin1');
  return suffix === `,"hash":"${claimed}"}` && hash('sha256', bytes.subarray(0, cut)) === claimed;
}

// The kind is not looked up: a newer broker may know more of them, and the chain must still verify.
function isFramed(value: unknown): value is JournalRecord {
  return (
    isObject(value) &&
    value.v === 1 &&
    Number.isSafeInteger(value.seq) &&
    Number(value.seq) > 0 &&
    typeof value.at === 'string' &&
    typeof value.mono === 'number' &&
    typeof value.kind === 'string' &&
    typeof value.prev === 'string' &&
    typeof value.hash === 'string'
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
