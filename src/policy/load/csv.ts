import type { ErrorList } from './error.ts';
import { hasHidden } from './file.ts';

/** One field of a row and where it starts. */
export interface CsvField {
  readonly text: string;
  readonly column: number;
}

export interface CsvRow {
  readonly file: string;
  readonly line: number;
  /** The letter it begins with. */
  readonly section: CsvField;
  readonly fields: readonly CsvField[];
}

const LINE_MAX = 4096;

/**
 * One line of a policy file: fields between commas, blanks around them dropped, `"` around a field that holds a comma,
 * `""` for a quote inside. A line whose first character is `#` is a comment; elsewhere `#` is text, because names hold
 * it. Undefined: nothing to read, or a mistake that was reported.
 */
export function parseLine(text: string, file: string, line: number, errors: ErrorList): CsvRow | undefined {
  if (hasHidden(text, file, line, errors) || /^[ \t]*(?:#|$)/.test(text)) return undefined;
  const report = (column: number, piece: string) => errors.add('syntax', { file, line, column }, piece);
  if (text.length > LINE_MAX) {
    report(LINE_MAX + 1, '')(`the line is longer than ${LINE_MAX} characters`, 'a row is one short line');
    return undefined;
  }
  const fields: CsvField[] = [];
  let section: CsvField | undefined;
  for (let at = 0; ; ) {
    at = skipBlanks(text, at);
    const column = at + 1;
    let value: string;
    if (text[at] === '"') {
      const end = closingQuote(text, at + 1);
      if (end === -1) {
        report(column, text.slice(at))(
          'a quoted field does not end on its line',
          'close it with `"`, and write `""` for a quote inside',
        );
        return undefined;
      }
      value = text.slice(at + 1, end).replaceAll('""', '"');
      at = skipBlanks(text, end + 1);
      if (at < text.length && text[at] !== ',') {
        report(at + 1, text.slice(at))(
          'text after a closing quote',
          'put a comma between fields; a quote inside a field is written `""`',
        );
        return undefined;
      }
    } else {
      const comma = text.indexOf(',', at);
      const end = comma === -1 ? text.length : comma;
      value = text.slice(at, end).trimEnd();
      const quote = value.indexOf('"');
      if (quote !== -1) {
        report(column + quote, value.slice(quote))(
          'a quote inside an unquoted field',
          'put `"` around the whole field and write `""` for the quote',
        );
        return undefined;
      }
      at = end;
    }
    const field = { text: value, column };
    if (section === undefined) section = field;
    else fields.push(field);
    if (at >= text.length) return { file, line, section, fields };
    at += 1;
  }
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
}

function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at;
  }
  return -1;
}

/** What a kind of row looks like: `p, ROLE, TENANT, ...`. */
export interface RowShape<N extends readonly string[]> {
  readonly section: string;
  readonly names: N;
}

/** One field for each name of a shape. */
export type FieldsOf<N extends readonly string[]> = { readonly [K in keyof N]: CsvField };

/** The fields after the section letter, when there are as many as there should be and none is empty. */
export function fieldsOf<const N extends readonly string[]>(
  row: CsvRow,
  shape: RowShape<N>,
  errors: ErrorList,
): FieldsOf<N> | undefined {
  const { file, line, section, fields } = row;
  const template = `${shape.section}, ${shape.names.join(', ')}`;
  if (fields.length !== shape.names.length) {
    const wrong = fields[shape.names.length] ?? fields.at(-1) ?? section;
    errors.add(
      'field-count',
      { file, line, column: wrong.column },
      wrong.text,
    )(
      `\`${shape.section}\` takes ${shape.names.length} fields, here are ${fields.length}`,
      `write \`${template}\`; a field with a comma in it stands between quotes`,
    );
    return undefined;
  }
  const before = errors.size;
  for (const [index, { text, column }] of fields.entries()) {
    if (text !== '') continue;
    errors.add(
      'empty-field',
      { file, line, column },
      '',
    )(`the field ${shape.names[index]} is empty`, `write \`${template}\``);
  }
  // The length was compared above.
  return errors.size > before ? undefined : (fields as FieldsOf<N>);
}
