import { writeUint, writeUint64 } from './bytes.ts';
import { type CodecError, codecError } from './codec-error.ts';
import { MAX_MESSAGE_PAYLOAD } from './header.ts';

const FIRST_CAPACITY = 64;

/** The payload so far, and the first thing that was wrong. */
export class Writer {
  error: CodecError | undefined;
  private bytes = new Uint8Array(FIRST_CAPACITY);
  private used = 0;
  readonly strict: boolean;

  constructor(strict: boolean) {
    this.strict = strict;
  }

  refuse(field: string, message: string, code: CodecError['code'] = 'value'): false {
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

  /** Room for `size` zero bytes; the offset of the first, or undefined where no message could carry them. */
  private grow(size: number): number | undefined {
    const start = this.used;
    const end = start + size;
    if (end > MAX_MESSAGE_PAYLOAD) {
      this.refuse('', `more than ${MAX_MESSAGE_PAYLOAD} bytes`, 'length');
      return undefined;
    }
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.used = end;
    return start;
  }

  zeros(size: number): boolean {
    return this.grow(size) !== undefined;
  }

  uint(width: number, value: number): boolean {
    const start = this.grow(width);
    if (start === undefined) return false;
    writeUint(this.bytes, start, width, value);
    return true;
  }

  uint64(value: bigint): boolean {
    const start = this.grow(8);
    if (start === undefined) return false;
    writeUint64(this.bytes, start, value);
    return true;
  }

  copy(part: Uint8Array): boolean {
    const start = this.grow(part.length);
    if (start === undefined) return false;
    this.bytes.set(part, start);
    return true;
  }

  result(): Uint8Array {
    return this.bytes.slice(0, this.used);
  }
}
