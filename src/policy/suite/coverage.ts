import { BASE_ID, grantText, type PolicyRules, type RoleLink, sourceOf } from '../casbin/rules.ts';
import { linkSource, linkText, RoleWays } from '../trace/index.ts';
import type { Decision, Principal } from '../types.ts';
import { mandatoryText } from './differences.ts';

/** A row of the policy files. */
export interface CoveredRow {
  readonly kind: 'grant' | 'role' | 'mandatory';
  /** `tenants/acme.csv:16` */
  readonly source: string;
  readonly text: string;
}

export interface Coverage {
  readonly rows: number;
  readonly covered: number;
  /** Of 100, cut to one digit, so that 100 means all. */
  readonly percent: number;
  /** Rows that decided no case, in the order of the files. */
  readonly uncovered: readonly CoveredRow[];
}

/**
 * Counts which rows decided. A row that allows decides a case that is allowed; a row that denies, one that is denied. A `g`
 * row counts where it is part of the way to the role of such a row.
 */
export class CoverageCount {
  readonly #rules: PolicyRules;
  readonly #ways: RoleWays;
  readonly #sources = new Set<string>();
  readonly #links = new Set<RoleLink>();
  readonly #roleOf: ReadonlyMap<string, string>;

  constructor(rules: PolicyRules) {
    this.#rules = rules;
    this.#ways = new RoleWays(rules.links);
    this.#roleOf = new Map(rules.grants.map((rule) => [sourceOf(rule), rule.row[0]]));
  }

  add(principal: Principal, { verdict, grants, reasons }: Decision): void {
    for (const { allowed, rule } of grants) {
      if (rule === undefined || allowed !== (verdict === 'allow')) continue;
      this.#sources.add(rule.source);
      const role = this.#roleOf.get(rule.source);
      for (const link of this.#ways.usedFor(principal, String(role))) this.#links.add(link);
    }
    for (const { step, source } of reasons) if (step === 'mandatory' && source !== undefined) this.#sources.add(source);
    if (verdict !== 'allow') return;
    for (const rule of this.#rules.mandatory) if (rule.row[0] === BASE_ID) this.#sources.add(sourceOf(rule));
  }

  result(): Coverage {
    const { grants, links, mandatory } = this.#rules;
    const all: readonly (CoveredRow & { readonly covered: boolean })[] = [
      ...mandatory.map((rule) => ({
        kind: 'mandatory' as const,
        source: sourceOf(rule),
        text: mandatoryText(rule),
        covered: this.#sources.has(sourceOf(rule)),
      })),
      ...grants.map((rule) => ({
        kind: 'grant' as const,
        source: sourceOf(rule),
        text: grantText(rule),
        covered: this.#sources.has(sourceOf(rule)),
      })),
      ...links.map((link) => ({
        kind: 'role' as const,
        source: linkSource(link),
        text: linkText(link),
        covered: this.#links.has(link),
      })),
    ];
    const covered = all.filter((row) => row.covered).length;
    return {
      rows: all.length,
      covered,
      percent: Math.floor((1000 * covered) / all.length) / 10,
      uncovered: all.filter((row) => !row.covered).map(({ kind, source, text }) => ({ kind, source, text })),
    };
  }
}
