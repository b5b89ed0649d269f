/** What kind of mistake it is; stable, for tools. */
export type LoadErrorCode =
  | 'unreadable'
  | 'not-utf8'
  | 'too-large'
  | 'unknown-file'
  | 'missing-file'
  | 'syntax'
  | 'unknown-section'
  | 'field-count'
  | 'empty-field'
  | 'effect'
  | 'unknown-command'
  | 'unknown-role'
  | 'unknown-tenant'
  | 'unknown-rule'
  | 'untyped-name'
  | 'foreign-tenant'
  | 'resource'
  | 'empty-selector'
  | 'role-cycle'
  | 'role-depth'
  | 'duplicate'
  | 'not-grantable'
  | 'generated-row'
  | 'empty-policy'
  | 'deny-only-effect'
  | 'forbidden-function'
  | 'model'
  | 'column'
  | 'loosened'
  | 'fabric'
  | 'ownership'
  | 'command';

/** One mistake in a file, with enough to find and to mend it. Lines and columns start at 1. */
export interface LoadError {
  readonly code: LoadErrorCode;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The offending text, shortened and with control characters made visible. */
  readonly text: string;
  /** One sentence, lower case. */
  readonly message: string;
  /** What to write instead. */
  readonly help: string;
}

const SHOWN = 80;

/** Shortens a piece of a file and makes everything in it visible, so that an error can be printed anywhere. */
export function visible(text: string): string {
  const clipped = text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
  return clipped.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}`]/gu, (character) => {
    return `\\u{${Number(character.codePointAt(0)).toString(16)}}`;
  });
}

/** A sentence that may repeat text of a file: what can't be seen is written out. */
export function visibleSentence(sentence: string): string {
  return sentence.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, visible);
}

/** `tenants/acme.csv:12:5: unknown command ...` and the help on a line of its own. */
export function formatLoadError(error: LoadError): string {
  return `${error.file}:${error.line}:${error.column}: ${error.message}\n  help: ${error.help}`;
}

/** More than this many mistakes of one load are counted, not listed. */
export const ERRORS_MAX = 1000;

/** Collects the mistakes of a load. */
export class ErrorList {
  readonly #errors: LoadError[] = [];
  #more = 0;

  add(
    code: LoadErrorCode,
    at: { readonly file: string; readonly line: number; readonly column: number },
    text: string,
  ) {
    return (message: string, help: string): void => {
      if (this.#errors.length >= ERRORS_MAX) {
        this.#more += 1;
        return;
      }
      this.#errors.push({ code, file: at.file, line: at.line, column: at.column, text: visible(text), message, help });
    };
  }

  get size(): number {
    return this.#errors.length;
  }

  /** In the order of files and lines. */
  list(): readonly LoadError[] {
    const sorted = this.#errors.toSorted((a, b) =>
      a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1,
    );
    const last = sorted.at(-1);
    if (this.#more === 0 || last === undefined) return sorted;
    return [
      ...sorted,
      { ...last, text: '', message: `and ${this.#more} more mistakes`, help: 'mend the ones above first' },
    ];
  }
}
