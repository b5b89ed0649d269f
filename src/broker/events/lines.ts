import { fromHex, toHex } from '../../cci/index.ts';

/** How many logs a CCI has: informational, warning, failure, fatal, dynamic capacity. */
export const EVENT_LOGS = 5;

/** One record as one tenant has it. */
export interface Entry {
  /** Position in the tenant's own feed, from 1. */
  readonly seq: number;
  readonly kind: 'record' | 'overflow';
  readonly log: number;
  /** Path of the CCI that it came from, empty for the switch. */
  readonly source: string;
  /** Nanoseconds since 1970 on the broker's clock. */
  readonly atNs: bigint;
  /** In the tenant's own event log; 0 where it is in none: lost to an overflow there, or from another CCI. */
  readonly handle: number;
  /** What the device called it. */
  readonly deviceHandle: number;
  /** The tenant's copy, 128 bytes; empty for an overflow. */
  readonly bytes: Uint8Array;
  /** It concerns others than the tenant who has it here: for operators under confidentiality. */
  readonly others: boolean;
  /** For overflows: how many were lost, where the tenant may know. */
  readonly lost: number | undefined;
}

/** A record that is kept here and may still be in the device's log: handle and digest. */
export type Kept = readonly [handle: number, digest: string];

/** One change of what is kept, one line of the file. Every kind may be applied twice. */
export type Line =
  /** First line of a file. `epoch` names the numbering, `key` makes pseudonyms. */
  | { readonly kind: 'head'; readonly epoch: string; readonly key: string }
  /** A record of the device and who got it. */
  | {
      readonly kind: 'add';
      readonly cci: string;
      readonly log: number;
      readonly kept: Kept;
      readonly to: readonly (readonly [tenant: string, entry: Entry])[];
    }
  /** Records that the device lost, and who was told. */
  | { readonly kind: 'lost'; readonly to: readonly (readonly [tenant: string, entry: Entry])[] }
  /** The device has these no longer. */
  | { readonly kind: 'done'; readonly cci: string; readonly log: number; readonly handles: readonly number[] }
  /** A tenant cleared records of his own log. */
  | { readonly kind: 'clear'; readonly tenant: string; readonly log: number; readonly handles: readonly number[] }
  /** What a tenant set for himself. */
  | { readonly kind: 'view'; readonly tenant: string; readonly limit?: number; readonly offsetNs?: bigint }
  /** Everything of one tenant. */
  | {
      readonly kind: 'tenant';
      readonly tenant: string;
      readonly lastSeq: number;
      readonly lastHandle: number;
      readonly limit?: number;
      readonly offsetNs?: bigint;
      readonly feed: readonly Entry[];
      readonly logs: readonly LogLine[];
    }
  /** Everything that may still be in a log of the device. */
  | { readonly kind: 'pending'; readonly cci: string; readonly log: number; readonly kept: readonly Kept[] };

export interface LogLine {
  readonly overflow: number;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
  readonly records: readonly Entry[];
}

/** One line without its end. */
export function formatLine(line: Line): string {
  return JSON.stringify(line, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return toHex(value);
    return typeof value === 'bigint' ? value.toString() : value;
  });
}

/** Thrown where a line is none of ours. */
export class BadLine extends Error {}

/** @throws BadLine */
export function parseLine(text: string): Line {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new BadLine('not JSON');
  }
  return lineOf(new Members(json));
}

