import {
  type CodecError,
  decodePayload,
  encodePayload,
  hex16,
  uuidText,
  type Value,
  VENDOR_DEBUG_LOG_UUID,
} from '../../cci/index.ts';
import type { Reason } from '../types.ts';
import { reason } from './reason.ts';
import type { Shape } from './structure.ts';

/** Step 3: what the payload says, or why it may not be looked at further. */
export interface Payload {
  /** The parameters where the opcode has a codec and the bytes fit it. */
  readonly params: Value | undefined;
  readonly reasons: readonly Reason[];
}

/**
 * R5, R6. A raw command whose opcode has a codec is decoded too: its targets are found and held against ownership exactly
 * as when it is submitted by name. Only opcodes without a codec keep their bytes as given.
 */
export function readPayload(shape: Shape): Payload {
  const content = contentReason(shape);
  const capacity = capacityReason(shape);
  const decoded = decode(shape);
  // Kernel order: by name, sizes come before the content (3.2, 3.5); a raw command has no sizes there, only content.
  const inOrder = shape.submittedAs === 'raw' ? [content, decoded.reason] : [decoded.reason, content];
  return { params: decoded.params, reasons: [...inOrder, capacity].filter((found) => found !== undefined) };
}

function decode(shape: Shape): { readonly params: Value | undefined; readonly reason: Reason | undefined } {
  if (shape.typed === undefined) return { params: undefined, reason: undefined };
  const decoded = decodePayload(shape.typed.request, shape.command.payload, { side: 'request' });
  if (decoded.ok) return { params: decoded.value, reason: undefined };
  return { params: undefined, reason: codecReason(decoded.error) };
}

/** A wrong length is R5 (ENOMEM); reserved bits and values are R2 (EINVAL). */
function codecReason({ code, field, message }: CodecError): Reason {
  const text = field === '' ? message : `${field}: ${message}`;
  return code === 'length' ? reason('payload', 'ENOMEM', 'R5', text) : reason('payload', 'EINVAL', 'R2', text);
}

interface ContentRule {
  readonly opcode: number;
  readonly accepts: (payload: Uint8Array) => boolean;
  readonly text: string;
}

/** R6. On bytes, so that it binds every path: by name, raw, at every depth. A short payload is a refusal. */
const contentRules: readonly ContentRule[] = [
  {
    opcode: 0x4101,
    accepts: (payload) => payload.length >= 9 && (Number(payload[8]) & 1) === 0,
    text: 'the partition may not change at once: memory may be in use',
  },
  {
    opcode: 0x0403,
    accepts: (payload) => payload.length >= 16 && uuidText(payload.subarray(0, 16)) === VENDOR_DEBUG_LOG_UUID,
    text: 'only the vendor debug log may be cleared',
  },
];

function contentReason(shape: Shape): Reason | undefined {
  const rule = contentRules.find(({ opcode }) => opcode === shape.opcode);
  if (rule === undefined || rule.accepts(shape.command.payload)) return undefined;
  return reason('payload', 'EBUSY', 'R6', `${hex16(shape.opcode)}: ${rule.text}`);
}

/** R5: a fixed reply must fit the capacity that the caller gave. */
function capacityReason(shape: Shape): Reason | undefined {
  const { outputCapacity, typed } = shape;
  if (outputCapacity === undefined || shape.submittedAs === 'raw' || typed === undefined) return undefined;
  const { min, max } = typed.response;
  // Written so that a capacity that is no number does not suffice.
  if (min !== max || outputCapacity >= min) return undefined;
  return reason('payload', 'ENOMEM', 'R5', `the reply has ${min} bytes, there is room for ${outputCapacity}`);
}

/** The one byte form of the parameters; what was decided on is what is sent. */
export function canonicalPayload(shape: Shape, params: Value | undefined): Uint8Array {
  if (shape.typed === undefined || params === undefined) return shape.command.payload;
  const encoded = encodePayload(shape.typed.request, params);
  if (encoded.ok) return encoded.value;
  throw new Error(`${shape.typed.slug} does not encode what it decoded: ${encoded.error.message}`);
}
