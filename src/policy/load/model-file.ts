import { model } from '../casbin/model.ts';
import { closest } from './closest.ts';
import { type ErrorList, visible } from './error.ts';
import { hasHidden, linesOf } from './file.ts';

const FORBIDDEN = /\b(?:eval|regexMatch|globMatch|ipMatch|keyMatch\d*|keyGet\d*)\b/;

/**
 * Holds `model.conf` against the one model that the engine is built for: same sections, same definitions; blanks and
 * comment lines are free. The file is there to be read by people; casbin gets the product's own copy.
 */
export function checkModel(text: string, file: string, errors: ErrorList): void {
  const expected = new Map<string, ReadonlyMap<string, string>>(
    model.map(({ section, lines }) => [section, new Map<string, string>(lines)]),
  );
  const seen = new Set<string>();
  let section: string | undefined;
  for (const [raw, line] of linesOf(text)) {
    const content = raw.trim();
    if (hasHidden(raw, file, line, errors) || content === '' || content.startsWith('#')) continue;
    const at = { file, line, column: raw.length - raw.trimStart().length + 1 };
    const header = /^\[(.*)\]$/.exec(content)?.[1];
    if (header !== undefined) {
      section = enterSection(header, expected, seen, errors, at);
      continue;
    }
    checkLine(content, section, expected, seen, errors, at);
  }
  for (const [name, lines] of expected) {
    for (const [key, value] of lines) {
      if (seen.has(`${name} ${key}`)) continue;
      errors.add(
        'model',
        { file, line: 1, column: 1 },
        key,
      )(`\`${key}\` is missing`, `write \`${key} = ${value}\` under \`[${name}]\``);
    }
  }
}

type At = { readonly file: string; readonly line: number; readonly column: number };
type Expected = ReadonlyMap<string, ReadonlyMap<string, string>>;

function enterSection(
  header: string,
  expected: Expected,
  seen: Set<string>,
  errors: ErrorList,
  at: At,
): string | undefined {
  if (!expected.has(header)) {
    const near = closest(header, expected.keys());
    errors.add(
      'unknown-section',
      at,
      header,
    )(
      `unknown section \`${visible(header)}\``,
      near === undefined ? `the sections are ${[...expected.keys()].join(', ')}` : `did you mean \`[${near}]\`?`,
    );
    return undefined;
  }
  if (seen.has(header))
    errors.add('duplicate', at, header)(`section \`${header}\` stands here twice`, 'remove one of the two');
  seen.add(header);
  return header;
}

function checkLine(
  content: string,
  section: string | undefined,
  expected: Expected,
  seen: Set<string>,
  errors: ErrorList,
  at: At,
): void {
  const equals = content.indexOf('=');
  const key = content.slice(0, Math.max(equals, 0)).trim();
  const value = content.slice(equals + 1).trim();
  const wanted = section === undefined ? undefined : expected.get(section)?.get(key);
  if (section === undefined || wanted === undefined) {
    const keys = section === undefined ? undefined : expected.get(section);
    const known =
      keys === undefined
        ? 'a definition stands below a known section such as `[matchers]`'
        : `\`[${section}]\` holds ${[...keys.keys()].join(' and ')}`;
    errors.add('model', at, content)(`\`${visible(content)}\` does not belong here`, known);
    return;
  }
  const id = `${section} ${key}`;
  if (seen.has(id)) errors.add('duplicate', at, content)(`\`${key}\` is defined twice`, 'remove one of the two');
  seen.add(id);
  const forbidden = FORBIDDEN.exec(value)?.[0];
  if (forbidden !== undefined) {
    errors.add(
      'forbidden-function',
      at,
      forbidden,
    )(
      `\`${forbidden}\` is not allowed in a matcher`,
      `its patterns are unanchored or unbounded; write \`${key} = ${wanted}\``,
    );
  } else if (section === 'policy_effect' && !/\ballow\b/.test(value)) {
    errors.add(
      'deny-only-effect',
      at,
      value,
    )('an effect without `allow` lets everything pass that no row speaks about', `write \`${key} = ${wanted}\``);
  } else if (value.replace(/\s+/g, ' ') !== wanted) {
    errors.add(
      'model',
      at,
      value,
    )(
      `\`${key}\` differs from the model that this product is built for`,
      `write \`${key} = ${wanted}\`; rules are changed in the CSV files`,
    );
  }
}
