/**
 * - `length`: the number of bytes is wrong; errno ENOMEM, CCI 0016h (R5)
 * - `reserved`: a reserved byte or bit is set; EINVAL, 0002h (R2)
 * - `value`: out of range, not one of the named codes, or not the right type; EINVAL, 0002h
 */
export type CodecErrorCode = 'length' | 'reserved' | 'value';

/** Why bytes are not the payload, or a value not the parameters, that a layout describes. */
export interface CodecError {
  readonly code: CodecErrorCode;
  /** Dotted path of the field, empty for the payload as a whole. */
  readonly field: string;
  readonly message: string;
}

export function codecError(code: CodecErrorCode, field: string, message: string): CodecError {
  return { code, field, message };
}