function lineOf(at: Members): Line {
  const kind = at.text('kind');
  switch (kind) {
    case 'head':
      return { kind, epoch: at.text('epoch'), key: at.text('key') };
    case 'add': {
      const [kept] = keptOf([at.any('kept')]);
      if (kept === undefined) throw new BadLine('kept');
      return { kind, cci: at.text('cci'), log: at.count('log'), kept, to: deliveriesOf(at) };
    }
    case 'lost':
      return { kind, to: deliveriesOf(at) };
    case 'done':
      return { kind, cci: at.text('cci'), log: at.count('log'), handles: at.counts('handles') };
    case 'clear':
      return { kind, tenant: at.text('tenant'), log: at.count('log'), handles: at.counts('handles') };
    case 'view':
      return { kind, tenant: at.text('tenant'), ...ownSettings(at) };
    case 'pending':
      return { kind, cci: at.text('cci'), log: at.count('log'), kept: keptOf(at.list('kept')) };
    case 'tenant': {
      const logs = at.list('logs').map((one) => logOf(new Members(one)));
      if (logs.length !== EVENT_LOGS) throw new BadLine('logs');
      return {
        kind,
        tenant: at.text('tenant'),
        lastSeq: at.count('lastSeq'),
        lastHandle: at.count('lastHandle'),
        ...ownSettings(at),
        feed: at.list('feed').map((one) => entryOf(new Members(one))),
        logs,
      };
    }
    default:
      throw new BadLine('kind');
  }
}

function ownSettings(at: Members): { readonly limit?: number; readonly offsetNs?: bigint } {
  return {
    ...(at.has('limit') ? { limit: at.count('limit') } : {}),
    ...(at.has('offsetNs') ? { offsetNs: at.big('offsetNs') } : {}),
  };
}

function deliveriesOf(at: Members): readonly (readonly [string, Entry])[] {
  return at.list('to').map((pair) => {
    const [tenant, entry] = Array.isArray(pair) ? pair : [];
    if (typeof tenant !== 'string') throw new BadLine('to');
    return [tenant, entryOf(new Members(entry))] as const;
  });
}

function logOf(at: Members): LogLine {
  return {
    overflow: at.count('overflow'),
    firstNs: at.big('firstNs'),
    lastNs: at.big('lastNs'),
    records: at.list('records').map((one) => entryOf(new Members(one))),
  };
}

function entryOf(at: Members): Entry {
  const kind = at.text('kind');
  const bytes = fromHex(at.text('bytes'));
  const log = at.count('log');
  if ((kind !== 'record' && kind !== 'overflow') || bytes === undefined || log >= EVENT_LOGS)
    throw new BadLine('entry');
  return {
    seq: at.count('seq'),
    kind,
    log,
    source: at.text('source'),
    atNs: at.big('atNs'),
    handle: at.count('handle'),
    deviceHandle: at.count('deviceHandle'),
    bytes,
    others: at.any('others') === true,
    lost: at.has('lost') ? at.count('lost') : undefined,
  };
}

function keptOf(list: readonly unknown[]): readonly Kept[] {
  return list.map((pair) => {
    const [handle, digest] = Array.isArray(pair) ? pair : [];
    if (!isCount(handle) || typeof digest !== 'string') throw new BadLine('kept');
    return [handle, digest] as const;
  });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Members of a JSON object, each of the type that is asked for. */
class Members {
  readonly #json: object;

  constructor(json: unknown) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new BadLine('not an object');
    this.#json = json;
  }

  any(name: string): unknown {
    return Object.hasOwn(this.#json, name) ? Reflect.get(this.#json, name) : undefined;
  }

  has(name: string): boolean {
    return this.any(name) !== undefined;
  }

  text(name: string): string {
    const value = this.any(name);
    if (typeof value !== 'string') throw new BadLine(name);
    return value;
  }

  count(name: string): number {
    const value = this.any(name);
    if (!isCount(value)) throw new BadLine(name);
    return value;
  }

  big(name: string): bigint {
    const text = this.text(name);
    if (!/^-?\d{1,20}$/.test(text)) throw new BadLine(name);
    return BigInt(text);
  }

  list(name: string): readonly unknown[] {
    const value = this.any(name);
    if (!Array.isArray(value)) throw new BadLine(name);
    return value;
  }

  counts(name: string): readonly number[] {
    return this.list(name).map((value) => {
      if (!isCount(value)) throw new BadLine(name);
      return value;
    });
  }
}
