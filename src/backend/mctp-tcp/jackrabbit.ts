import {
  decodePayload,
  type Hop,
  isTyped,
  RC,
  type RoutedCommand,
  rowByOpcode,
  TUNNEL_OPCODE,
} from '../../cci/index.ts';

/**
 * What a switch of the 2.0-era dialect serves. It has no Command Effects Log, answers nothing it does not know, and some
 * malformed commands end it or keep it from answering ever again. So this table stands for its log, and whatever is not
 * in it, or does not fit its layout, is answered here and never sent.
 */
const ON_SWITCH = [
  0x0001, 0x0002, 0x0003, 0x0004, 0x5100, 0x5101, 0x5102, 0x5103, 0x5200, 0x5201, 0x5202, 0x5203, 0x5300, 0x5301,
  0x5302,
] as const;
/** Behind a port: on the FM-owned LD of an MLD. */
const ON_MLD = [0x5400, 0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5407, 0x5408, 0x5409] as const;

/**
 * Bytes of a command inside a tunnel. A size that is larger than its buffers ends that switch, and where they end is not
 * known; the largest command of an MLD with 16 LDs, as many as one had then, takes 272.
 */
const TUNNELLED_MAX = 1024;

function effectsOf(opcodes: readonly number[]): ReadonlyMap<number, number> {
  return new Map(opcodes.map((opcode) => [opcode, rowByOpcode(opcode)?.effects ?? 0]));
}

const switchEffects = effectsOf(ON_SWITCH);
const mldEffects = effectsOf(ON_MLD);
const nothing: ReadonlyMap<number, number> = new Map();

/** The Command Effects Log that is assumed of the component at the end of a path: opcode to effect bits. */
export function assumedEffects(hops: readonly Hop[]): ReadonlyMap<number, number> {
  if (hops.length === 0) return switchEffects;
  return hops.length === 1 ? mldEffects : nothing;
}

/** Return code of a command that such a switch must not see; undefined where it may be sent. */
export function refusedHere({ hops, opcode, payload }: RoutedCommand): number | undefined {
  const row = rowByOpcode(opcode);
  if (!assumedEffects(hops).has(opcode) || opcode === TUNNEL_OPCODE || row === undefined || !isTyped(row)) {
    return RC.unsupported;
  }
  if (hops.length > 0 && payload.length > TUNNELLED_MAX) return RC.invalidPayloadLength;
  // Sizes, named codes and bounds: an unknown action of 5102h leaves a lock held, a length over 4 KiB in 5302h ends it.
  const request = decodePayload(row.request, payload, { side: 'request' });
  if (!request.ok) return request.error.code === 'length' ? RC.invalidPayloadLength : RC.invalidInput;
  return opcode === 0x5302 && wraps(request.value) ? RC.invalidInput : undefined;
}

const ADDRESS_END = 1n << 64n;

/** Would offset and length together run past 2^64? That switch adds them and so reads below the start of the LD. */
function wraps(request: { readonly transaction_address?: unknown; readonly transaction_length?: unknown }): boolean {
  const { transaction_address: address, transaction_length: length } = request;
  return typeof address !== 'bigint' || typeof length !== 'number' || address + BigInt(length) > ADDRESS_END;
}
