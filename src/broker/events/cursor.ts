/** Where a reader of a feed stands. Opaque to him: the numbering of this broker, and his own last number in it. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

/** `3f2a90c1-42` */
export function formatCursor({ epoch, seq }: Cursor): string {
  return `${epoch}-${seq}`;
}

/** Undefined where it is none. */
export function parseCursor(text: string): Cursor | undefined {
  const [, epoch, seq] = /^([0-9a-f]{8})-(0|[1-9]\d{0,14})$/.exec(text) ?? [];
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq: Number(seq) };
}
