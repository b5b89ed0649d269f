/** Something that must not happen, and the input that makes it happen. */
export interface Finding {
  readonly kind: 'exception' | 'hang' | 'memory' | 'death';
  /** Equal for findings that are most likely the same defect. */
  readonly signature: string;
  readonly message: string;
  readonly stack: string;
  readonly input: Uint8Array;
}

/** @param input was executed when `thrown` came up */
export function exceptionFinding(thrown: unknown, input: Uint8Array): Finding {
  const error = thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`);
  const stack = error.stack ?? '';
  return {
    kind: 'exception',
    signature: `${error.name} ${withoutDetails(error.message)} ${placeOf(stack)}`,
    message: `${error.name}: ${error.message}`,
    stack,
    input,
  };
}

/** What differs from one input to the next: numbers, quoted text, lengths. */
function withoutDetails(message: string): string {
  return message
    .slice(0, 200)
    .replaceAll(/`[^`]*`|"[^"]*"|'[^']*'/g, '_')
    .replaceAll(/0x[\da-f]+|\d+/gi, '0');
}

/** The innermost frame in code of this project that is not the engine's. */
function placeOf(stack: string): string {
  const frame = stack
    .split('\n')
    .find((line) => /\/(src|fuzz\/targets|test)\//.test(line) && !line.includes('node_modules'));
  return frame?.replace(/^.*\/((?:src|fuzz|test)\/[^?:)]*)(?:\?[^:)]*)?(:\d+)?.*$/, '$1$2').trim() ?? '';
}
