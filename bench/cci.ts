/**
 * Throughput of the codec: `node bench/cci.ts`. One line per case, operations a second, best of five runs of 200 ms.
 */
import {
  decodePayload,
  decodeRoute,
  encodePayload,
  encodeRoute,
  fromHex,
  isTyped,
  type Layout,
  rowBySlug,
  type Value,
} from '../src/cci/index.ts';

const RUN_MS = 200;
const RUNS = 5;

/** Best rate of `RUNS` runs, in operations a second. */
function rate(operation: () => unknown): number {
  let best = 0;
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    let count = 0;
    let elapsed = 0;
    for (; elapsed < RUN_MS; elapsed = performance.now() - start) {
      for (let i = 0; i < 100; i++) operation();
      count += 100;
    }
    best = Math.max(best, (count * 1000) / elapsed);
  }
  return best;
}

function layoutOf(slug: string, side: 'request' | 'response'): Layout {
  const row = rowBySlug(slug);
  if (row === undefined || !isTyped(row)) throw new Error(`no codec for ${slug}`);
  return row[side];
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new Error(`not hex: ${hex}`);
  return bytes;
}

/** Decode and encode rates of one reply. */
function reply(label: string, slug: string, hex: string, request?: Value): void {
  const layout = layoutOf(slug, 'response');
  const payload = bytesOf(hex);
  const options = { side: 'reply', ...(request === undefined ? {} : { request }) } as const;
  const decoded = decodePayload(layout, payload, options);
  if (!decoded.ok) throw new Error(`${label}: ${decoded.error.message}`);
  report(
    label,
    payload.length,
    rate(() => decodePayload(layout, payload, options)),
    rate(() => encodePayload(layout, decoded.value, 'reply')),
  );
}

function report(label: string, size: number, decodes: number, encodes: number): void {
  const thousands = (value: number): string => `${Math.round(value / 1000).toLocaleString('en')} k`.padStart(12);
  console.log(`${label.padEnd(40)}${String(size).padStart(6)}${thousands(decodes)}${thousands(encodes)}`);
}

console.log(`${''.padEnd(40)}${'bytes'.padStart(6)}${'decodes/s'.padStart(12)}${'encodes/s'.padStart(12)}`);

const block = '03 03 03 00 05 06 10 08 1F 05 05 04 00 04 00 10';
reply('5101h reply, 8 ports', 'get-physical-port-state', `08 00 00 00 ${block.repeat(8)}`);
reply(
  '5200h reply, 1 VCS of 8 vPPBs',
  'get-virtual-cxl-switch-info',
  `01 00 00 00 00 01 00 08 ${'02 03 FF 00'.repeat(8)}`,
  { starting_vppb: 0, vppb_list_limit: 255, vcs_id_list: [0] },
);

const tunnel = bytesOf('03001C00 002200005310000000000000 01000C00 003300010000000000000000');
const route = decodeRoute(0x5300, tunnel);
if (!route.ok) throw new Error(route.error.message);
report(
  'two-level tunnel, Identify on LD 1',
  tunnel.length,
  rate(() => decodeRoute(0x5300, tunnel)),
  rate(() => encodeRoute(route.value)),
);
