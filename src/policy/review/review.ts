import type { Profile } from '../../taint/index.ts';
import { createEngine } from '../casbin/index.ts';
import type { GrantRule, MandatoryRule, RoleLink } from '../casbin/rules.ts';
import type { RuleEngine } from '../engine.ts';
import { type CsvField, parseLine } from '../load/csv.ts';
import { ErrorList, visible } from '../load/error.ts';
import { linesOf } from '../load/file.ts';
import type { ReadPolicy } from '../load/index.ts';
import { shippedMandatory } from '../load/shipped-mandatory.ts';
import type { Fabric } from '../types.ts';
import { BestCase } from './best-case.ts';
import { Extents } from './extent.ts';
import { type FabricText, reviewFabric } from './fabric-file.ts';
import { type Finding, finding, type Place } from './finding.ts';
import { Forms } from './forms.ts';
import { type GrantReview, reviewGrant } from './grants.ts';
import { Holders } from './holders.ts';
import { Shadows } from './shadows.ts';
import { Silencers } from './silencers.ts';

export interface ReviewInput {
  /** What the loader let in, with the bytes that it read. */
  readonly policy: ReadPolicy;
  readonly fabric: Fabric;
  readonly fabricText: FabricText;
  /** The profile that the policy is for. */
  readonly profile: Profile;
}

/**
 * What a reviewer would ask about in files that load, in the order of files and lines. Nothing is decided by it. Findings
 * that a comment silences are there with the reason.
 */
export async function review(input: ReviewInput): Promise<readonly Finding[]> {
  const { policy, fabric, fabricText, profile } = input;
  const engine = await createEngine({ id: policy.id, rules: policy.rules, fabric });
  const texts = textsOf(policy);
  const rows = new RowPlaces(texts);
  const other = profile === 'host' ? 'bmc' : 'host';
  const findings = findingsOf(input, engine, rows, profile);
  const silencers = new Silencers(new Map([...texts, [fabricText.name, fabricText.text]]));
  return [
    ...silencers.applied(findings),
    ...silencers.problems,
    ...silencers.unused([...findings, ...findingsOf(input, engine, rows, other)]),
  ].toSorted(inOrder);
}

function findingsOf(
  { policy, fabric, fabricText }: ReviewInput,
  engine: RuleEngine,
  rows: RowPlaces,
  profile: Profile,
): readonly Finding[] {
  const { grants, links, mandatory } = policy.rules;
  const forms = new Forms(engine.commands);
  const extents = new Extents(fabric);
  const holders = new Holders(links);
  const around: GrantReview = {
    fabric,
    forms,
    extents,
    holders,
    shadows: new Shadows(grants, extents, forms, holders),
    best: new BestCase(engine, mandatory, profile),
    place: (rule, column) => rows.place(rule, column),
  };
  return [
    ...grants.flatMap((rule) => reviewGrant(rule, around)),
    ...rolesNobodyHas(grants, links, holders, rows),
    ...otherProfile(mandatory, profile, rows),
    ...reviewFabric(fabricText, fabric, new Set(grants.map(({ row }) => row[1]))),
  ];
}

/** Told once for each role, at the first row that is about it. */
function rolesNobodyHas(
  grants: readonly GrantRule[],
  links: readonly RoleLink[],
  holders: Holders,
  rows: RowPlaces,
): readonly Finding[] {
  const told = new Set<string>();
  const report = (tenant: string, role: string, at: Place): readonly Finding[] => {
    if (told.has(`${tenant} ${role}`) || holders.isHeld(tenant, role)) return [];
    told.add(`${tenant} ${role}`);
    const help = `write a row \`g, NAME, ${role}, ${tenant}\`, or remove the role`;
    return [finding('role-nobody-has', at, `no \`g\` row leads from a caller to ${role}`, help)];
  };
  return [
    ...grants.flatMap((rule) => report(rule.row[1], rule.row[0], rows.place(rule, 0))),
    ...links.flatMap((link) =>
      link.name.startsWith('role:') ? report(link.tenant, link.name, rows.place(link, 0)) : [],
    ),
  ];
}

/** Rows of a team's own that are written for the other profile. The shipped ones must stay as they are. */
function otherProfile(rules: readonly MandatoryRule[], profile: Profile, rows: RowPlaces): readonly Finding[] {
  return rules.flatMap((rule) => {
    const profiles = rule.row[3];
    const isShipped = shippedMandatory.some((shipped) => shipped.every((column, i) => column === rule.row[i]));
    if (profiles === '*' || profiles.split('|').includes(profile) || isShipped) return [];
    const reason = `this broker runs in profile ${profile}, and the row is for ${profiles}`;
    return [
      finding('never-applies', rows.place(rule, 3), reason, 'remove it, or write `*` where it is meant for both'),
    ];
  });
}

function textsOf({ files }: ReadPolicy): ReadonlyMap<string, string> {
  const decoder = new TextDecoder();
  return new Map(
    [...files].filter(([name]) => name.endsWith('.csv')).map(([name, bytes]) => [name, decoder.decode(bytes)]),
  );
}

/** Where the columns of rows stand. */
class RowPlaces {
  readonly #fields = new Map<string, ReadonlyMap<number, readonly CsvField[]>>();

  constructor(texts: ReadonlyMap<string, string>) {
    // The loader has reported what is wrong; nothing is.
    const errors = new ErrorList();
    for (const [file, text] of texts) {
      const rows = new Map<number, readonly CsvField[]>();
      for (const [content, line] of linesOf(text)) {
        const row = parseLine(content, file, line, errors);
        if (row !== undefined) rows.set(line, row.fields);
      }
      this.#fields.set(file, rows);
    }
  }

  place(row: { readonly file?: string; readonly line?: number }, column: number): Place {
    const [file, line] = [String(row.file), Number(row.line)];
    const field = this.#fields.get(file)?.get(line)?.[column];
    return { file, line, column: Number(field?.column), text: visible(String(field?.text)) };
  }
}

function inOrder(a: Finding, b: Finding): number {
  return Number(a.file > b.file) - Number(a.file < b.file) || a.line - b.line || a.column - b.column;
}
