import { builtinCommands, type CommandTable } from '../../cci/index.ts';
import type { Profile } from '../../taint/index.ts';
import { parseColumn, parseCommandColumn } from '../casbin/mandatory-columns.ts';
import { BASE_ID, type MandatoryRule, refusals } from '../casbin/rules.ts';
import { type CsvField, type CsvRow, type FieldsOf, fieldsOf } from './csv.ts';
import { type ErrorList, type LoadErrorCode, visible } from './error.ts';
import { shippedMandatory } from './shipped-mandatory.ts';

const shape = {
  section: 'p2',
  names: ['ID', 'LEVEL', 'TAINT', 'PROFILE', 'CLASS', 'SCOPE', 'REACH', 'COMMAND', 'EFFECT', 'REASON'],
} as const;
type Fields = FieldsOf<(typeof shape)['names']>;

const ID = /^([LTPBQ])[1-9][0-9]{0,3}$/;

/** Reads `mandatory.csv` row by row, then holds what was read against the shipped rows. */
export class MandatoryReader {
  readonly rules: MandatoryRule[] = [];
  readonly #errors: ErrorList;
  readonly #lines = new Map<string, number>();
  /** Ids of rows with a mistake: that they are not as shipped need not be said as well. */
  readonly #faulty = new Set<string>();
  readonly #commands: CommandTable;
  readonly #vendorFaulty: ReadonlySet<string>;
  #file = 'mandatory.csv';

  /** @param faulty slugs of vendor commands whose file has a mistake, which was reported there */
  constructor(errors: ErrorList, commands: CommandTable = builtinCommands, faulty: ReadonlySet<string> = new Set()) {
    this.#errors = errors;
    this.#commands = commands;
    this.#vendorFaulty = faulty;
  }

  read(row: CsvRow): void {
    this.#file = row.file;
    const { text } = row.section;
    if (text !== 'p2') {
      this.#add(
        'unknown-section',
        row,
        row.section,
      )(
        `\`${visible(text)}\` is not a section of this file`,
        text === 'p' || text === 'g'
          ? 'grants and roles belong in `tenants/TENANT.csv`'
          : `rows here read \`p2, ${shape.names.join(', ')}\``,
      );
      return;
    }
    const before = this.#errors.size;
    const fields = fieldsOf(row, shape, this.#errors);
    if (fields !== undefined) this.#readFields(row, fields);
    if (this.#errors.size > before) for (const { text: id } of row.fields.slice(0, 1)) this.#faulty.add(id);
  }

  #readFields(row: CsvRow, fields: Fields): void {
    const before = this.#errors.size;
    const [id, level, taint, profile, commandClass, scope, reach, command, effect, reason] = fields;
    this.#checkEffect(row, id, effect);
    this.#checkId(row, id);
    const columns = { level, taint, profile, class: commandClass, scope, reach };
    for (const column of ['level', 'taint', 'profile', 'class', 'scope', 'reach'] as const) {
      const test = parseColumn(column, columns[column].text);
      if (typeof test !== 'function') this.#add(test.code, row, columns[column])(test.message, test.help);
    }
    const parsed = parseCommandColumn(command.text, this.#commands);
    if ('code' in parsed) {
      if (this.#namesFaulty(command.text)) return;
      this.#add(parsed.code, row, command)(parsed.message, parsed.help);
      return;
    }
    const content = contentOf(fields.map(({ text }) => text));
    const first = this.#lines.get(content);
    if (first !== undefined) {
      this.#add('duplicate', row, id)(`this row stands in line ${first} already`, 'remove one of the two');
    }
    this.#lines.set(content, row.line);
    if (this.#errors.size > before) return;
    const condition = [level.text, taint.text, profile.text, commandClass.text, scope.text, reach.text] as const;
    const texts = [id.text, ...condition, command.text, effect.text, reason.text] as const;
    this.rules.push({ file: row.file, line: row.line, row: texts, command: parsed });
  }

  #namesFaulty(column: string): boolean {
    return column.split(/[|\s]/).some((word) => this.#vendorFaulty.has(word));
  }

  /** Ids of shipped rows that are not here as shipped; in profile `host`, and for the base row always, that is a mistake. */
  loosened(profile: Profile): readonly string[] {
    const missing = shippedMandatory.filter(
      (shipped) => !this.#lines.has(contentOf(shipped)) && !this.#faulty.has(shipped[0]),
    );
    for (const shipped of missing) {
      const [id] = shipped;
      if (profile === 'bmc' && id !== BASE_ID) continue;
      this.#errors.add(
        'loosened',
        { file: this.#file, line: 1, column: 1 },
        id,
      )(
        `the shipped row \`${id}\` is missing or changed`,
        `put \`p2, ${shipped.join(', ')}, REASON\` back; a rule is tightened by a further row, not by changing this one`,
      );
    }
    return [...new Set(missing.map(([id]) => id))];
  }

  #checkEffect(row: CsvRow, { text: id }: CsvField, effect: CsvField): void {
    const { text } = effect;
    if (text !== 'allow' && text !== 'deny') {
      this.#add('effect', row, effect)(`\`${visible(text)}\` is not an effect`, 'write exactly `allow` or `deny`');
    } else if (id === BASE_ID ? text === 'deny' : text === 'allow') {
      this.#add(
        'effect',
        row,
        effect,
      )(
        `\`${visible(id)}\` can't be \`${text}\``,
        `mandatory rows deny; \`${BASE_ID}\` alone allows, and what it allows still needs a grant`,
      );
    }
  }

  #checkId(row: CsvRow, id: CsvField): void {
    if (id.text === BASE_ID) {
      if (row.fields.slice(1, 8).every(({ text }) => text === '*')) return;
      this.#add(
        'column',
        row,
        id,
      )(`\`${BASE_ID}\` must allow everything`, `write \`p2, ${BASE_ID}, *, *, *, *, *, *, *, allow, REASON\``);
    } else if (!ID.test(id.text)) {
      const letters = [...refusals].map(([letter, { what }]) => `\`${letter}\` ${what}`).join(', ');
      this.#add(
        'unknown-rule',
        row,
        id,
      )(
        `\`${visible(id.text)}\` is not a rule id`,
        `write a letter and a number such as \`L20\`; the letter says how a refusal looks: ${letters}`,
      );
    }
  }

  #add(code: LoadErrorCode, row: CsvRow, field: CsvField) {
    return this.#errors.add(code, { file: row.file, line: row.line, column: field.column }, field.text);
  }
}

/** What a row means: everything but its reason. No field holds a control character, so the joint is safe. */
function contentOf(columns: readonly string[]): string {
  return columns.slice(0, 9).join('\n');
}
