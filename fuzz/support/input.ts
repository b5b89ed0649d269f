/** Takes decisions and payloads off an input, front to back; behind its end there are zeros. */
export class Input {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get left(): number {
    return Math.max(0, this.bytes.length - this.at);
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }

  /** 16 bits, little-endian. */
  word(): number {
    return this.byte() + this.byte() * 256;
  }

  /** One entry of a list that is not empty. */
  oneOf<T>(list: readonly T[]): T {
    const chosen = list[this.word() % list.length];
    if (chosen === undefined) throw new RangeError('an empty list');
    return chosen;
  }

  /** At most so many bytes, fewer where there are no more. */
  take(length: number): Uint8Array {
    const piece = this.bytes.slice(this.at, this.at + length);
    this.at += length;
    return piece;
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
