import { err, ok, type Result } from '../../cci/index.ts';

/** Longest subject, group or token id, in UTF-16 units. */
export const MAX_NAME_LENGTH = 256;

/**
 * A claim as a name that people will read in tables and journals, or what keeps it from being one, as `must ...`.
 * Control characters, invisible and text-direction characters, line separators and halves of surrogate pairs are
 * refused rather than escaped: no honest name needs them.
 */
export function asShownName(value: unknown): Result<string, string> {
  if (typeof value !== 'string' || value === '' || value.length > MAX_NAME_LENGTH) {
    return err(`must be a string of 1 to ${MAX_NAME_LENGTH} characters`);
  }
  if (!value.isWellFormed() || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value)) {
    return err('must not hold control or invisible characters');
  }
  return ok(value);
}
