import { builtinCommands, type CommandTable } from '../../cci/index.ts';
import { entry } from '../casbin/entry.ts';
import { OWN } from '../casbin/resource.ts';
import type { GrantRule } from '../casbin/rules.ts';
import { grantProblem, isProblem, parseSelector, type Selector } from '../casbin/selector.ts';
import type { Slices } from '../casbin/slices.ts';
import { canonicalCallerName, isCallerName, isRoleName, isTenantName } from '../names.ts';
import type { Fabric, ResourcePath } from '../types.ts';
import { closest } from './closest.ts';
import { type CsvField, type CsvRow, fieldsOf } from './csv.ts';
import { type ErrorList, type LoadErrorCode, visible } from './error.ts';
import { checkRoles, type LocatedLink } from './role-checks.ts';

const grantShape = { section: 'p', names: ['ROLE', 'TENANT', 'RESOURCE', 'COMMAND', 'EFFECT'] } as const;
const linkShape = { section: 'g', names: ['NAME', 'ROLE', 'TENANT'] } as const;

/** One switch, without anything below it. */
const SWITCH_PATH = /^\/switches\/[^/*]+$/;

/** Among more words than this a near miss is not looked for. */
const SUGGEST_FROM = 2000;

/** What `p` and `g` rows of all files are checked against. */
export interface Surroundings {
  readonly fabric: Fabric;
  /** Objects and everything that stands above one: what `path/*` may begin with. */
  readonly bases: ReadonlySet<string>;
  readonly tenants: ReadonlySet<string>;
  /** What COMMAND may name. */
  readonly commands: CommandTable;
  /** Slugs of vendor commands whose file has a mistake, which was reported there. */
  readonly faulty: ReadonlySet<string>;
  /** One string for equal texts: many rows have few words, and equal ones are then found equal at once. */
  readonly words: Map<string, string>;
  /** One selector for equal texts. */
  readonly selectors: Map<string, ReturnType<typeof parseSelector>>;
}

export function surroundingsOf(
  fabric: Fabric,
  commands: CommandTable = builtinCommands,
  faulty: ReadonlySet<string> = new Set(),
): Surroundings {
  const bases = new Set<string>();
  for (const path of fabric.objects) {
    for (let end = path.length; end > 0 && !bases.has(path.slice(0, end)); end = path.lastIndexOf('/', end - 1)) {
      bases.add(path.slice(0, end));
    }
  }
  return { fabric, bases, tenants: new Set(fabric.tenants), commands, faulty, words: new Map(), selectors: new Map() };
}

/** Reads one `tenants/T.csv` row by row. */
export class TenantReader {
  readonly #grants: GrantRule[];
  readonly #allLinks: LocatedLink[];
  readonly #links: LocatedLink[] = [];
  readonly #tenant: string;
  readonly #around: Surroundings;
  readonly #errors: ErrorList;
  readonly #lines = new Map<string, number>();
  /** Every role that stands in a `p` row, right or not: a mistake there must not make its `g` rows wrong too. */
  readonly #roles = new Set<string>();

  /** @param grants and @param links: where the rows of all files are collected */
  constructor(tenant: string, around: Surroundings, grants: GrantRule[], links: LocatedLink[], errors: ErrorList) {
    this.#grants = grants;
    this.#allLinks = links;
    this.#tenant = tenant;
    this.#around = around;
    this.#errors = errors;
  }

  read(row: CsvRow): void {
    const section = row.section.text;
    if (section === 'p') this.#readGrant(row);
    else if (section === 'g') this.#readLink(row);
    else this.#refuseSection(row, section);
  }

  /** What can be said only when the whole file was read. */
  async finish(slices: Slices): Promise<void> {
    for (const link of this.#links) {
      this.#allLinks.push(link);
      if (link.name.startsWith('role:')) this.#roles.add(link.name);
    }
    for (const { file, line, role, roleColumn } of this.#links) {
      if (this.#roles.has(role)) continue;
      const near = this.#roles.size > SUGGEST_FROM ? undefined : closest(role, this.#roles);
      this.#errors.add(
        'unknown-role',
        { file, line, column: roleColumn },
        role,
      )(
        `no row grants anything to \`${role}\``,
        near === undefined
          ? `write a row \`p, ${role}, ${this.#tenant}, RESOURCE, COMMAND, allow\``
          : `did you mean \`${near}\`?`,
      );
    }
    await checkRoles(this.#links, slices, this.#errors);
  }

  #readGrant(row: CsvRow): void {
    const fields = fieldsOf(row, grantShape, this.#errors);
    if (fields === undefined) return;
    const [role, tenant, resource, command, effect] = fields;
    const before = this.#errors.size;
    this.#roles.add(role.text);
    this.#checkRole(row, role);
    this.#checkTenant(row, tenant);
    this.#checkResource(row, resource);
    const eft = this.#effectOf(row, effect);
    const selector = this.#selectorOf(row, command, eft);
    this.#checkDuplicate(row);
    if (selector === undefined || eft === undefined || this.#errors.size > before) return;
    const { file, line } = row;
    const word = ({ text }: CsvField): string => entry(this.#around.words, text, () => text);
    const texts = [word(role), word(tenant), word(resource), word(command), eft] as const;
    this.#grants.push({ order: this.#grants.length, file, line, row: texts, selector });
  }

  #readLink(row: CsvRow): void {
    const fields = fieldsOf(row, linkShape, this.#errors);
    if (fields === undefined) return;
    const [name, role, tenant] = fields;
    const before = this.#errors.size;
    this.#checkName(row, name);
    this.#checkRole(row, role);
    this.#checkTenant(row, tenant);
    this.#checkDuplicate(row);
    if (this.#errors.size > before) return;
    const { file, line } = row;
    const columns = { nameColumn: name.column, roleColumn: role.column };
    this.#links.push({ file, line, name: name.text, role: role.text, tenant: tenant.text, ...columns });
  }

  #refuseSection(row: CsvRow, section: string): void {
    const report = this.#at('unknown-section', row, row.section);
    if (section === 'g2') {
      this.#at(
        'generated-row',
        row,
        row.section,
      )('`g2` rows are made from the fabric file', 'say who owns what in `fabric.yaml` and remove this row');
    } else if (section === 'p2') {
      report(
        '`p2` rows stand in `mandatory.csv` alone',
        'a tenant forbids itself something with a `p` row that ends in `deny`',
      );
    } else {
      report(
        `\`${visible(section)}\` is not a section`,
        'a row begins with `p` (a grant) or `g` (a role); a comment is a line of its own that begins with `#`',
      );
    }
  }

  #checkRole(row: CsvRow, field: CsvField): void {
    if (isRoleName(field.text)) return;
    const bare = field.text
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[^a-z0-9]+/, '')
      .slice(0, 40);
    const example = field.text.includes(':') || bare === '' ? 'role:operator' : `role:${bare}`;
    this.#at('untyped-name', row, field)(`\`${visible(field.text)}\` is not a role`, `write it as \`${example}\``);
  }

  #checkName(row: CsvRow, field: CsvField): void {
    const { text } = field;
    const own = `group:tenant/${this.#tenant}`;
    if (text.startsWith('group:tenant/') && !text.includes('#')) {
      if (text === own) return;
      const isTenant = isTenantName(text.slice('group:tenant/'.length));
      this.#at(
        isTenant ? 'foreign-tenant' : 'untyped-name',
        row,
        field,
      )(`\`${visible(text)}\` is not the group of tenant \`${this.#tenant}\``, `write \`${own}\``);
      return;
    }
    if (isCallerName(text) || isRoleName(text)) return;
    const canonical = canonicalCallerName(text);
    this.#at(
      'untyped-name',
      row,
      field,
    )(
      `\`${visible(text)}\` is not a name that a caller can have`,
      canonical === undefined
        ? `write \`user:ISSUER#SUBJECT\`, \`group:ISSUER#NAME\`, \`${own}\` or \`role:NAME\``
        : `claims are encoded: write \`${visible(canonical)}\``,
    );
  }

  #checkTenant(row: CsvRow, field: CsvField): void {
    if (field.text === this.#tenant) return;
    if (this.#around.tenants.has(field.text)) {
      this.#at(
        'foreign-tenant',
        row,
        field,
      )(
        `this file may name tenant \`${this.#tenant}\` only`,
        `write \`${this.#tenant}\`, or put the row into \`tenants/${field.text}.csv\``,
      );
      return;
    }
    this.#at(
      'unknown-tenant',
      row,
      field,
    )(`unknown tenant \`${visible(field.text)}\``, `write \`${this.#tenant}\`, the tenant of this file`);
  }

  #checkResource(row: CsvRow, field: CsvField): void {
    const { text } = field;
    if (text === OWN) return;
    const isTree = text.endsWith('/*');
    const base = isTree ? text.slice(0, -2) : text;
    if (isTree ? this.#around.bases.has(base) : this.#around.fabric.exists(base as ResourcePath)) return;
    const report = this.#at('resource', row, field);
    if (base.includes('*')) {
      report(
        `\`${visible(text)}\` has a \`*\` inside`,
        'a `*` stands at the end, after a slash: it and everything below',
      );
      return;
    }
    if (!isTree && this.#around.bases.has(base)) {
      report(`\`${visible(text)}\` is no object by itself`, `write \`${text}/*\` for everything below it`);
      return;
    }
    const near = this.#around.bases.size > SUGGEST_FROM ? undefined : closest(base, this.#around.bases);
    report(
      `\`${visible(text)}\` is not in the fabric file`,
      near === undefined
        ? 'write a path such as `/switches/sw0/ports/2`, a path that ends in `/*`, or `own`'
        : `did you mean \`${near}${isTree ? '/*' : ''}\`?`,
    );
  }

  #effectOf(row: CsvRow, field: CsvField): 'allow' | 'deny' | undefined {
    const { text } = field;
    if (text === 'allow' || text === 'deny') return text;
    const near = closest(text.toLowerCase(), ['allow', 'deny']);
    this.#at(
      'effect',
      row,
      field,
    )(
      `\`${visible(text)}\` is not an effect`,
      near === undefined ? 'write exactly `allow` or `deny`' : `write exactly \`${near}\``,
    );
    return undefined;
  }

  #selectorOf(row: CsvRow, field: CsvField, effect: 'allow' | 'deny' | undefined): Selector | undefined {
    const parsed = entry(this.#around.selectors, field.text, () => parseSelector(field.text, this.#around.commands));
    // A row that takes away may speak about what nobody can have; a row that gives may not.
    const problem = isProblem(parsed)
      ? parsed
      : effect === 'deny'
        ? undefined
        : grantProblem(parsed, this.#around.commands);
    if (!isProblem(parsed) && parsed.kind === 'console') this.#checkConsole(row, parsed.word);
    if (problem !== undefined && !this.#around.faulty.has(field.text))
      this.#at(problem.code, row, field)(problem.message, problem.help);
    return isProblem(parsed) ? undefined : parsed;
  }

  /** A console acts on the whole switch: its rows name the switch itself, so that nobody gets one by a wide path. */
  #checkConsole(row: CsvRow, word: string): void {
    const resource = row.fields[2];
    if (resource === undefined || SWITCH_PATH.test(resource.text)) return;
    this.#at(
      'resource',
      row,
      resource,
    )(
      `\`${word}\` is about a whole switch, \`${visible(resource.text)}\` is not the path of one`,
      'write the switch alone, such as `/switches/sw0`',
    );
  }

  #checkDuplicate(row: CsvRow): void {
    // No field holds a line end, so the joint is safe.
    let content = `${row.section.text}\n`;
    for (const { text } of row.fields) content += `${text}\n`;
    const first = this.#lines.get(content);
    if (first === undefined) this.#lines.set(content, row.line);
    else this.#at('duplicate', row, row.section)(`this row stands in line ${first} already`, 'remove one of the two');
  }

  #at(code: LoadErrorCode, row: CsvRow, field: CsvField) {
    return this.#errors.add(code, { file: row.file, line: row.line, column: field.column }, field.text);
  }
}
