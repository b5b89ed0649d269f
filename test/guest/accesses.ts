/** One access as the device's code in QEMU got it. */
export interface RegisterAccess {
  readonly kind: 'read' | 'write';
  readonly address: bigint;
  readonly value: bigint;
  /** Bytes. */
  readonly size: number;
  /** What QEMU calls the registers. */
  readonly region: string;
}

/** The accesses that QEMU wrote into its log, in their order. */
export function* accessesIn(trace: string): Generator<RegisterAccess> {
  const line = /memory_region_ops_(read|write) .*addr (0x[0-9a-f]+) value (0x[0-9a-f]+) size (\d+) name '([^']*)'/g;
  for (const [, kind, address = '', value = '', size, region = ''] of trace.matchAll(line)) {
    yield {
      ...{ kind: kind === 'read' ? 'read' : 'write', region },
      ...{ address: BigInt(address), value: BigInt(value), size: Number(size) },
    };
  }
}
