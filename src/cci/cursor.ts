import { readUint, readUint64 } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import type { DecodeOptions } from './decode.ts';

/** Where a decoder stands in a payload, and the first thing that was wrong. */
export class Cursor {
  error: CodecError | undefined;
  offset = 0;
  readonly payload: Uint8Array;
  readonly strict: boolean;
  readonly options: DecodeOptions;

  constructor(payload: Uint8Array, options: DecodeOptions) {
    this.payload = payload;
    this.options = options;
    this.strict = options.side === 'request';
  }

  get left(): number {
    return this.payload.length - this.offset;
  }

  /** Notes what is wrong, if nothing was before, and ends the reading. */
  refuse(code: CodecError['code'], field: string, message: string): false {
    this.error ??= codecError(code, field, message);
    return false;
  }

  /** Puts the name of the field around it in front of the path of what is wrong, if anything is. */
  within(name: string): boolean {
    if (this.error === undefined) return true;
    const { code, field, message } = this.error;
    this.error = codecError(code, field === '' ? name : `${name}.${field}`, message);
    return false;
  }

  /** INVARIANT: every read is behind this check, so none goes past the end. */
  has(size: number, field: string): boolean {
    return size <= this.left || this.refuse('length', field, `needs ${size} bytes, ${this.left} are left`);
  }

  /** The next bytes; the caller has asked `has`. */
  take(size: number): Uint8Array {
    const start = this.offset;
    this.offset += size;
    return this.payload.subarray(start, this.offset);
  }

  /** The next number; the caller has asked `has`. */
  uint(width: number): number {
    const start = this.offset;
    this.offset += width;
    return readUint(this.payload, start, width);
  }

  uint64(): bigint {
    this.offset += 8;
    return readUint64(this.payload, this.offset - 8);
  }
}
