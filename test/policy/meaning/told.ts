import { readFileSync } from 'node:fs';
import {
  answer,
  Desk,
  diffPolicies,
  matrixOf,
  parseMatrixFilter,
  parseQuestion,
  type Side,
  type Standing,
  type Witness,
} from '../../../src/policy/meaning/index.ts';
import { openPolicy } from '../../../src/policy/trace/index.ts';
import { fabricOf, shipped, sourceOf } from '../load/fixture.ts';

const DEV = 'https://cci-broker.local/dev';

/** Files of a policy, by tenant. `DEV` stands for the issuer of tokens. */
export interface PolicyCase {
  readonly tenants: { readonly [tenant: string]: string };
  /** Rows below the shipped mandatory rows. */
  readonly mandatory?: string;
  /** Another fabric file than the shipped one. */
  readonly fabric?: string;
  readonly profile?: 'host' | 'bmc';
  /** Reviewed vendor commands, by the names of their files. */
  readonly vendor?: readonly string[];
}

/** A policy in `told.yaml`: its name, or what it has of its own beside what another one has. */
export type Described = string | (Partial<PolicyCase> & { readonly like?: string });

export function described(policies: { readonly [name: string]: Described }, one: Described): PolicyCase {
  if (typeof one === 'string') return described(policies, policies[one] ?? {});
  const { like, ...own } = one;
  const base: Partial<PolicyCase> = like === undefined ? {} : described(policies, like);
  return { ...base, ...own, tenants: { ...base.tenants, ...own.tenants } };
}

export async function opened({ tenants, mandatory, fabric, profile, vendor = [] }: PolicyCase): Promise<Side> {
  const source = sourceOf({
    tenants: Object.fromEntries(Object.entries(tenants).map(([name, rows]) => [name, rows.replaceAll('DEV', DEV)])),
    ...(mandatory === undefined ? {} : { mandatory: `${shipped['mandatory.csv']}${mandatory}` }),
    ...(fabric === undefined ? {} : { fabric: fabricOf(fabric) }),
    ...(profile === undefined ? {} : { profile }),
  });
  if (!('files' in source)) throw new Error('no files');
  const commands = vendor.map((name) => [
    `commands.d/${name}.yaml`,
    readFileSync(`test/policy/load/commands/${name}.yaml`, 'utf8'),
  ]);
  const policy = await openPolicy({ ...source, files: { ...source.files, ...Object.fromEntries(commands) } });
  if (!policy.ok)
    throw new Error(policy.error.map(({ file, line, message }) => `${file}:${line} ${message}`).join('\n'));
  return policy.value;
}

/** Lines of the mandatory rows are `N`: they move when rows are added. */
function plain(lines: readonly string[]): string {
  return lines
    .map((line) => `${line}\n`)
    .join('')
    .replaceAll(DEV, 'DEV')
    .replaceAll(/mandatory\.csv:\d+/g, 'mandatory.csv:N');
}

function witnessLines(witness: Witness, also: readonly string[]): readonly string[] {
  const { tenant, names, roles, command, opcode, submittedAs, resource, via, params, scope } = witness;
  const others = also.map((name) => ` = ${name}`).join('');
  const body = params === undefined ? '' : ` ${JSON.stringify(params)}`;
  return [
    `yes, ${tenant} [${names.join(', ')}]${others} as ${roles.join(', ')}`,
    `  ${command} (${opcode} ${submittedAs}, ${scope})${via === '' ? '' : ` via ${via}`}${body} for ${resource}`,
    ...witness.touched.map((one) => `  touches ${one.resource}: ${one.row} (${one.source})`),
    ...witness.provided.map((text) => `  provided ${text}`),
    ...witness.unless.map(({ when, by }) => `  unless ${when}: ${by.join(', ')}`),
  ];
}

/** A question and all that is answered. */
export async function answered(side: Side, text: string, profile: 'host' | 'bmc' = 'host'): Promise<string> {
  const parsed = parseQuestion(text.replaceAll('DEV', DEV), side.engine);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  const found = answer(await Desk.of(side, profile), parsed.question);
  return plain([
    ...found.witnesses.flatMap(({ also, ...witness }) => witnessLines(witness, also)),
    ...found.obstacles.map(({ because, text: why, sources }) => `no, ${because}: ${why} [${sources.join(', ')}]`),
    ...(found.yes === found.witnesses.length > 0 ? [] : ['neither yes nor no']),
  ]);
}

/** The rows of a matrix. */
export async function laidOut(
  side: Side,
  profile: 'host' | 'bmc' = 'host',
  filter: Parameters<typeof parseMatrixFilter>[0] = {},
): Promise<string> {
  const parsed = parseMatrixFilter(filter, side.engine);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  const { rows, without } = await matrixOf(side, profile, parsed.filter);
  return plain([
    ...rows.map(({ tenant, who, also, roles, kind, commands, resources, sources }) =>
      [
        `${tenant}: ${[who, ...also].join(' = ')} (${roles.join(', ')}) ${kind}`,
        commands.join(', '),
        `on ${resources.join(', ')}`,
        `by ${sources.join(', ')}`,
      ].join(' | '),
    ),
    ...(without.length === 0 ? [] : [`without: ${without.join(', ')}`]),
  ]);
}

function standing({ allowed, because, rows }: Standing): string {
  return `${allowed ? 'allowed' : 'denied'} by ${because} [${rows.join(', ')}]`;
}

/** All that two policies differ in. */
export async function compared(before: Side, after: Side): Promise<string> {
  const diff = await diffPolicies(before, after);
  const kinds = [diff.widened ? 'widened' : '', diff.narrowed ? 'narrowed' : ''].filter((word) => word !== '');
  return plain([
    kinds.length === 0 ? 'the same' : kinds.join(' and '),
    ...diff.grants.map(({ kind, tenant, who, commands, resources, before: was, after: is }) =>
      [
        `${kind} ${tenant}: ${who.map(({ names, also }) => [names.join(' + '), ...also].join(' = ')).join(' or ')}`,
        commands.join(', '),
        `on ${resources.join(', ')}`,
        `${standing(was)}, then ${standing(is)}`,
      ].join(' | '),
    ),
    ...diff.mandatory.map(({ kind, id, source, reason, commands, reaches, levels, profiles, taints, conditions }) =>
      [
        `${kind} ${id} (${source}): ${reason}`,
        commands.join(', '),
        reaches.join(' '),
        levels.join(' '),
        profiles.join(' '),
        `taint ${taints.join('')}`,
        `if ${conditions.join(' and ')}`,
      ].join(' | '),
    ),
    ...diff.commands.map(({ kind, slug, opcode }) => `${kind} ${slug} ${opcode}`),
  ]);
}
