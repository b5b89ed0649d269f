/**
 * - `EPERM`: a lockdown level that is not higher than the one in force (R9)
 * - `EINVAL`: the caller named a level, letter or scope that does not exist
 * - `ENOENT`: an acknowledgement of a bit that was never raised there
 * - `EIO`: the register could not be made durable, so what depended on it must be refused
 */
export type PostureErrorCode = 'EPERM' | 'EINVAL' | 'ENOENT' | 'EIO';

/** The only error that this folder throws. */
export class PostureError extends Error {
  readonly code: PostureErrorCode;

  constructor(code: PostureErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PostureError';
    this.code = code;
  }
}
